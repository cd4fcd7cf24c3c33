/** The services that add-ons can be of: their programs, and how each is set up in a folder of its own. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TailraceError } from '../../../common/errors.ts';
import { hostEnvironment } from '../../build/slug-files.ts';
import { findProgram } from './find-program.ts';

/** Under `addon/<id>` in its app's scope. */
export interface AddonInstanceRecord {
  readonly id: string;
  readonly service: string;
  readonly port: number;
  readonly password: string;
}

interface AddonServiceDefinition {
  /** Name of the program that has to be installed. */
  readonly program: string;
  readonly description: string;
  /** Where the program is; undefined when it isn't installed. */
  locate(): string | undefined;
  /** The shell command that runs it in its folder. */
  command(): string;
  /** Files for its folder: passwords aren't for command lines, which every user can read. */
  configFiles(record: AddonInstanceRecord): Record<string, string>;
  /** Done once, before the first start. */
  initialize?(folder: string, record: AddonInstanceRecord): Promise<void>;
  /** The config vars that it adds to its app. */
  configVars(record: AddonInstanceRecord): Record<string, string>;
}

const redis: AddonServiceDefinition = {
  program: 'redis-server',
  description: 'Redis on this machine',
  locate: () => findProgram('redis-server'),
  command: () => 'exec redis-server redis.conf',
  configFiles: ({ port, password }) => ({
    'redis.conf': `port ${port}\nbind 127.0.0.1\nappendonly yes\nrequirepass ${password}\n`,
  }),
  configVars: ({ port, password }) => ({ REDIS_URL: `redis://:${password}@127.0.0.1:${port}` }),
};

const INITIALIZE_TIMEOUT_MS = 60_000;

const postgres: AddonServiceDefinition = {
  program: 'postgres',
  description: 'PostgreSQL on this machine',
  locate: () => findPostgresProgram('postgres'),
  command: () =>
    `exec ${unprivilegedPrefix()}${shellQuote(requirePostgresProgram('postgres'))} -D data --config-file=postgresql.conf`,
  configFiles: ({ port }) => ({
    'postgresql.conf': [
      `data_directory = 'data'`,
      `hba_file = 'data/pg_hba.conf'`,
      `ident_file = 'data/pg_ident.conf'`,
      `port = ${port}`,
      `listen_addresses = '127.0.0.1'`,
      // A socket's path may have 107 bytes: data folders can be deeper.
      `unix_socket_directories = ''`,
      `max_connections = 100`,
      // To stderr, and so into the app's stream; the time is the line's own.
      `log_destination = 'stderr'`,
      `logging_collector = off`,
      `log_line_prefix = '[%p] %q%u@%d '`,
      '',
    ].join('\n'),
  }),
  async initialize(folder, { password }) {
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    try {
      const initdbOptions =
        '--username=app --pwfile=password --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync';
      await runInShell(
        folder,
        `${unprivilegedPrefix()}${shellQuote(requirePostgresProgram('initdb'))} ${initdbOptions} data`,
      );
      const single = `${unprivilegedPrefix()}${shellQuote(requirePostgresProgram('postgres'))} --single -D data postgres`;
      await runInShell(folder, `echo 'CREATE DATABASE app' | ${single}`);
    } finally {
      await rm(passwordFile, { force: true });
    }
  },
  configVars: ({ port, password }) => ({ DATABASE_URL: `postgres://app:${password}@127.0.0.1:${port}/app` }),
};

/** By name. */
export const ADDON_SERVICES: Readonly<Record<string, AddonServiceDefinition>> = { redis, postgres };

/** Heroku's names of services. */
const ALIASES: Readonly<Record<string, string>> = { postgresql: 'postgres' };

/** `redis` for `redis:dev`, `heroku-redis` and the like; not necessarily an existing service. */
export function canonicalServiceName(typed: string): string {
  const name = typed.split(':')[0].replace(/^heroku-/, '');
  return ALIASES[name] ?? name;
}

/** PostgreSQL's programs: Debian keeps those of each version in a folder of its own; the newest is used. */
function findPostgresProgram(name: string): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(debian, version, 'bin', name)).find(existsSync);
  return found ?? findProgram(name);
}

function requirePostgresProgram(name: string): string {
  const found = findPostgresProgram(name);
  if (found) return found;
  throw new TailraceError(
    'unavailable',
    `PostgreSQL's program ${name} is not on the server: install PostgreSQL.`,
  );
}

/**
 * PostgreSQL refuses to run as root. If this server does, PostgreSQL runs in a user namespace in which root has another
 * user id; the owner of its files stays the same.
 */
function unprivilegedPrefix(): string {
  if (process.getuid?.() !== 0) return '';
  return 'unshare --map-user="$(id -u postgres 2>/dev/null || id -u nobody)" -- ';
}

async function runInShell(cwd: string, script: string): Promise<void> {
  try {
    const env = { ...hostEnvironment(process.env) };
    await promisify(execFile)('sh', ['-c', script], { cwd, env, timeout: INITIALIZE_TIMEOUT_MS });
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new TailraceError(
      'unavailable',
      `PostgreSQL could not be set up on the server: ${stderr.split('\n').slice(-3).join(' ') || 'it said nothing'}`,
      { cause: error },
    );
  }
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
