import { describe, expect, test } from 'vitest';
import {
  AppDeployment,
  type ReleaseFormation,
  type StuckRelease,
} from '../../../src/apps/host/app-deployment.ts';
import type { ReleaseSpec } from '../../../src/apps/host/release-spec.ts';
import type { DynoInfo, DynoState } from '../../../src/apps/processes/dyno.ts';
import { DynoPidFile } from '../../../src/apps/processes/pid-file.ts';
import { PortAllocator } from '../../../src/apps/processes/ports.ts';
import { dataFolderForTest } from '../../support/server.ts';

const portOf = (release: number, i = 0): number => 20_000 + 100 * release + i;

/** Dynos without processes: they are in the state that the test sets, and log what is done with them. */
class FakeFormation implements ReleaseFormation {
  readonly version: string;
  readonly log: string[];
  readonly wanted: Record<string, number>;
  /** How long its dynos take to end, or to be restarted. */
  ends: Promise<void> = Promise.resolve();
  webState: DynoState = 'starting';

  constructor(version: string, log: string[], counts: Readonly<Record<string, number>>) {
    this.version = version;
    this.log = log;
    this.wanted = { ...counts };
  }

  private async note(what: string): Promise<void> {
    this.log.push(`${what} ${this.version}`);
  }

  private async noteToEnd(what: string): Promise<void> {
    await this.note(what);
    await this.ends;
  }

  /** Why the files of its dynos can't be had. */
  static full: Error | undefined;
  prepare = async (): Promise<void> => {
    if (FakeFormation.full) throw FakeFormation.full;
  };
  start = (): Promise<void> => this.note('start');
  stop = (): Promise<void> => this.noteToEnd('stop');
  kill = (): Promise<void> => this.note('kill');
  restart = (which?: string): Promise<void> => this.noteToEnd(`restart ${which ?? 'all'} of`);
  stopDyno = (name: string): Promise<void> => this.noteToEnd(`stop ${name} of`);
  findDyno = (): undefined => undefined;
  leave = (): void => void this.note('leave');
  pause = (): void => void this.note('pause');
  resume = (): void => void this.note('resume');
  counts = (): Record<string, number> => ({ ...this.wanted });

  scale(type: string, quantity: number): Promise<void> {
    this.wanted[type] = quantity;
    return this.noteToEnd(`scale ${type}=${quantity} of`);
  }

  dynos(): DynoInfo[] {
    const createdAt = new Date(0);
    return Object.entries(this.wanted).flatMap(([type, quantity]) =>
      Array.from({ length: quantity }, (_, i) => ({
        id: `${this.version} ${type}.${i + 1}`,
        name: `${type}.${i + 1}`,
        type,
        command: type,
        state: this.webState,
        port: type === 'web' ? portOf(Number(this.version.slice(1)), i) : undefined,
        createdAt,
        updatedAt: createdAt,
      })),
    );
  }
}

function specOf(
  version: number,
  counts: Readonly<Record<string, number>> = { web: 1, worker: 1 },
): ReleaseSpec {
  const entries = ['web', 'worker'].map((type, i) => ({ type, command: type, line: i + 1 }));
  return { version, entries, counts, env: { VERSION: `v${version}` }, cwd: '/' };
}

/** @param overlap may the dynos of two releases run side by side? */
function deployment({ overlap, ...options }: { overlap: boolean; isLocal?: boolean }) {
  const log: string[] = [];
  const formations: FakeFormation[] = [];
  const changes: (() => void)[] = [];
  const stuck: StuckRelease[] = [];
  const drains: ((port: number) => Promise<void> | undefined)[] = [];
  let isAwaited: boolean | undefined;
  const app = new AppDeployment(
    {
      lines: { writeLine() {} },
      ports: new PortAllocator(),
      pidFile: new DynoPidFile(dataFolderForTest()),
      color: false,
      onChange() {},
      preboot: options.isLocal ? undefined : async () => overlap,
      onStuck: (release) => stuck.push(release),
      drainConnections: async (_port, awaited) => {
        isAwaited = awaited;
      },
    },
    ({ env, counts, onChange, drainConnections }) => {
      drains.push((port) => drainConnections?.(port));
      const made = new FakeFormation(env.VERSION ?? '', log, counts ?? {});
      formations.push(made);
      changes.push(() => onChange?.(made.dynos()[0]));
      return made;
    },
  );
  /** Sets the state of a release's web dynos, and reports that. */
  const setWeb = (release: number, state: DynoState): void => {
    formations[release - 1].webState = state;
    changes[release - 1]();
  };
  const serving = () => app.allDynos().map(({ id }) => id);
  /** Does somebody wait for the end of this release's first web dyno, should it leave service now? */
  const isDrainAwaited = (release: number): boolean | undefined => {
    void drains[release - 1](portOf(release));
    return isAwaited;
  };
  return { app, log, formations, setWeb, serving, stuck, isDrainAwaited };
}

