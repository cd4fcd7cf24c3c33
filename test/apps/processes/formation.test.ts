import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { FormationError } from '../../../src/apps/processes/config/formation-counts.ts';
import { parseProcfile } from '../../../src/apps/processes/config/procfile.ts';
import type { DynoInfo } from '../../../src/apps/processes/dyno.ts';
import { Formation, type FormationOptions } from '../../../src/apps/processes/formation.ts';
import { isAlive, RecordingSink } from '../forwarder/recording-sink.ts';

const formations: Formation[] = [];
const WAITS = 'echo here PORT=$PORT DYNO=$DYNO PS=$PS COLOR=$FORCE_COLOR; exec sleep 1000';
/** Below all ports that servers give out themselves. */
let basePort = 6_500;

function form(procfile: string, options: Partial<FormationOptions> = {}) {
  const lines = new RecordingSink();
  const changes: DynoInfo[] = [];
  basePort += 300;
  const formation = new Formation({
    entries: parseProcfile(procfile),
    env: { PATH: process.env.PATH },
    cwd: tmpdir(),
    lines,
    basePort,
    onChange: (dyno) => changes.push(dyno),
    ...options,
  });
  formations.push(formation);
  return { formation, lines, changes };
}

const names = (formation: Formation) => formation.dynos().map((dyno) => dyno.name);
const pids = (formation: Formation) => formation.dynos().map((dyno) => dyno.pid ?? 0);

afterEach(async () => {
  await Promise.all(formations.splice(0).map((formation) => formation.kill()));
});

test('one dyno of each type runs, and each knows its name and port', async () => {
  const { formation, lines } = form(`web: ${WAITS}\nworker: ${WAITS}\nrelease: exit 1`, {
    counts: { web: 2 },
  });
  await formation.start();
  expect(names(formation)).toEqual(['web.1', 'web.2', 'worker.1']);
  for (const { name, port } of formation.dynos()) {
    const line = await lines.waitForLine('here', 1, name);
    expect(line.text).toBe(`here PORT=${port} DYNO=${name} PS=${name} COLOR=`);
  }
  expect(formation.dynos().map((dyno) => dyno.port)).toEqual([basePort, basePort + 1, basePort + 100]);
  expect(formation.counts()).toEqual({ web: 2, worker: 1, release: 0 });
  expect(new Set(formation.dynos().map((dyno) => dyno.id)).size).toBe(3);
});

test('color is asked for if wanted', async () => {
  const { formation, lines } = form(`worker: ${WAITS}`, { color: true });
  await formation.start();
  expect((await lines.waitForLine('here')).text).toContain('COLOR=1');
});

test('stop ends all dynos together, gracefully, and they stay down', async () => {
  const { formation, lines, changes } = form(`worker: ${WAITS}`, { counts: { worker: 3 } });
  await formation.start();
  await lines.waitForLine('here', 3);
  const running = pids(formation);
  await formation.stop();
  expect(running.map(isAlive)).toEqual([false, false, false]);
  expect(formation.dynos().map((dyno) => dyno.state)).toEqual(['down', 'down', 'down']);
  expect(lines.texts('heroku', 'worker.2').slice(2)).toEqual([
    'State changed from up to down',
    'Stopping all processes with SIGTERM',
    'Process exited with status 143',
  ]);
  expect(changes.at(-1)).toMatchObject({ state: 'down', pid: undefined });
  await expect(formation.restart()).rejects.toThrow(FormationError);
});

