import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { RunnerActiveError, reapOrphans } from '../../../src/apps/processes/orphans.ts';
import { readPidFile, writePidFile } from '../../../src/apps/processes/pid-file.ts';
import { processStat } from '../../../src/common/processes/process-identity.ts';
import { isAlive } from '../forwarder/recording-sink.ts';

const children: ChildProcess[] = [];
const DEAD_RUNNER = { pid: 4_194_303, startTicks: '1' };

/** A group of two, as a crashed runner would leave it behind. Resolves when the second one has said its pid. */
async function leftBehind(command: string, env: NodeJS.ProcessEnv = process.env) {
  const child = spawn('sh', ['-c', command], { detached: true, stdio: ['ignore', 'pipe', 'inherit'], env });
  children.push(child);
  const [chunk] = await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  return { child, pid, second: Number(String(chunk)), startTicks: processStat(pid)?.startTicks ?? '' };
}

const folder = () => mkdtemp(join(tmpdir(), 'orphans-'));

afterEach(() => {
  for (const { pid } of children.splice(0)) {
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // gone, as it should be
    }
  }
});

test('the groups that a crashed server has orphaned are ended', async () => {
  const stateFolder = await folder();
  const { pid, second, startTicks } = await leftBehind('sleep 1000 & echo $!; wait');
  writePidFile(stateFolder, { runner: DEAD_RUNNER, dynos: [{ pid, startTicks, id: 'x', name: 'web.1' }] });
  expect(await reapOrphans(stateFolder)).toEqual([{ name: 'web.1', pid }]);
  expect([isAlive(pid), isAlive(second)]).toEqual([false, false]);
  expect(readPidFile(stateFolder)?.dynos).toEqual([]);
  expect(await reapOrphans(stateFolder)).toEqual([]);
});

test('an orphan that ignores SIGTERM is killed', async () => {
  const stateFolder = await folder();
  const { pid, startTicks } = await leftBehind("trap '' TERM; echo 0; while :; do sleep 0.02; done");
  writePidFile(stateFolder, { runner: DEAD_RUNNER, dynos: [{ pid, startTicks, id: 'x', name: 'web.1' }] });
  await reapOrphans(stateFolder, 50);
  expect(isAlive(pid)).toBe(false);
});

test('a process with a reused pid is never killed', async () => {
  const stateFolder = await folder();
  const { pid } = await leftBehind('echo 0; exec sleep 1000');
  writePidFile(stateFolder, {
    runner: DEAD_RUNNER,
    dynos: [{ pid, startTicks: '1', id: 'x', name: 'web.1' }],
  });
  expect(await reapOrphans(stateFolder)).toEqual([]);
  expect(isAlive(pid)).toBe(true);
});

test('members of a group without its leader are known by the id in their environment', async () => {
  const stateFolder = await folder();
  const env = { ...process.env, HEROKU_DYNO_ID: 'the-id' };
  const ours = await leftBehind('sleep 1000 & echo $!', env);
  const foreign = await leftBehind('sleep 1000 & echo $!');
  const entry = { startTicks: '1', id: 'the-id', name: 'web.1' };
  for (const { child } of [ours, foreign]) if (child.exitCode === null) await once(child, 'exit');
  const dynos = [ours, foreign].map(({ pid }) => ({ ...entry, pid }));
  writePidFile(stateFolder, { runner: DEAD_RUNNER, dynos });
  expect(await reapOrphans(stateFolder)).toEqual([{ name: 'web.1', pid: ours.pid }]);
  expect([isAlive(ours.second), isAlive(foreign.second)]).toEqual([false, true]);
});

test('a server that is alive keeps its dynos', async () => {
  const stateFolder = await folder();
  const { pid, startTicks } = await leftBehind('echo 0; exec sleep 1000');
  const dynos = [{ pid, startTicks, id: 'x', name: 'web.1' }];
  writePidFile(stateFolder, { runner: { pid, startTicks }, dynos });
  await expect(reapOrphans(stateFolder)).rejects.toThrow(RunnerActiveError);
  expect(isAlive(pid)).toBe(true);
});

test.each([
  '',
  'null',
  '{"runner":{"pid":1,"startTicks":"1"},"dynos":[]}',
  '{"runner":{"pid":9,"startTicks":"1"},"dynos":7}',
  '{"runner":{"pid":4194303,"startTicks":"1"},"dynos":[{"pid":-1},{"pid":0,"startTicks":"","id":"","name":""},null]}',
])('a broken list (%j) reaps nothing', async (text) => {
  const stateFolder = await folder();
  await writeFile(join(stateFolder, 'dynos.json'), text);
  expect(await reapOrphans(stateFolder)).toEqual([]);
});

test('without a PID file there is nothing to do', async () => {
  expect(await reapOrphans('/no/such/folder')).toEqual([]);
});
