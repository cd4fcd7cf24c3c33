/** Certificates for tests, made by the real openssl: an authority, a server's, a client's, and a self-signed one. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ClientCertificates {
  readonly authority: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
  readonly selfSignedCert: string;
  readonly selfSignedKey: string;
}

/** Makes them in a folder; the client is `CN=web-1,O=Example`. */
export function makeClientCertificates(folder: string): ClientCertificates {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  };
  const self = (name: string, subject: string): void =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      subject,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  const signed = (name: string, subject: string): void => {
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      subject,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'names.txt',
      '-out',
      `${name}.pem`,
    );
  };
  writeFileSync(file('names.txt'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  self('ca', '/CN=Tests');
  signed('server', '/CN=localhost');
  signed('client', '/O=Example/CN=web-1');
  self('self-signed', '/CN=web-1');
  return {
    authority: file('ca.pem'),
    serverCert: file('server.pem'),
    serverKey: file('server.key'),
    clientCert: file('client.pem'),
    clientKey: file('client.key'),
    selfSignedCert: file('self-signed.pem'),
    selfSignedKey: file('self-signed.key'),
  };
}