test('any exit is a crash; the dyno comes back at once, then after growing pauses', async () => {
  const counts: number[] = [];
  const restartDelayMs = (crashCount: number) => {
    counts.push(crashCount);
    return crashCount < 4 ? 0 : 1e6;
  };
  const { formation, lines } = form('worker: exit 0', { restartDelayMs });
  await formation.start();
  await lines.waitForLine('State changed from up to crashed', 4);
  const once = [
    'Starting process with command `exit 0`',
    'State changed from starting to up',
    'Process exited with status 0',
    'State changed from up to crashed',
    'State changed from crashed to starting',
  ];
  expect(lines.texts('heroku')).toEqual([...once, ...once, ...once, ...once.slice(0, 4)]);
  expect(formation.dynos()[0]).toMatchObject({ state: 'crashed', pid: undefined });
  // A million milliseconds are not waited for: neither by a restart, after which counting starts anew, …
  await formation.restart('worker.1');
  await lines.waitForLine('State changed from up to crashed', 8);
  expect(counts).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
  // … nor by a stop.
  await formation.stop();
  expect(lines.texts('heroku').at(-1)).toBe('State changed from crashed to down');
});

test('a restart is logged in the words of Heroku, and gives a new process with the same name and port', async () => {
  const { formation, lines } = form(`worker: ${WAITS}\nclock: ${WAITS}`);
  await formation.start();
  await lines.waitForLine('here', 2);
  const before = formation.dynos();
  await formation.restart('worker');
  await lines.waitForLine('here', 2, 'worker.1');
  const after = formation.dynos();
  expect(after[0]).toMatchObject({ name: 'worker.1', state: 'up', port: before[0].port });
  expect(after[0].pid).not.toBe(before[0].pid);
  expect(after[0].id).not.toBe(before[0].id);
  expect(after[1]).toEqual(before[1]);
  expect(lines.texts('heroku', 'worker').slice(2)).toEqual([
    'Restarting',
    'State changed from up to starting',
    'Stopping all processes with SIGTERM',
    'Process exited with status 143',
    `Starting process with command \`${WAITS}\``,
    'State changed from starting to up',
  ]);
});

test('a stop during a restart wins', async () => {
  const { formation, lines } = form(`worker: ${WAITS}`);
  await formation.start();
  await lines.waitForLine('here');
  const restarted = formation.restart();
  await formation.stop();
  await restarted;
  expect(formation.dynos()[0]).toMatchObject({ state: 'down', pid: undefined });
  expect(lines.texts('heroku').at(-1)).toBe('Process exited with status 143');
});

test('scaling starts and stops dynos, the highest numbers first', async () => {
  const { formation, lines } = form(`worker: ${WAITS}`);
  await formation.start();
  await formation.scale('worker', 3);
  await lines.waitForLine('here', 3);
  expect(names(formation)).toEqual(['worker.1', 'worker.2', 'worker.3']);
  const [first, second, third] = pids(formation);
  await formation.scale('worker', 1);
  expect(names(formation)).toEqual(['worker.1']);
  expect([first, second, third].map(isAlive)).toEqual([true, false, false]);
  await formation.scale('worker', 0);
  expect(names(formation)).toEqual([]);
  await formation.scale('worker', 1);
  expect(formation.dynos()[0]).toMatchObject({ name: 'worker.1', state: 'up' });
});

test('one dyno can be stopped alone, and started again', async () => {
  const { formation, lines } = form(`worker: ${WAITS}`, { counts: { worker: 2 } });
  await formation.start();
  await lines.waitForLine('here', 2);
  await formation.stopDyno('worker.2');
  expect(formation.dynos().map((dyno) => dyno.state)).toEqual(['up', 'down']);
  await formation.restart('worker.2');
  expect(formation.dynos().map((dyno) => dyno.state)).toEqual(['up', 'up']);
  expect(lines.texts('heroku', 'worker.2')).toContain('State changed from down to starting');
});

test('a dyno that is started again while it still ends is starting: requests wait for the next one', async () => {
  const stubborn = `trap '' TERM; ${WAITS.replace('exec sleep', 'sleep')} & wait; wait`;
  const { formation, lines } = form(`worker: ${stubborn}`);
  await formation.start();
  await lines.waitForLine('here');
  const [pid] = pids(formation);
  const stopped = formation.stopDyno('worker.1');
  expect(formation.dynos()[0].state).toBe('down');
  const restarted = formation.restart('worker.1');
  expect(formation.dynos()[0]).toMatchObject({ state: 'starting', pid });
  process.kill(-pid, 'SIGKILL');
  await Promise.all([stopped, restarted]);
  expect(formation.dynos()[0].state).toBe('up');
  expect(pids(formation)).not.toContain(pid);
});

