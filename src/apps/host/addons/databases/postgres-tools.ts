/** PostgreSQL's own clients, run on a database that is known by its address. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TailraceError } from '../../../../common/errors.ts';
import { fileError } from '../../../../common/files/file-error.ts';
import { hostEnvironment } from '../../../build/slug-files.ts';
import { closingDescriptorsOf } from '../../../processes/inherited-descriptors.ts';
import { requirePostgresProgram } from '../services/postgres/programs.ts';

/** A database, and the major version of its data where that is known here. */
export interface DatabaseAddress {
  readonly url: string;
  readonly version: string;
}

interface ToolResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a program may say that is kept. */
const OUTPUT_CHARACTERS_MAX = 256 * 1024;

/**
 * Runs one of them to its end.
 * @param database instead of the one of the address
 * @param output takes what it writes, which is only kept when this is left out
 * @throws TailraceError when it can't be started; the reason of `signal`
 */
export async function runPostgresTool(
  name: 'pg_dump' | 'pg_restore' | 'psql',
  args: readonly string[],
  { url, version }: DatabaseAddress,
  options: {
    readonly database?: string;
    readonly output?: NodeJS.WritableStream[];
    readonly signal?: AbortSignal;
  },
): Promise<ToolResult> {
  const { database, output, signal } = options;
  signal?.throwIfAborted();
  const program = requirePostgresProgram(name, version);
  const tool = closingDescriptorsOf(program, args);
  const child = spawn(tool.program, tool.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...hostEnvironment(process.env), LC_ALL: 'C', ...connectionEnvironment(url, database) },
  });
  const kill = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', kill);
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killedBy) => resolve(code ?? (killedBy ? 128 : 1)));
  });
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-OUTPUT_CHARACTERS_MAX);
  });
  try {
    if (output)
      await pipeline([child.stdout, ...output]).catch(async (error: unknown) => {
        kill();
        await exited;
        throw error;
      });
    else
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout = (stdout + text).slice(-OUTPUT_CHARACTERS_MAX);
      });
    const status = await exited;
    signal?.throwIfAborted();
    return { status, stdout, stderr: stderr.trim() };
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

/** Runs statements, each in a transaction of its own. @returns what they print @throws TailraceError with what PostgreSQL said */
export async function runSql(
  address: DatabaseAddress,
  database: string | undefined,
  statements: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const args = [
    '-X',
    '-w',
    '-q',
    '-A',
    '-t',
    '-v',
    'ON_ERROR_STOP=1',
    ...statements.flatMap((sql) => ['-c', sql]),
  ];
  const { status, stdout, stderr } = await runPostgresTool('psql', args, address, { database, signal });
  if (status === 0) return stdout.trim();
  throw new TailraceError('unavailable', lastSentence(stderr, 'psql'));
}

/**
 * Writes all of a database into a file, in PostgreSQL's custom format.
 * @param onBytes called with how many more were written
 * @throws TailraceError `store_full`, `unavailable`; the file is a part of a dump then
 */
export async function dumpDatabase(
  address: DatabaseAddress,
  file: string,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  const output = [counter, createWriteStream(file, { mode: 0o600 })];
  const { status, stderr } = await runPostgresTool('pg_dump', ['-w', '--format=custom'], address, {
    output,
    signal,
  }).catch((error: unknown) => {
    throw fileError(error);
  });
  if (status !== 0) throw new TailraceError('unavailable', lastSentence(stderr, 'pg_dump'));
}

function lastSentence(stderr: string, program: string): string {
  return stderr.split('\n').slice(-3).join(' ') || `${program} was ended.`;
}

function connectionEnvironment(url: string, database: string | undefined): Record<string, string> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const sslMode = searchParams.get('sslmode');
  return {
    PGHOST: hostname,
    PGPORT: port || '5432',
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: database ?? decodeURIComponent(pathname.slice(1)),
    PGCONNECT_TIMEOUT: '10',
    ...(sslMode ? { PGSSLMODE: sslMode } : {}),
  };
}
