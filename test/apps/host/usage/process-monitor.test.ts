/** Dynos that start more and more. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ProcessMonitor } from '../../../../src/apps/host/usage/process-monitor.ts';
import { Dyno } from '../../../../src/apps/processes/dyno.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { until } from '../../../support/until.ts';
import { RecordingSink } from '../../forwarder/recording-sink.ts';

const APP = 'app-1' as AppId;
const folder = mkdtempSync(join(tmpdir(), 'tailrace-processes-'));
let store: EmbeddedStore;
let monitor: ProcessMonitor;
let lines: RecordingSink;
const dynos: Dyno[] = [];

beforeAll(() => {
  const retention = { lines: 1_000, bytes: 1_000_000, ageMs: 3_600_000 };
  store = new EmbeddedStore({ folder, retention, durability: 'process' });
  lines = new RecordingSink();
  monitor = new ProcessMonitor({
    store,
    max: 40,
    dynos: () => new Map([[APP, dynos.map((dyno) => dyno.info())]]),
    lines: () => lines,
    log: SILENT_LOG,
  });
});
afterEach(async () => {
  await Promise.all(dynos.splice(0).map((dyno) => dyno.kill()));
});
afterAll(async () => {
  monitor.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function start(name: string, command: string, size?: string): Dyno {
  const id = randomUUID();
  const env = { PATH: process.env.PATH, HEROKU_DYNO_ID: id };
  const dyno = new Dyno({
    name: `${name}.1`,
    type: name,
    command,
    cwd: '/',
    env,
    id,
    size,
    killDaemonized: true,
    lines,
  });
  dynos.push(dyno);
  dyno.start();
  return dyno;
}

/** Processes with these words in their command lines. */
const countOf = (words: string) =>
  execFileSync('ps', ['-eo', 'stat,args'])
    .toString()
    .split('\n')
    .filter((line) => !line.startsWith('Z') && line.includes(words)).length;

const many = (command: string, count = 80) =>
  `i=0; while [ $i -lt ${count} ]; do ${command} & i=$((i+1)); done; wait`;

it.each<[string, (seconds: string) => string]>([
  ['in its group', (seconds) => many(`sleep ${seconds}`)],
  ['outside of its group', (seconds) => many(`setsid sleep ${seconds}`)],
  ['that fork without end', (seconds) => `f() { sleep ${seconds} & sleep 0.1; f & f; }; f`],
  [
    'or threads',
    (seconds) =>
      `UV_THREADPOOL_SIZE=80 node -e "fs.stat('/', () => {}); setTimeout(() => {}, 6e5)" 'sleep ${seconds}'`,
  ],
])('one with too many processes is ended: %s', { timeout: 120_000 }, async (_name, command) => {
  const seconds = `600.${Math.trunc(Math.random() * 1e9)}`;
  const from = lines.lines.length;
  const quiet = start('quiet', many('sleep 600', 20));
  const dyno = start('worker', command(seconds));
  expect(await dyno.exited).toEqual({ status: 137, reason: 'crashed' });
  await until('none is left', () => countOf(`sleep ${seconds}`) === 0);
  const said = lines.lines.slice(from).filter((line) => line.dyno === 'worker.1');
  expect(said.map(({ text }) => text)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(
        /^Process running (4[1-9]|[5-9]\d|\d{3,}|\d,\d{3}) processes and threads, of at most 40: /,
      ),
      'Stopping process with SIGKILL',
      'Process exited with status 137',
    ]),
  );
  expect(quiet.info().state).toBe('up');
});

it('one of a larger size may have as many times more as it has memory', async () => {
  const large = start('large', many('sleep 600', 70), 'Standard-2X');
  const small = start('small', many('sleep 600', 70));
  expect(await small.exited).toEqual({ status: 137, reason: 'crashed' });
  expect(large.info().state).toBe('up');
  await large.kill();
  expect(lines.texts('heroku').filter((text) => text.includes('of at most 80'))).toEqual([]);
});