test('what is wanted is what the current release says, while dynos of the one before go on since an earlier server', async () => {
  const { app } = deployment({ overlap: true });
  const current = specOf(2, { web: 1, worker: 2 });
  const before: ReleaseSpec = { ...specOf(1, { web: 1, worker: 0 }), successor: current };
  await app.apply(before);
  const wanted = (): unknown => app.processes().map(({ type, quantity }) => [type, quantity]);
  expect(wanted()).toEqual([
    ['web', 1],
    ['worker', 2],
  ]);
  expect(app.dynos().map(({ name }) => name)).toEqual(['web.1']);
  await app.apply(current);
  await app.scale(async () => ({ worker: 3 }));
  expect(wanted()).toEqual([
    ['web', 1],
    ['worker', 3],
  ]);
});

test('what is asked of an app right behind a release is asked of that one, though its dynos have not taken over yet', async () => {
  const { app } = deployment({ overlap: true });
  const wanted = (): unknown => app.processes().map(({ type, quantity }) => [type, quantity]);
  let mayBegin = (): void => {};
  const waits = new Promise<void>((resolve) => {
    mayBegin = resolve;
  });
  const laterSpec = (version: number, type: string): ReleaseSpec => {
    const { entries, ...spec } = specOf(version, { web: 1, worker: 1, [type]: 0 });
    const loadCounts = () => waits.then(() => spec.counts);
    return { ...spec, loadCounts, entries: [...entries, { type, command: type, line: 3 }] };
  };
  expect(app.releaseSpec).toBeUndefined();
  const first = app.apply(laterSpec(1, 'clock'));
  expect(app.releaseSpec?.version).toBe(1);
  // One begins, another waits for its turn.
  await Promise.resolve();
  const second = app.apply(laterSpec(2, 'slow'));
  expect(app.releaseSpec?.version).toBe(2);
  const names = [
    ['web', 1],
    ['worker', 1],
  ];
  expect(wanted()).toEqual([...names, ['slow', 0]]);
  const scaled = app.scale(async () => ({ slow: 1 }));
  expect(app.dynos()).toEqual([]);
  mayBegin();
  await Promise.all([first, scaled]);
  expect(wanted()).toEqual([...names, ['slow', 1]]);
  await second;
  expect(app.dynos().map(({ id }) => id)).toContain('v2 slow.1');
});

describe('a release that replaces another on a server', () => {
  async function replacing() {
    const all = deployment({ overlap: true });
    await all.app.apply(specOf(1));
    all.setWeb(1, 'up');
    all.log.length = 0;
    const done = all.app.apply(specOf(2));
    await expect.poll(() => all.log.length).toBe(2);
    return { ...all, done };
  }

  test('starts first, while the old web dynos serve and the old workers stop', async () => {
    const { app, log, serving, setWeb, done } = await replacing();
    expect(log).toEqual(['start v2', 'scale worker=0 of v1']);
    expect(serving()).toEqual(['v2 web.1', 'v2 worker.1', 'v1 web.1']);
    expect(app.webUpstreams().map(({ state }) => state)).toEqual(['starting', 'up']);
    expect(app.version).toBe(2);
    setWeb(2, 'up');
    await done;
  });

  test('takes over when its web dynos are up', async () => {
    const { log, serving, setWeb, done } = await replacing();
    setWeb(2, 'up');
    await done;
    expect(log.slice(2)).toEqual(['stop v1']);
    expect(serving()).toEqual(['v2 web.1', 'v2 worker.1']);
  });

  test('doesn’t take over while they crash, and is reported once', async () => {
    const { app, log, setWeb, stuck, done } = await replacing();
    setWeb(2, 'crashed');
    await expect.poll(() => stuck).toEqual([{ version: 2, servedBefore: 1, isServed: true }]);
    expect(app.webUpstreams().map(({ state }) => state)).toEqual(['crashed', 'up']);
    expect(log.slice(2)).toEqual([]);
    setWeb(2, 'starting');
    setWeb(2, 'up');
    await done;
    expect(log.slice(2)).toEqual(['stop v1']);
    expect(stuck.length).toBe(1);
  });

  test('takes over at once when the old one serves nothing', async () => {
    const { app, log, setWeb } = deployment({ overlap: true });
    await app.apply(specOf(1));
    setWeb(1, 'crashed');
    await app.apply(specOf(2));
    expect(log.slice(1)).toEqual(['start v2', 'scale worker=0 of v1', 'stop v1']);
  });

  test('takes the place of one that isn’t up yet: what serves goes on', async () => {
    const { app, log, serving, setWeb, done } = await replacing();
    const third = app.apply(specOf(3));
    await done;
    await expect.poll(() => log.length).toBe(5);
    expect(log.slice(2)).toEqual(['stop v2', 'start v3', 'scale worker=0 of v1']);
    expect(serving()).toEqual(['v3 web.1', 'v3 worker.1', 'v1 web.1']);
    setWeb(3, 'up');
    await third;
    expect(log.slice(5)).toEqual(['stop v1']);
  });

  test('doesn’t keep others from scaling and stopping', async () => {
    const { app, log, done } = await replacing();
    await app.scale(async () => ({ web: 2 }));
    await app.stopDyno('worker.1');
    expect(log.slice(2)).toEqual(['scale web=2 of v2', 'stop worker.1 of v2']);
    await app.scale(async () => ({ web: 0 }));
    await done;
    expect(log.slice(4)).toEqual(['scale web=0 of v2', 'stop v1']);
  });

  test('is given up when the server stops', async () => {
    const { app, log, setWeb, done } = await replacing();
    const stopped = app.stop();
    setWeb(2, 'starting');
    await Promise.all([done, stopped]);
    expect(log.slice(2)).toEqual(['stop v2', 'stop v1']);
    await app.apply(specOf(3));
    expect(log).not.toContain('start v3');
  });

  test('is paused as the old one is', async () => {
    const { app, log, setWeb } = deployment({ overlap: true });
    await app.apply(specOf(1));
    setWeb(1, 'crashed');
    app.setPaused(true);
    await app.apply(specOf(2));
    expect(log).toEqual(['start v1', 'pause v1', 'pause v2', 'start v2', 'scale worker=0 of v1', 'stop v1']);
  });
});

