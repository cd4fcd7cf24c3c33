/** Makes certificates with openssl: a certificate authority, and valid, expired and foreign certificates. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export class CertificateAuthority {
  private readonly folder: string;
  readonly cert: string;
  readonly certFile: string;
  private count = 0;

  /** @param folder an existing one, for its files. */
  constructor(folder: string, name = 'authority') {
    this.folder = folder;
    this.certFile = join(folder, `${name}.crt`);
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...[
        '-keyout',
        join(folder, `${name}.key`),
        '-out',
        this.certFile,
        '-days',
        '2',
        '-subj',
        `/CN=${name}`,
      ],
    );
    this.cert = readFileSync(this.certFile, 'utf8');
  }

  /** A certificate for these names (`DNS:localhost`, `IP:127.0.0.1`), from so many days on until; `days` below 0: one that has expired. */
  issue(names: string, days = 2, fromDays = -3): CertificateAndKey {
    const base = join(this.folder, `issued-${this.count++}`);
    const [keyFile, requestFile, certFile, extensions] = ['key', 'csr', 'crt', 'ext'].map(
      (end) => `${base}.${end}`,
    );
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', keyFile, '-out', requestFile, '-subj', '/CN=tailrace-test'],
    );
    const day = (offset: number) =>
      `${new Date(Date.now() + offset * 86_400_000).toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`;
    // `x509 -days` takes no negative number everywhere; `ca` takes dates.
    writeFileSync(`${base}.index`, '');
    writeFileSync(
      `${base}.cnf`,
      `[ca]\ndefault_ca=c\n[c]\ndatabase=${base}.index\nnew_certs_dir=${this.folder}\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n`,
    );
    openssl(
      ...['ca', '-batch', '-config', `${base}.cnf`, '-cert', this.certFile],
      ...['-keyfile', this.certFile.replace(/crt$/, 'key'), '-in', requestFile, '-out', certFile, '-notext'],
      ...['-startdate', day(fromDays), '-enddate', day(days), '-extfile', extensions],
    );
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile };
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
