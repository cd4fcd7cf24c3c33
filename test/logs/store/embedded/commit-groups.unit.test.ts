/** Many batches of one turn of the event loop: they go into the commit log some hundreds at a time, and none is lost or told too early. */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppendWaiter, AppId } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { copyAsKilled } from '../../../support/killed-store.ts';
import { until } from '../../../support/until.ts';
import { readAll } from '../conformance/streams.ts';

const APPS = 20;
/** More than twice what is written together. */
const ROUNDS = 30;

/** A write that takes long has others wait for another thread. */
const AT_ONCE_OR_SLOW = [512, 256];

let root: string;
let apps: AppId[];
let stores: EmbeddedStore[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'tailrace-groups-'));
  apps = Array.from({ length: APPS }, newAppId);
  stores = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  rmSync(root, { recursive: true, force: true });
});

/** Each app has a segment. */
async function openFilled(durability: 'process' | 'disk', commitFileBytes?: number): Promise<EmbeddedStore> {
  const store = open('data', durability, commitFileBytes);
  for (const app of apps) await store.append(app, batchOf('first'));
  return store;
}

function open(
  name: string,
  durability: 'process' | 'disk' = 'process',
  commitFileBytes?: number,
): EmbeddedStore {
  const retention = { lines: 1e9, bytes: 1e9, ageMs: 1e9 };
  const store = new EmbeddedStore({ folder: join(root, name), retention, durability, commitFileBytes });
  stores.push(store);
  return store;
}

async function close(store: EmbeddedStore): Promise<void> {
  stores = stores.filter((other) => other !== store);
  await store.close();
}

/** Opens what a killed process would leave now. */
function openAsKilled(): EmbeddedStore {
  copyAsKilled(join(root, 'data'), join(root, 'killed'));
  return open('killed');
}

/** Of an app, or of all. */
function segmentBytes(app = ''): number {
  const files = readdirSync(join(root, 'data', 'streams', app), { recursive: true, withFileTypes: true });
  return files.reduce((sum, one) => sum + statSync(join(one.parentPath, one.name)).size * +one.isFile(), 0);
}

function commitFiles(name = 'data'): string[] {
  const commits = join(root, name, 'commits');
  return existsSync(commits) ? readdirSync(commits) : [];
}

const linesIn = async (store: EmbeddedStore, app: AppId): Promise<string[]> =>
  linesOf(await readAll(store, app));

/** Appends lines of all apps, one after the other, in this turn. */
function appendAlternating(store: EmbeddedStore, onAppend = (): void => {}, isAwaited = false, padding = '') {
  const stored = new Map<AppId, string[]>(apps.map((app) => [app, ['first']]));
  const told = { stored, appended: 0, refused: 0 };
  for (let round = 0; round < ROUNDS; round++)
    for (const app of apps) {
      const text = `line ${round}${padding}`;
      const waiter: AppendWaiter = {
        isAwaited,
        onAppended: () => {
          told.appended++;
          stored.get(app)?.push(text);
        },
        onAppendFailed: () => told.refused++,
      };
      onAppend();
      store.appenderFor(app).append(batchOf(text), waiter);
    }
  return told;
}

it('are acknowledged some hundreds at a time, each when a start finds it', async () => {
  const store = await openFilled('process');
  const told = appendAlternating(store);
  // The turn isn't over, and the rest is neither written nor acknowledged.
  expect(told.appended).toBeOneOf(AT_ONCE_OR_SLOW);
  const acknowledged = structuredClone(told.stored);
  const killed = openAsKilled();
  for (const app of apps) expect(await linesIn(killed, app)).toEqual(acknowledged.get(app));
  await until('all to be told', () => told.appended === APPS * ROUNDS);
  for (const app of apps) expect(await linesIn(store, app)).toEqual(told.stored.get(app));
});

it('are acknowledged behind the turn when senders wait: lines of their requests may follow', async () => {
  const store = await openFilled('process');
  const told = appendAlternating(store, undefined, true);
  expect(told.appended).toBe(0);
  await until('all to be told', () => told.appended === APPS * ROUNDS);
});

it('are acknowledged behind the sync with durability disk', async () => {
  const store = await openFilled('disk');
  const told = appendAlternating(store);
  expect(told.appended).toBe(0);
  await until('all to be told', () => told.appended === APPS * ROUNDS);
  for (const app of apps) expect(await linesIn(store, app)).toEqual(told.stored.get(app));
});