test('a release of a local app starts when the old one has stopped', async () => {
  const { app, log, setWeb, serving } = deployment({ overlap: false, isLocal: true });
  await app.apply(specOf(1));
  setWeb(1, 'up');
  await app.apply(specOf(2));
  expect(log).toEqual(['start v1', 'stop v1', 'start v2']);
  expect(serving()).toEqual(['v2 web.1', 'v2 worker.1']);
});

test('without memory for both the old one stops first, and is known to have served', async () => {
  const { app, log, setWeb, stuck } = deployment({ overlap: false });
  await app.apply(specOf(1));
  setWeb(1, 'up');
  const done = app.apply(specOf(2));
  await expect.poll(() => log).toEqual(['start v1', 'stop v1', 'start v2']);
  setWeb(2, 'crashed');
  await expect.poll(() => stuck).toEqual([{ version: 2, servedBefore: 1, isServed: false }]);
  const third = app.apply(specOf(3));
  await done;
  await expect.poll(() => log.slice(3)).toEqual(['stop v2', 'start v3']);
  await third;
});

describe('releases that come faster than dynos start', () => {
  async function whileBusy() {
    const all = deployment({ overlap: true });
    await all.app.apply(specOf(1));
    all.setWeb(1, 'crashed');
    all.log.length = 0;
    let goOn = (): void => {};
    all.formations[0].stopDyno = () => new Promise((resolve) => (goOn = resolve));
    const busy = all.app.stopDyno('worker.1');
    await expect.poll(() => all.log.length === 0).toBe(true);
    return { ...all, goOn: () => goOn(), busy };
  }

  test('take the place of those that wait: only the last one is started', async () => {
    const { app, log, goOn, busy } = await whileBusy();
    const all = [2, 3, 4].map((version) => app.apply(specOf(version)));
    goOn();
    await Promise.all([busy, ...all]);
    expect(log.filter((what) => what.startsWith('start'))).toEqual(['start v4']);
    expect(app.version).toBe(4);
  });

  test('aren’t undone by a restart that comes behind one that waits', async () => {
    const { app, log, goOn, busy } = await whileBusy();
    const all = [app.apply(specOf(2)), app.restart(undefined), app.restart(undefined)];
    goOn();
    await Promise.all([busy, ...all]);
    expect(log.filter((what) => what.startsWith('start'))).toEqual(['start v2']);
    expect(app.version).toBe(2);
  });
});

