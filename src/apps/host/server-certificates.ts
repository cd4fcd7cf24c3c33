/** A certificate authority and a certificate of this server's own, for what speaks TLS on this machine: attached one-off dynos, e-mail. */

import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { TailraceError } from '../../common/errors.ts';
import { programFileError } from '../../common/files/file-error.ts';
import { readIfExists } from '../../common/files/read-if-exists.ts';
import { renameSynced } from '../../common/files/replace-file.ts';

export interface ServerCertificates {
  /** PEM of the certificate authority that clients have to trust. */
  readonly caCertificate: string;
  readonly certificate: string;
  readonly key: string;
}

const AUTHORITY_DAYS = 3_650;
const CERTIFICATE_DAYS = 800;
/** Renewed when less than this is left. */
const RENEW_BEFORE_MS = 30 * 86_400_000;

/**
 * Reads them from a folder, and creates what is missing, or about to expire, with `openssl`.
 * @param needing who needs them, for the sentence that says so: `Attached dynos`
 * @throws TailraceError `unavailable` when `openssl` isn't installed
 */
export async function loadOrCreateCertificates(folder: string, needing: string): Promise<ServerCertificates> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const openssl = (args: readonly string[]): Promise<void> => runOpenssl(args, needing);
  const createKey = (path: string): Promise<void> =>
    openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path]);
  const file = (name: string): string => join(folder, name);
  if (!isFresh(await readIfExists(file('authority.pem')))) {
    await createAtomically(folder, ['authority.key', 'authority.pem'], async (work) => {
      await createKey(join(work, 'authority.key'));
      await openssl([
        ...['req', '-x509', '-new', '-key', join(work, 'authority.key'), '-out', join(work, 'authority.pem')],
        ...['-days', String(AUTHORITY_DAYS), '-subj', `/CN=Tailrace on ${hostname().slice(0, 40)}`],
        ...[
          '-addext',
          'basicConstraints=critical,CA:TRUE,pathlen:0',
          '-addext',
          'keyUsage=critical,keyCertSign',
        ],
      ]);
    });
    await rm(file('server.pem'), { force: true });
  }
  if (!isFresh(await readIfExists(file('server.pem')))) {
    await createAtomically(folder, ['server.key', 'server.pem'], async (work) => {
      const names = ['DNS:localhost', 'DNS:*.localhost', 'IP:127.0.0.1', 'IP:::1', `DNS:${hostname()}`];
      await writeFile(
        join(work, 'extensions'),
        `subjectAltName=${names.join(',')}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n`,
      );
      await createKey(join(work, 'server.key'));
      const request = join(work, 'request');
      await openssl([
        'req',
        '-new',
        '-key',
        join(work, 'server.key'),
        '-out',
        request,
        '-subj',
        '/CN=localhost',
      ]);
      await openssl([
        ...['x509', '-req', '-in', request, '-CA', file('authority.pem'), '-CAkey', file('authority.key')],
        ...['-CAcreateserial', '-CAserial', join(work, 'serial'), '-days', String(CERTIFICATE_DAYS)],
        ...['-extfile', join(work, 'extensions'), '-out', join(work, 'server.pem')],
      ]);
    });
  }
  return {
    caCertificate: await readFile(file('authority.pem'), 'utf8'),
    certificate: await readFile(file('server.pem'), 'utf8'),
    key: await readFile(file('server.key'), 'utf8'),
  };
}

/** Creates files in a temporary folder, and moves them when all are written; the certificate last, as it is the one that is checked. */
async function createAtomically(
  folder: string,
  names: readonly string[],
  create: (work: string) => Promise<void>,
): Promise<void> {
  const work = join(folder, `new.${process.pid}`);
  await mkdir(work, { recursive: true, mode: 0o700 });
  try {
    await create(work);
    for (const name of names) await renameSynced(join(work, name), join(folder, name));
  } catch (error) {
    throw error instanceof Error ? programFileError(work, error) : error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function isFresh(pem: Buffer | undefined): boolean {
  if (pem === undefined) return false;
  try {
    const { validFrom, validTo } = new X509Certificate(pem);
    const now = Date.now();
    // One that isn't valid yet was made before the clock was set back.
    return Date.parse(validFrom) <= now && Date.parse(validTo) - now > RENEW_BEFORE_MS;
  } catch {
    return false;
  }
}

async function runOpenssl(args: readonly string[], needing: string): Promise<void> {
  const child = spawn('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const status = await new Promise((resolve) => {
    child.on('error', () => resolve('missing'));
    child.on('close', resolve);
  });
  if (status === 0) return;
  throw new TailraceError(
    'unavailable',
    status === 'missing'
      ? `${needing} need the program openssl on the server: install it (apt-get install openssl).`
      : `openssl could not make a certificate: ${stderr.trim().split('\n').pop()}`,
  );
}