test('impossible requests are refused with a sentence', async () => {
  const { formation } = form(`worker: ${WAITS}`);
  await formation.start();
  await expect(formation.scale('web', 1)).rejects.toThrow('no process type "web"; the Procfile has worker');
  await expect(formation.scale('worker', 101)).rejects.toThrow('from 0 to 100');
  await expect(formation.restart('web.7')).rejects.toThrow('no dyno "web.7"; there are: worker.1');
  await expect(formation.stopDyno('web.7')).rejects.toThrow(FormationError);
  expect(() => form('web: x', { counts: { wob: 1 } })).toThrow(FormationError);
});

test('without room for the files of a dyno nothing is stopped for it, and nothing waits for it', async () => {
  let isFull = false;
  let slow = Promise.resolve();
  const workspaces = new Set<string>();
  const createWorkspace = async (id: string) => {
    await slow;
    if (isFull) throw new Error('the disk is full');
    workspaces.add(id);
    return { folder: tmpdir(), env: {}, remove: async () => void workspaces.delete(id) };
  };
  const { formation, lines } = form(`worker: ${WAITS}\nclock: ${WAITS}`, {
    createWorkspace,
    counts: { clock: 0 },
    restartDelayMs: () => 20,
  });
  await formation.start();
  const before = pids(formation);
  isFull = true;
  await expect(formation.restart('worker')).rejects.toThrow('the disk is full');
  expect(pids(formation)).toEqual(before);
  expect(lines.texts('heroku', 'worker.1').at(-1)).toBe(
    "Not restarted, since another dyno can't be prepared: the disk is full",
  );
  await formation.scale('clock', 1);
  expect(formation.dynos()[1].state).toBe('crashed');
  isFull = false;
  await lines.waitForLine('here', 1, 'clock.1');
  await formation.restart('worker');
  expect(pids(formation)[0]).not.toBe(before[0]);
  expect(workspaces.size).toBe(2);
  // A stop that comes while they are made wins.
  let goOn = (): void => {};
  slow = new Promise((resolve) => {
    goOn = resolve;
  });
  const restarting = formation.restart('worker');
  await formation.stopDyno('worker.1');
  goOn();
  await restarting;
  expect(formation.dynos()[0].state).toBe('down');
  expect(workspaces.size).toBe(1);
});

test('back-pressure pauses all dynos, also those that start later', async () => {
  const { formation, lines } = form('worker: echo $DYNO; exec sleep 1000');
  formation.pause();
  await formation.start();
  await formation.scale('worker', 2);
  // Lines of the platform still come; those of a paused dyno wait in its pipe until it is let go.
  expect(lines.texts('heroku').length).toBe(4);
  expect(lines.texts('app')).toEqual([]);
  formation.resume();
  await lines.waitForLine('worker.2');
  await lines.waitForLine('worker.1');
});

test('a dyno is in the PID file while it runs', async () => {
  const stateFolder = join(await mkdtemp(join(tmpdir(), 'formation-')), 'state');
  const { formation } = form(`worker: ${WAITS}`, { stateFolder, counts: { worker: 2 } });
  const read = async () => JSON.parse(await readFile(join(stateFolder, 'dynos.json'), 'utf8'));
  await formation.start();
  const written = await read();
  expect(written.runner.pid).toBe(process.pid);
  // Dynos are launched side by side: which of them is written down first is left open.
  expect(new Set(written.dynos.map((dyno: { pid: number }) => dyno.pid))).toEqual(new Set(pids(formation)));
  await formation.stop();
  expect((await read()).dynos).toEqual([]);
});