describe('a dyno that leaves service', () => {
  test('takes its time while others serve, or nobody is to', async () => {
    const { app, setWeb, isDrainAwaited } = deployment({ overlap: true });
    await app.apply(specOf(1));
    setWeb(1, 'up');
    const done = app.apply(specOf(2));
    await expect.poll(() => app.version).toBe(2);
    setWeb(2, 'up');
    await done;
    setWeb(1, 'down');
    expect(isDrainAwaited(1)).toBe(false);
    setWeb(2, 'down');
    expect(isDrainAwaited(2)).toBe(false);
  });

  test('hurries when requests wait for its successor, or the server for all', async () => {
    const { app, formations, setWeb, isDrainAwaited } = deployment({ overlap: false });
    await app.apply(specOf(1));
    setWeb(1, 'starting');
    expect(isDrainAwaited(1)).toBe(true);
    setWeb(1, 'up');
    let whileReplaced: boolean | undefined;
    formations[0].stop = async () => {
      formations[0].webState = 'down';
      whileReplaced = isDrainAwaited(1);
    };
    const done = app.apply(specOf(2));
    await expect.poll(() => whileReplaced).toBe(true);
    await expect.poll(() => formations.length).toBe(2);
    setWeb(2, 'up');
    await done;
    expect(isDrainAwaited(2)).toBe(false);
    await app.stop();
    expect(isDrainAwaited(2)).toBe(true);
  });
});

describe('a restart', () => {
  test('of everything is a rollout of the same release, with the dynos that are wanted now', async () => {
    const { app, log, formations, setWeb } = deployment({ overlap: true });
    await app.apply(specOf(1));
    await app.scale(async () => ({ worker: 3 }));
    setWeb(1, 'crashed');
    log.length = 0;
    await app.restart(undefined);
    expect(log).toEqual(['start v1', 'scale worker=0 of v1', 'stop v1']);
    expect(formations[1].wanted).toEqual({ web: 1, worker: 3 });
  });

  test('of everything stops nothing when there is no room for the new dynos', async () => {
    const { app, log, setWeb, serving } = deployment({ overlap: false });
    await app.apply(specOf(1));
    setWeb(1, 'up');
    FakeFormation.full = new Error('the disk is full');
    await expect(app.restart(undefined)).rejects.toThrow('the disk is full');
    FakeFormation.full = undefined;
    expect(log).toEqual(['start v1']);
    expect(serving()).toEqual(['v1 web.1', 'v1 worker.1']);
    // A release counts already, whether it can be started or not.
    const released = app.apply(specOf(2));
    await expect.poll(() => log).toEqual(['start v1', 'stop v1', 'start v2']);
    // The third that was made.
    setWeb(3, 'up');
    await released;
  });

  test('of one dyno, or of a local app, is left to the formation', async () => {
    const server = deployment({ overlap: true });
    await server.app.apply(specOf(1));
    await server.app.restart('web.1');
    expect(server.log).toEqual(['start v1', 'restart web.1 of v1']);
    const local = deployment({ overlap: false, isLocal: true });
    await local.app.apply(specOf(1));
    await local.app.restart(undefined);
    expect(local.log).toEqual(['start v1', 'restart all of v1']);
  });
});

test('a process type is stopped dyno by dyno', async () => {
  const { app, log } = deployment({ overlap: true });
  await app.apply(specOf(1, { web: 2, worker: 1 }));
  await app.stopDyno('web');
  await app.stopDyno('worker.1');
  expect(log.slice(1)).toEqual(['stop web.1 of v1', 'stop web.2 of v1', 'stop worker.1 of v1']);
});

test('a release that waited for a change has as many dynos as are wanted then', async () => {
  const { app, formations } = deployment({ overlap: true });
  await app.apply(specOf(1));
  let wanted = { web: 1, worker: 1 };
  const scaled = app.scale(async () => {
    wanted = { web: 1, worker: 4 };
    return { worker: 4 };
  });
  void app.apply({ ...specOf(2), loadCounts: async () => wanted });
  await scaled;
  await expect.poll(() => formations[1]?.wanted).toEqual(wanted);
});

test('a dyno that takes its time to end holds up no other change', async () => {
  const { app, log, formations, setWeb } = deployment({ overlap: true });
  await app.apply(specOf(1));
  formations[0].ends = new Promise(() => {});
  void app.stopDyno('worker.1');
  void app.restart('worker.1');
  void app.scale(async () => ({ worker: 0 }));
  setWeb(1, 'crashed');
  // The old ones, which serve nothing, end beside what comes next.
  void app.apply(specOf(2));
  await expect.poll(() => log).toContain('start v2');
  setWeb(2, 'up');
  await app.scale(async () => ({ web: 2 }));
  expect(log).toEqual([
    'start v1',
    'stop worker.1 of v1',
    'restart worker.1 of v1',
    'scale worker=0 of v1',
    'start v2',
    'scale worker=0 of v1',
    'stop v1',
    'scale web=2 of v2',
  ]);
});

test('an app that was never deployed has nothing to scale', async () => {
  const { app } = deployment({ overlap: true });
  await expect(app.scale(async () => ({ web: 1 }))).rejects.toMatchObject({ code: 'conflict' });
});