it('are refused from the first on that can not be written, and what comes behind has its numbers', async () => {
  const store = await openFilled('process');
  let calls = 0;
  const told = appendAlternating(store, () => {
    // Behind the first write, in front of the second.
    if (++calls !== 300) return;
    const commits = join(root, 'data', 'commits');
    for (const name of readdirSync(commits)) rmSync(join(commits, name));
  });
  await until('all to be told', () => told.appended + told.refused === APPS * ROUNDS);
  expect(APPS * ROUNDS - told.refused).toBeOneOf([256, 344]);
  for (const app of apps) {
    const lines = told.stored.get(app)!;
    expect(await linesIn(store, app)).toEqual(lines);
    expect(await store.append(app, batchOf('next'))).toMatchObject({ first: lines.length + 1 });
  }
});

it('are in the log as well when files of it are full before the turn is over, and are read there', async () => {
  // A file is full with each group.
  const store = await openFilled('process', 200_000);
  const before = segmentBytes();
  const told = appendAlternating(store, undefined, false, ` ${'x'.repeat(1_500)}`);
  await until('all to be told', () => told.appended === APPS * ROUNDS);
  expect(segmentBytes()).toBe(before);
  expect(readdirSync(join(root, 'data', 'commits')).length).toBeGreaterThanOrEqual(2);
  for (const app of apps) expect(await linesIn(store, app)).toEqual(told.stored.get(app));
  const killed = openAsKilled();
  for (const app of apps) expect(await linesIn(killed, app)).toEqual(told.stored.get(app));
  stores = stores.filter((other) => other !== store);
  await store.close();
  const again = open('data');
  for (const app of apps) expect(await linesIn(again, app)).toEqual(told.stored.get(app));
  expect(segmentBytes()).toBeGreaterThan(before + APPS * ROUNDS * 1_500);
});

