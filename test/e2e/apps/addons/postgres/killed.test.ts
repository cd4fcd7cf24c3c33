/** PostgreSQL is killed twenty times while clients write: what they were told is committed is there. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { missing, Program, runProgram } from '../../../../support/program.ts';
import { dataFolderForTest, startServerForTest } from '../../../../support/server.ts';
import { until } from '../../../../support/until.ts';

/** Debian's, which has psycopg2. */
const PYTHON = '/usr/bin/python3';
const noDriver = !process.env.CI && spawnSync(PYTHON, ['-c', 'import psycopg2']).status !== 0;
const WRITER = `
import sys, time, psycopg2
url, writer = sys.argv[1], int(sys.argv[2])
n = 0
while True:
    try:
        connection = psycopg2.connect(url, connect_timeout=3)
        with connection.cursor() as cursor:
            cursor.execute('SELECT pg_backend_pid()')
            print('backend', cursor.fetchone()[0], flush=True)
            while True:
                n += 1
                cursor.execute('INSERT INTO written VALUES (%s, %s)', (writer, n))
                connection.commit()
                print('told', n, flush=True)
    except psycopg2.Error:
        time.sleep(0.02)
`;
const CHECK = `
import sys, psycopg2
connection = psycopg2.connect(sys.argv[1])
cursor = connection.cursor()
cursor.execute('SELECT writer, n FROM written')
for row in cursor: print(*row)
`;
const KILLS = 20;

it.skipIf(missing('pg_ctlcluster') || noDriver)(
  'twenty times kill -9, of its first process and of others: everything that was committed is there',
  { timeout: 240_000 },
  async () => {
    const data = dataFolderForTest();
    const server = await startServerForTest({ data });
    await server.createApp('shop');
    const { id } = await server.request<{ id: string }>('POST', '/apps/shop/addons', { plan: 'postgresql' });
    const { DATABASE_URL: url } = await server.request<{ DATABASE_URL: string }>(
      'GET',
      '/apps/shop/config-vars',
    );
    const table = 'CREATE TABLE written (writer int, n int)';
    await runProgram('psql', ['-X', url, '-c', table]);
    const writers = [0, 1, 2].map((writer) => new Program(PYTHON, ['-c', WRITER, url, String(writer)]));
    onTestFinished(async () => {
      for (const writer of writers) await writer.stop('SIGKILL');
    });
    const told = (writer: Program): string[] => writer.stdout.match(/(?<=^told )\d+$/gm) ?? [];
    const backends = (writer: Program): string[] => writer.stdout.match(/(?<=^backend )\d+$/gm) ?? [];
    const connections: number[] = writers.map(() => 0);
    const lockFile = join(data, 'host', 'addons', id, 'data', 'postmaster.pid');

    for (let kill = 0; kill < KILLS; kill++) {
      // By new connections: processes of those before may outlive their first process for some statements.
      await until(`writers connect after ${kill} kills`, () =>
        writers.every((writer, i) => backends(writer).length > connections[i] || ended(writer)),
      );
      const before = writers.map((writer) => told(writer).length);
      await until(`writers go on after ${kill} kills`, () =>
        writers.every((writer, i) => told(writer).length > before[i] + 5 || ended(writer)),
      );
      for (const [i, writer] of writers.entries()) connections[i] = backends(writer).length;
      const pid =
        kill % 2 === 0
          ? Number(readFileSync(lockFile, 'utf8').split('\n')[0])
          : Number(backends(writers[kill % 3]).at(-1));
      process.kill(pid, 'SIGKILL');
    }
    for (const writer of writers) await writer.stop('SIGKILL');
    const { stdout } = await until('what is there', async () => {
      const check = await runProgram(PYTHON, ['-c', CHECK, url]);
      return check.status === 0 && check;
    });
    const there = new Set(stdout.split('\n'));
    for (const [i, writer] of writers.entries()) {
      const committed = told(writer);
      expect(committed.length).toBeGreaterThan(KILLS * 5);
      expect(committed.filter((n) => !there.has(`${i} ${n}`))).toEqual([]);
    }
    // Each of the kills was one.
    const lines = (await server.readLines({ id: '', name: 'shop', token: '' })).join('\n');
    expect(lines.match(/database system was interrupted/g)?.length).toBeGreaterThanOrEqual(KILLS / 2);
    expect(lines.match(/was terminated by signal 9: Killed/g)?.length).toBe(KILLS / 2);
  },
);

function ended(writer: Program): boolean {
  if (!writer.hasExited) return false;
  throw new Error(`a writer has ended: ${writer.stderr}`);
}
