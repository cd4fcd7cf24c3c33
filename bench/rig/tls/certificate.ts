import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Files in PEM form. */
export interface CertificateFilePaths {
  readonly key: string;
  readonly certificate: string;
}

/** A certificate of this machine, made by openssl; undefined without it. */
export function makeCertificate(folder: string): CertificateFilePaths | undefined {
  const [key, certificate] = [join(folder, 'server.key'), join(folder, 'server.pem')];
  const made = spawnSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ${key} -out ${certificate}`.split(
      ' ',
    ),
    { stdio: 'ignore' },
  );
  return made.status === 0 ? { key, certificate } : undefined;
}
