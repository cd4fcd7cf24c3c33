import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import { shellQuote } from '../../../../common/text/shell-quote.ts';
import { hostEnvironment } from '../../../build/slug-files.ts';
import { findProgram } from '../local/find-program.ts';
import type { LocalInstance, ProcessService } from '../local/local-service.ts';

const INITIALIZE_TIMEOUT_MS = 60_000;
const ASK_TIMEOUT_MS = 10_000;
const CONNECTIONS_DEFAULT = 100;

export const postgresService: ProcessService = {
  kind: 'process',
  service: 'heroku-postgresql',
  missing: () =>
    findPostgresProgram('postgres')
      ? undefined
      : 'postgres is not installed on the server: apt-get install postgresql (or the package of your system).',
  command: () =>
    `exec ${unprivilegedPrefix()}${shellQuote(requirePostgresProgram('postgres'))} -D data --config-file=postgresql.conf`,
  files: ({ port, plan }) => ({
    'postgresql.conf': [
      `data_directory = 'data'`,
      `hba_file = 'data/pg_hba.conf'`,
      `ident_file = 'data/pg_ident.conf'`,
      `port = ${port}`,
      // Both: clients may take either for localhost. Where there is no IPv6, it says so and goes on.
      `listen_addresses = 'localhost'`,
      // A socket's path may have 107 bytes: data folders can be deeper.
      `unix_socket_directories = ''`,
      `max_connections = ${plan.connections ?? CONNECTIONS_DEFAULT}`,
      // To stderr, and so into the app's stream; the time is the line's own.
      `log_destination = 'stderr'`,
      `logging_collector = off`,
      `log_line_prefix = '[%p] %q%u@%d '`,
      '',
    ].join('\n'),
  }),
  async initialize({ folder, password }) {
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
  async checkData({ folder, name }) {
    const dataVersion = (await readFile(join(folder, 'data', 'PG_VERSION'), 'utf8').catch(() => '')).trim();
    const programVersion = await majorVersion(requirePostgresProgram('postgres'));
    if (dataVersion === programVersion || dataVersion === '' || programVersion === '') return;
    throw new TailraceError(
      'unavailable',
      `The data of ${name} are of PostgreSQL ${dataVersion}, and the server has ${programVersion}: install PostgreSQL ${dataVersion} beside it (postgresql-${dataVersion}), and restart tailrace. Nothing was changed.`,
    );
  },
  async info(instance) {
    const { version, connections, connectionsMax, size, tables } = await askPostgres(instance);
    return [
      { name: 'Plan', values: [instance.plan.description] },
      { name: 'Status', values: ['Available'] },
      { name: 'Connections', values: [`${connections}/${connectionsMax}`] },
      { name: 'PG Version', values: [version] },
      { name: 'Data Size', values: [size] },
      { name: 'Tables', values: [String(tables)] },
    ];
  },
  async samples(instance) {
    const { bytes, tables, connections } = await askPostgres(instance);
    return { db_size: `${bytes}bytes`, tables, 'active-connections': connections };
  },
  facts: ({ port, password }) => ({ url: `postgres://app:${password}@localhost:${port}/app` }),
};

/** Size in bytes, tables, connections, version. */
const FACTS_QUERY = `SELECT pg_database_size(current_database()), (SELECT count(*) FROM pg_stat_user_tables),
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), current_setting('server_version'),
  current_setting('max_connections'), pg_size_pretty(pg_database_size(current_database()))`;

interface DatabaseFacts {
  readonly bytes: number;
  readonly tables: number;
  readonly connections: number;
  readonly version: string;
  readonly connectionsMax: number;
  readonly size: string;
}

async function askPostgres({ port, password, name }: LocalInstance): Promise<DatabaseFacts> {
  const psql = findPostgresProgram('psql');
  if (!psql)
    throw new TailraceError(
      'unavailable',
      'psql is not installed on the server: apt-get install postgresql-client.',
    );
  try {
    const { stdout } = await promisify(execFile)(
      psql,
      [
        '--no-psqlrc',
        '--tuples-only',
        '--no-align',
        '--field-separator=|',
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '-U',
        'app',
        '-c',
        FACTS_QUERY,
        'app',
      ],
      {
        env: { ...hostEnvironment(process.env), PGPASSWORD: password, PGCONNECT_TIMEOUT: '3' },
        timeout: ASK_TIMEOUT_MS,
      },
    );
    const [bytes, tables, connections, version, connectionsMax, size] = stdout.trim().split('|');
    return {
      bytes: Number(bytes),
      tables: Number(tables),
      // Its own isn't one of the app's.
      connections: Number(connections) - 1,
      version,
      connectionsMax: Number(connectionsMax),
      size,
    };
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : reasonOf(error);
    throw new TailraceError('unavailable', `${name} doesn't answer: ${said}`, { cause: error });
  }
}

/** `15`; '' when the program doesn't say. */
async function majorVersion(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['--version']).catch(() => ({ stdout: '' }));
  return /(\d+)/.exec(stdout)?.[1] ?? '';
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
