/** PostgreSQL's programs on this machine. Debian keeps those of each major version in a folder of its own, side by side. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TailraceError } from '../../../../../common/errors.ts';
import { findProgram } from '../../local/find-program.ts';

const DEBIAN_FOLDER = '/usr/lib/postgresql';

/** A program of one major version, or of the newest that there is; undefined when it isn't installed. */
export function findPostgresProgram(name: string, version = ''): string | undefined {
  const versions = existsSync(DEBIAN_FOLDER)
    ? readdirSync(DEBIAN_FOLDER).sort((a, b) => Number(b) - Number(a))
    : [];
  const paths = versions.map((one) => ({ version: one, path: join(DEBIAN_FOLDER, one, 'bin', name) }));
  const installed = paths.filter(({ path }) => existsSync(path));
  const own = installed.find((one) => one.version === version);
  return (own ?? installed[0])?.path ?? findProgram(name);
}

/** @throws TailraceError `unavailable`, with the package */
export function requirePostgresProgram(name: string, version?: string): string {
  const found = findPostgresProgram(name, version);
  if (found) return found;
  const isServers = name === 'postgres' || name === 'initdb';
  throw new TailraceError(
    'unavailable',
    `PostgreSQL's program ${name} is not installed on the server: apt-get install ${isServers ? 'postgresql' : 'postgresql-client'} (or the package of your system).`,
  );
}

/** `15`; '' when the program doesn't say. */
export async function majorVersionOf(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['--version']).catch(() => ({ stdout: '' }));
  return /(\d+)/.exec(stdout)?.[1] ?? '';
}

/** The major version that wrote the data of an add-on; '' when there are none. */
export function dataVersionOf(folder: string): string {
  try {
    return readFileSync(join(folder, 'data', 'PG_VERSION'), 'utf8').trim();
  } catch {
    return '';
  }
}
