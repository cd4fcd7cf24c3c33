import { execFile } from 'node:child_process';
import { chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { reasonOf, TailraceError } from '../../../../../common/errors.ts';
import { shellQuote } from '../../../../../common/text/shell-quote.ts';
import { hostEnvironment } from '../../../../build/slug-files.ts';
import type { ProcessService } from '../../local/local-service.ts';
import {
  chownData,
  dataWord,
  openDataScript,
  type PostgresAccount,
  postgresAccount,
  switchUserError,
} from './account.ts';
import { askPostgres, postgresSamples, queryInstance } from './facts.ts';
import { stopOrphanedPostgres } from './leftovers.ts';
import { LOG_LINE_PREFIX, postgresLogReader } from './log-lines.ts';
import { dataVersionOf, findPostgresProgram, majorVersionOf, requirePostgresProgram } from './programs.ts';

const INITIALIZE_TIMEOUT_MS = 60_000;
const CONNECTIONS_DEFAULT = 100;
/** A shutdown writes what is in memory, which may be much. */
const STOP_GRACE_MS = 30_000;

export const postgresService: ProcessService = {
  kind: 'process',
  service: 'heroku-postgresql',
  missing: () =>
    findPostgresProgram('postgres')
      ? undefined
      : 'postgres is not installed on the server: apt-get install postgresql (or the package of your system).',
  user: postgresAccount,
  // The fast shutdown: it doesn't wait until clients leave by themselves, as it would for SIGTERM, and leaves nothing to be recovered.
  stopSignal: 'SIGINT',
  stopGraceMs: STOP_GRACE_MS,
  readLines: postgresLogReader,
  files: () => ({}),
  async command({ folder, port, plan }) {
    const account = await postgresAccount();
    // On the command line they win over what ALTER SYSTEM has written.
    const settings = {
      port,
      // Both: clients may take either for localhost. Where there is no IPv6, it says so and goes on.
      listen_addresses: 'localhost',
      // A socket's path may have 107 bytes: data folders can be deeper.
      unix_socket_directories: '',
      max_connections: plan.connections ?? CONNECTIONS_DEFAULT,
      // To stderr, and so into the app's stream; the time is the line's own.
      log_destination: 'stderr',
      logging_collector: 'off',
      log_line_prefix: LOG_LINE_PREFIX,
      lc_messages: 'C',
      // As on Heroku.
      log_min_duration_statement: '2s',
      log_lock_waits: 'on',
    };
    const words = Object.entries(settings).map(([name, value]) => `-c ${shellQuote(`${name}=${value}`)}`);
    const postgres = requirePostgresProgram('postgres', dataVersionOf(folder));
    return `${openDataScript(account)}exec ${shellQuote(postgres)} -D ${dataWord(account)} ${words.join(' ')}`;
  },
  async initialize({ folder, password }) {
    const account = await postgresAccount();
    await chownData(folder, account);
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    try {
      if (account) await chown(passwordFile, account.uid, account.gid);
      const options = '--username=app --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8';
      const open = account ? `exec 8<password; ${openDataScript(account)}` : '';
      await runInShell(
        folder,
        account,
        `${open}exec ${shellQuote(requirePostgresProgram('initdb'))} ${options} --pwfile=${account ? '/proc/self/fd/8' : 'password'} -D ${dataWord(account)}`,
      );
      const single = `${shellQuote(requirePostgresProgram('postgres', dataVersionOf(folder)))} --single -D ${dataWord(account)} postgres`;
      await runInShell(folder, account, `${openDataScript(account)}echo 'CREATE DATABASE app' | ${single}`);
    } finally {
      await rm(passwordFile, { force: true });
    }
  },
  async checkData({ folder, name }) {
    const dataVersion = dataVersionOf(folder);
    if (dataVersion === '')
      throw new TailraceError(
        'unavailable',
        `The data of ${name} are gone: there are none in ${join(folder, 'data')}. Put them back and restart tailrace, or destroy the add-on and create another one.`,
      );
    const programVersion = await majorVersionOf(requirePostgresProgram('postgres', dataVersion));
    if (dataVersion === programVersion || programVersion === '') return;
    throw new TailraceError(
      'unavailable',
      `The data of ${name} are of PostgreSQL ${dataVersion}, and the server has ${programVersion}: install PostgreSQL ${dataVersion} beside it (postgresql-${dataVersion}), and restart tailrace. Nothing was changed.`,
    );
  },
  async prepareData({ folder }, lines) {
    const account = await postgresAccount();
    await chownData(folder, account);
    await stopOrphanedPostgres(folder, account).catch((error: unknown) => {
      throw account && !(error instanceof TailraceError) ? switchUserError(account, error) : error;
    });
    if (account) lines.write(`PostgreSQL runs as the user ${account.name}: it refuses to run as root.`);
  },
  async waitUntilReady(instance, signal) {
    for (let pauseMs = 50; !signal.aborted; pauseMs = Math.min(1_000, pauseMs * 2)) {
      const isReady = await queryInstance(instance, 'SELECT 1').then(
        () => true,
        () => false,
      );
      if (isReady) return;
      await wait(pauseMs);
    }
  },
  async info(instance) {
    const [facts, account] = await Promise.all([askPostgres(instance), postgresAccount()]);
    return [
      { name: 'Plan', values: [instance.plan.description] },
      { name: 'Status', values: ['Available'] },
      { name: 'Connections', values: [`${facts.connections}/${facts.connectionsMax}`] },
      { name: 'PG Version', values: [facts.version] },
      { name: 'Data Size', values: [facts.size] },
      { name: 'Tables', values: [String(facts.tables)] },
      // Heroku's CLI looks for it before it makes a backup.
      { name: 'Continuous Protection', values: ['Off'] },
      ...(account ? [{ name: 'Runs as', values: [account.name] }] : []),
    ];
  },
  samples: async (instance) => postgresSamples(await askPostgres(instance), instance.folder),
  facts: ({ port, password }) => ({ url: `postgres://app:${password}@localhost:${port}/app` }),
};

/** Runs one of PostgreSQL's programs in an add-on's folder, as who runs it. @throws TailraceError with what it said */
async function runInShell(
  folder: string,
  account: PostgresAccount | undefined,
  script: string,
): Promise<void> {
  try {
    await promisify(execFile)('sh', ['-c', script], {
      cwd: folder,
      env: { ...hostEnvironment(process.env), LC_ALL: 'C' },
      timeout: INITIALIZE_TIMEOUT_MS,
      uid: account?.uid,
      gid: account?.gid,
    });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    if (account && said === '' && error instanceof Error && 'syscall' in error)
      throw switchUserError(account, error);
    throw new TailraceError(
      /No space left on device/.test(said) ? 'store_full' : 'unavailable',
      `PostgreSQL could not be set up on the server: ${said.split('\n').slice(-3).join(' ') || reasonOf(error)}`,
      { cause: error },
    );
  }
}
