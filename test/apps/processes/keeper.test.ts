/** The keeper of dynos, a real one, and what a server does when it is stopped, hangs, or is killed. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { KeeperClient } from '../../../src/apps/processes/keeper/keeper-client.ts';
import {
  keeperFolder,
  keeperIdentityFile,
  keeperSocket,
} from '../../../src/apps/processes/keeper/messages.ts';
import { pipeFiles } from '../../../src/apps/processes/output/pipes.ts';
import { signalGroup } from '../../../src/apps/processes/process-group.ts';
import { SILENT_LOG } from '../../../src/common/log.ts';
import { isProcessRunning } from '../../../src/common/processes/process-identity.ts';
import { until } from '../../support/until.ts';

const ID = 'one';

function newState(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-keeper-'));
  mkdirSync(keeperFolder(folder));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** @param patienceMs for one that hangs: on a busy machine one that is well may take longer than that */
function client(stateFolder: string, patienceMs?: number): KeeperClient {
  const keeper = new KeeperClient({ stateFolder, waitMs: 10_000, log: SILENT_LOG, patienceMs });
  onTestFinished(async () => {
    keeper.endWithServer();
    await keeper.close();
  });
  return keeper;
}

/** Starts a process whose pipes nobody reads: its server is gone. */
async function startProcess(keeper: KeeperClient, env: Record<string, string> = {}): Promise<number> {
  const folder = keeper.folderOf(ID);
  mkdirSync(folder);
  const { outputs, input } = pipeFiles(folder);
  execFileSync('mkfifo', [...outputs, input]);
  const request = { program: '/bin/sh', args: ['-c', 'exec sleep 60'], cwd: '/', hasInput: true };
  const pid = await keeper.startProcess({
    ...request,
    id: ID,
    env: { PATH: process.env.PATH, ...env },
    note: 'note',
  });
  onTestFinished(() => void signalGroup(pid, 'SIGKILL'));
  return pid;
}

const keeperPid = (state: string): number =>
  JSON.parse(readFileSync(keeperIdentityFile(keeperFolder(state)), 'utf8')).pid;

it('starts what it was asked to, also when the server that has made the pipes is gone by then', async () => {
  const state = newState();
  const keeper = client(state);
  expect(await keeper.ready()).toBe(true);
  const pid = await startProcess(keeper);
  expect(isProcessRunning(pid)).toBe(true);
  expect(await client(state).takeOver()).toEqual([expect.objectContaining({ id: ID, pid, note: 'note' })]);
});

it('is woken when somebody has stopped it', async () => {
  const state = newState();
  const keeper = client(state);
  await keeper.ready();
  const pid = await startProcess(keeper);
  process.kill(keeperPid(state), 'SIGSTOP');
  expect(await client(state, 1_000).takeOver()).toEqual([expect.objectContaining({ id: ID, pid })]);
});

it('is killed when it hangs, and its processes end and can be started again', async () => {
  const state = newState();
  const keeper = client(state);
  await keeper.ready();
  const first = keeperPid(state);
  const pid = await startProcess(keeper);
  const exited = keeper.exitOf({ id: ID, pid });
  // However often it is woken, it gets no time to answer.
  const stopper = spawn('sh', ['-c', `while kill -STOP ${first} 2>/dev/null; do :; done`]);
  onTestFinished(() => void stopper.kill('SIGKILL'));
  await client(state, 50).takeOver();
  expect(await exited).toBe(137);
  await until('both to end', () => !isProcessRunning(first) && !isProcessRunning(pid));
  expect(await keeper.ready()).toBe(true);
  expect(keeperPid(state)).not.toBe(first);
  expect(await client(state).takeOver()).toEqual([]);
});

it('that is about to end has nothing for the next server', async () => {
  const state = newState();
  const ending = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => ending.listen(keeperSocket(keeperFolder(state)), resolve));
  onTestFinished(() => void ending.close());
  expect(await client(state).takeOver()).toEqual([]);
});
