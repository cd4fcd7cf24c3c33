/**
 * MongoDB: mongod with one user, on loopback. It is in no package of Debian's, so this is written after its documentation (configuration
 * file options, localhost exception, built-in roles, connection strings) and isn't run by the tests.
 */
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import { hostEnvironment } from '../../../build/slug-files.ts';
import { waitForPort } from '../../../processes/ports.ts';
import { askService } from '../local/ask-service.ts';
import { findProgram, programWord } from '../local/find-program.ts';
import type { LocalInstance, ProcessService } from '../local/local-service.ts';
import { loopbackAddresses } from '../local/loopback-addresses.ts';
import { machineSamples } from '../local/machine-samples.ts';
import { writeServiceFiles } from '../local/service-files.ts';
import { parseMongodLine, readMongodLines } from './lines/mongodb-lines.ts';

const USER = 'app';
const DATABASE = 'app';
const CONFIG_FILE = 'mongod.conf';
const INITIALIZE_TIMEOUT_MS = 60_000;

export const mongodbService: ProcessService = {
  kind: 'process',
  service: 'mongolab',
  missing: () =>
    findProgram('mongod')
      ? undefined
      : "mongod is not installed on the server, and is in no package of Debian's: get mongodb-org as https://www.mongodb.com/docs/manual/administration/install-on-linux/ says, or attach one that runs elsewhere with --url mongodb://USER:PASSWORD@HOST:PORT/DATABASE.",
  files: (instance) => ({ [CONFIG_FILE]: mongodConfig(instance, loopbackAddresses()) }),
  command: () => `exec ${programWord('mongod')} --config ${CONFIG_FILE}`,
  initialize: createUser,
  /** `journal`: an answer says that it is on the disk; mongod's own default is to write its journal ten times a second. */
  facts: ({ port, password }) => ({
    url: `mongodb://${USER}:${password}@localhost:${port}/${DATABASE}?authSource=admin&journal=true`,
  }),
  async info(instance) {
    const { status, database } = await askMongod(instance);
    const { current, available } = status.connections;
    return [
      { name: 'Plan', values: [instance.plan.description] },
      { name: 'Status', values: ['available'] },
      { name: 'Version', values: [status.version] },
      { name: 'Connections', values: [`${current - 1}/${current + available}`] },
      { name: 'Data Size', values: [`${(database.dataSize / 1_048_576).toFixed(1)} MB`] },
      { name: 'Collections', values: [String(database.collections)] },
    ];
  },
  async samples(instance) {
    const { status, database } = await askMongod(instance);
    return {
      // Its own isn't one of the app's.
      'active-connections': status.connections.current - 1,
      ...machineSamples(instance.folder),
      'memory-mongodb': `${status.mem.resident * 1_048_576}bytes`,
      db_size: `${database.storageSize}bytes`,
      collections: database.collections,
    };
  },
  readLines: readMongodLines,
};

/** Its configuration file, which is YAML. It writes to its standard output when no destination is named. */
export function mongodConfig({ port, plan }: LocalInstance, addresses: readonly string[]): string {
  return [
    'systemLog:',
    // Without a line for each connection.
    '  quiet: true',
    'storage:',
    '  dbPath: data',
    'net:',
    `  port: ${port}`,
    `  bindIp: ${addresses.join(',')}`,
    `  ipv6: ${addresses.some((address) => address.includes(':'))}`,
    ...(plan.connections === undefined ? [] : [`  maxIncomingConnections: ${plan.connections}`]),
    // A socket's path may have 107 bytes: data folders can be deeper.
    '  unixDomainSocket:',
    '    enabled: false',
    'security:',
    '  authorization: enabled',
    '',
  ].join('\n');
}

/**
 * Makes the only user. While there is none, mongod lets a client on loopback make the first one (the localhost exception), so the port is
 * nobody's until then but for a moment.
 * @throws TailraceError with mongod's last words
 */
async function createUser(instance: LocalInstance): Promise<void> {
  const { folder, port, password, name } = instance;
  await mkdir(join(folder, 'data'), { recursive: true, mode: 0o700 });
  await writeServiceFiles(folder, mongodbService.files(instance));
  const child = spawn(findProgram('mongod') ?? 'mongod', ['--config', CONFIG_FILE], {
    cwd: folder,
    env: hostEnvironment(process.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2_000);
    });
  const hasEnded = new AbortController();
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      said += String(error);
      hasEnded.abort();
      resolve();
    });
    child.once('close', () => {
      hasEnded.abort();
      resolve();
    });
  });
  const limit = AbortSignal.any([hasEnded.signal, AbortSignal.timeout(INITIALIZE_TIMEOUT_MS)]);
  try {
    if ((await waitForPort(port, limit)) === undefined)
      throw new Error(`mongod did not start: ${lastWords(said)}`);
    const { MongoClient } = await import('mongodb');
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/admin`, {
      directConnection: true,
      serverSelectionTimeoutMS: INITIALIZE_TIMEOUT_MS,
    });
    try {
      await client.db('admin').command({ createUser: USER, pwd: password, roles: ['root'] });
    } finally {
      await client.close();
    }
  } catch (error) {
    throw new TailraceError('unavailable', `${name} could not be set up: ${reasonOf(error)}`, {
      cause: error,
    });
  } finally {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(kill);
  }
}

function lastWords(said: string): string {
  const lines = said.trim().split('\n').slice(-2);
  return (
    lines
      .map((line) => parseMongodLine(line)?.text ?? '')
      .join(' ')
      .trim() || 'it said nothing'
  );
}

interface MongodFacts {
  readonly status: {
    readonly version: string;
    readonly connections: { readonly current: number; readonly available: number };
    /** MB */
    readonly mem: { readonly resident: number };
  };
  readonly database: {
    readonly dataSize: number;
    readonly storageSize: number;
    readonly collections: number;
  };
}

/** The answers to serverStatus and dbStats. @throws TailraceError */
function askMongod({ port, password, name }: LocalInstance): Promise<MongodFacts> {
  return askService(name, async (late) => {
    const { MongoClient } = await import('mongodb');
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/${DATABASE}`, {
      auth: { username: USER, password },
      authSource: 'admin',
      directConnection: true,
      // One connection, besides those that its monitor needs.
      maxPoolSize: 1,
    });
    late.addEventListener('abort', () => void client.close(true));
    try {
      const status = await client.db('admin').command({ serverStatus: 1 });
      const database = await client.db(DATABASE).command({ dbStats: 1 });
      return { status, database } as unknown as MongodFacts;
    } finally {
      await client.close();
    }
  });
}