/** Appends rounds of a line of each app until `isDone` says so; returns what each app has. */
async function appendRounds(store: EmbeddedStore, padding: string, isDone: () => boolean): Promise<string[]> {
  const texts = ['first'];
  while (!isDone()) {
    texts.push(`round ${texts.length} ${padding}`);
    await Promise.all(apps.map((app) => store.append(app, batchOf(texts.at(-1)!))));
    // Full files leave memory in turns of their own.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return texts;
}

// What is spilled is twice on the disk: there is half as much of an app when that is as much as it may be.
describe.each([
  ['read in the log', 'x'.repeat(1_500), 50_000],
  ['spilled', 'x'.repeat(300), 25_000],
])('full files, %s,', (_, padding, enough) => {
  it('stay while their apps have little, and an app that has enough goes to its segment', async () => {
    const store = await openFilled('process', 30_000);
    const before = apps.map((app) => segmentBytes(app));
    let most = 0;
    const texts = await appendRounds(store, padding, () => {
      const isDone = apps.every((app, i) => segmentBytes(app) > before[i]);
      if (!isDone) most = Math.max(most, commitFiles().length);
      return isDone;
    });
    expect(most).toBeGreaterThan(16);
    await until('each to be there with what was enough', () =>
      apps.every((app, i) => segmentBytes(app) > before[i] + enough),
    );
    for (const app of apps) expect(await linesIn(store, app)).toEqual(texts);
    const killed = openAsKilled();
    for (const app of apps) expect(await linesIn(killed, app)).toEqual(texts);
  });

  it('go to segments when they are as much on the disk as forty', async () => {
    const store = await openFilled('process', 8_000);
    const before = segmentBytes();
    const texts = await appendRounds(store, padding, () => segmentBytes() > before);
    // None had enough for a write of its own.
    expect(texts.length * (padding.length + 100)).toBeLessThan(60_000);
    await until('the oldest ones to be written', () => segmentBytes() > before + APPS * 2_000);
    for (const app of apps) expect(await linesIn(store, app)).toEqual(texts);
    const killed = openAsKilled();
    for (const app of apps) expect(await linesIn(killed, app)).toEqual(texts);
  });

  it('that a killed process left are read where they are, also when somebody removes them', async () => {
    const store = await openFilled('process', 30_000);
    const texts = await appendRounds(store, padding, () => commitFiles().length > 5);
    copyAsKilled(join(root, 'data'), join(root, 'killed'));
    const killed = open('killed');
    // Before anything of it is in segments.
    for (const name of commitFiles('killed')) rmSync(join(root, 'killed', 'commits', name));
    for (const app of apps) expect(await linesIn(killed, app)).toEqual(texts);
    await close(killed);
    const again = open('killed');
    for (const app of apps) expect(await linesIn(again, app)).toEqual(texts);
  });
});

/** Changes bytes all over files of the log in their place, and cuts off one of them. @returns how many files */
function damageInPlace(folder: string, names: readonly string[], step: number): number {
  for (const [i, name] of names.entries()) {
    const path = join(root, folder, 'commits', name);
    const { size } = statSync(path);
    const fd = openSync(path, 'r+');
    for (let place = 1_000 + i * 37; place < size; place += step) writeSync(fd, '\u0007\u0000?', place);
    if (i === 1) ftruncateSync(fd, size >> 1);
    closeSync(fd);
  }
  return names.length;
}

/** Each line is there as it was, or is said to be lost, of each app. @returns how many are lost */
async function checkLost(store: EmbeddedStore, texts: readonly string[]): Promise<number> {
  const kept = new Map<AppId, Set<number>>();
  for (const app of apps) {
    const numbers: number[] = [];
    for (const batch of await readAll(store, app)) {
      expect(linesOf([batch])).toEqual(texts.slice(batch.first - 1, batch.last));
      for (let number = batch.first; number <= batch.last; number++) numbers.push(number);
    }
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    kept.set(app, new Set(numbers));
  }
  const said = new Map<AppId, Set<number>>(apps.map((app) => [app, new Set()]));
  store.watchDamage(({ app, first, last }) => {
    for (let number = first; number <= last; number++) said.get(app)!.add(number);
  })();
  let lost = 0;
  for (const app of apps) {
    const missing = texts.map((_, i) => i + 1).filter((number) => !kept.get(app)!.has(number));
    expect([...said.get(app)!].sort((a, b) => a - b)).toEqual(missing);
    lost += missing.length;
  }
  return lost;
}

describe('full files that are damaged in their place', () => {
  it('cost the lines that are said, twice in a row, and their apps take more', async () => {
    const store = await openFilled('process', 30_000);
    const texts = await appendRounds(store, 'x'.repeat(1_500), () => commitFiles().length > 6);
    const full = commitFiles().sort().slice(0, -2);
    expect(damageInPlace('data', full, 4_099)).toBeGreaterThan(3);
    const lost = await checkLost(store, texts);
    expect(lost).toBeGreaterThan(0);
    // Before what is left of it is in segments, headers as well.
    damageInPlace('data', full, 41);
    texts.push('more');
    for (const app of apps)
      expect(await store.append(app, batchOf('more'))).toMatchObject({ first: texts.length });
    await close(store);
    const again = open('data');
    expect(await checkLost(again, texts)).toBeGreaterThan(lost);
    for (const app of apps)
      expect(await again.append(app, batchOf('and more'))).toMatchObject({ first: texts.length + 1 });
  });

  it('and were left by a killed process cost the lines that are said, whoever comes across them', async () => {
    const store = await openFilled('process', 30_000);
    const texts = await appendRounds(store, 'x'.repeat(1_500), () => commitFiles().length > 6);
    copyAsKilled(join(root, 'data'), join(root, 'killed'));
    const killed = open('killed');
    damageInPlace('killed', commitFiles('killed').sort(), 4_099);
    const [reading, writing] = [apps.slice(0, APPS / 2), apps.slice(APPS / 2)];
    for (const app of writing)
      expect(await killed.append(app, batchOf('more'))).toMatchObject({ first: texts.length + 1 });
    for (const app of reading) await readAll(killed, app);
    for (const app of reading)
      expect(await killed.append(app, batchOf('more'))).toMatchObject({ first: texts.length + 1 });
    texts.push('more');
    expect(await checkLost(killed, texts)).toBeGreaterThan(0);
    await close(killed);
    const again = open('killed');
    for (const app of apps)
      expect(await again.append(app, batchOf('and more'))).toMatchObject({ first: texts.length + 1 });
    await checkLost(again, [...texts, 'and more']);
  });
});

it('a file that says that a stream was removed stays while there are lines of it in one before', async () => {
  const store = await openFilled('process', 150_000);
  const [removed, quiet, ...busy] = apps;
  const append = (to: readonly AppId[], text: string) =>
    Promise.all(to.map((app) => store.append(app, batchOf(text))));
  const before = busy.map((app) => segmentBytes(app));
  const appendMuch = async (): Promise<void> => {
    await append(busy, `much ${'x'.repeat(1_500)}`);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await append(apps, 'of an app that is removed');
  await append(apps, 'behind it');
  await until('another file to be begun', async () => {
    await appendMuch();
    return commitFiles().length > 1;
  });
  const [first, second] = commitFiles().sort();
  await store.dropStream(removed);
  await until('the busy ones to have enough', async () => {
    await appendMuch();
    return busy.every((app, i) => segmentBytes(app) > before[i] + 50_000);
  });
  await until('files without lines that are needed to be removed', () => commitFiles().length <= 4);
  expect(commitFiles()).toEqual(expect.arrayContaining([first, second]));
  // Its folder is there again when the process is killed.
  mkdirSync(join(root, 'data', 'streams', removed));
  const killed = openAsKilled();
  expect(await linesIn(killed, removed)).toEqual([]);
  expect(await killed.append(removed, batchOf('new'))).toMatchObject({ first: 1 });
  expect((await linesIn(killed, quiet)).length).toBe(3);
});
