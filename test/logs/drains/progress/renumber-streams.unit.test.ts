/** Streams behind a power cut, with which numbers of lines that were read and delivered are given out again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type DrainRecord, drainKey, frameIdSeed } from '../../../../src/logs/drains/options/drain-record.ts';
import { renumberStreams } from '../../../../src/logs/drains/progress/renumber-streams.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { loadPositions } from '../../../../src/logs/store/stream-positions.ts';
import { migrate } from '../../../../src/migration.ts';
import { batchOf } from '../../../support/batches.ts';

const APP = 'app' as AppId;
const OTHER = 'other' as AppId;
const drain = (id: string, app: AppId): DrainRecord => ({
  id,
  token: `d.${id}`,
  app,
  url: `https://example.com/${id}`,
  createdAt: '',
  updatedAt: '',
  after: 0,
});

function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'renumber-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function openedOnBoot<T>(
  folder: string,
  bootId: string,
  durability: 'process' | 'disk',
  use: (store: EmbeddedStore) => Promise<T>,
): Promise<T> {
  const clock = () => performance.now();
  const store = new EmbeddedStore({
    folder,
    retention: { lines: 1e9, bytes: 1e9, ageMs: 1e13 },
    durability,
    time: { wall: Date.now, monotonic: clock, uptime: clock, bootId },
  });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** A server's start: were numbers given anew? */
const started = (folder: string, bootId: string, durability: 'process' | 'disk' = 'process') =>
  openedOnBoot(folder, bootId, durability, async (store) => {
    const ends = await store.repeatedEnds();
    await renumberStreams(store);
    return ends !== undefined;
  });

/** What only opens the store, such as `tailrace backup`. */
const opened = (folder: string, bootId: string) => openedOnBoot(folder, bootId, 'process', async () => {});

async function seedOf(store: EmbeddedStore, id: string, last: number): Promise<string> {
  return frameIdSeed((await store.get<DrainRecord>('', drainKey(id)))!.value, last);
}

it('drains have other frame ids for lines from then on, and the same ones for those that are there', async () => {
  const folder = folderForTest();
  await openedOnBoot(folder, 'first', 'process', async (store) => {
    await renumberStreams(store);
    await store.append(APP, batchOf('one', 'two', 'three'));
    for (const one of [drain('a', APP), drain('b', APP), drain('c', OTHER)])
      await store.transact('', [{ key: drainKey(one.id), value: one }]);
  });
  const seen = new Set<string>();
  for (const boot of ['second', 'third'])
    await openedOnBoot(folder, boot, 'process', async (store) => {
      await renumberStreams(store);
      expect(await seedOf(store, 'a', 3)).toBe('d.a');
      for (const [id, last] of [
        ['a', 4],
        ['b', 4],
        ['c', 1],
      ] as const)
        seen.add(await seedOf(store, id, last));
    });
  // Two starts without a line between them: one mark is enough, but another one.
  expect(seen.size).toBe(6);
  await openedOnBoot(folder, 'fourth', 'process', async (store) => {
    const record = await store.get<DrainRecord>('', drainKey('a'));
    expect(record!.value.renumbered).toHaveLength(1);
    await store.append(APP, batchOf('four'));
    const before = await seedOf(store, 'a', 4);
    await renumberStreams(store);
    expect(await seedOf(store, 'a', 4)).toBe(before);
    expect(await seedOf(store, 'a', 5)).not.toBe(before);
  });
});

it('lines from then on have other positions, also in a stream of which nothing is left; those that are there keep theirs', async () => {
  const folder = folderForTest();
  await openedOnBoot(folder, 'first', 'process', async (store) => {
    await renumberStreams(store);
    await store.append(APP, batchOf('one', 'two', 'three'));
    await store.transact('', [{ key: `app/${OTHER}`, value: { id: OTHER, name: 'other' } }]);
    expect((await loadPositions(store, APP)).of(4)).toBe(4);
  });
  const positionsAfter = (boot: string) =>
    openedOnBoot(folder, boot, 'process', async (store) => {
      await renumberStreams(store);
      const [here, there] = [await loadPositions(store, APP), await loadPositions(store, OTHER)];
      expect(here.of(3)).toBe(3);
      return [here.of(4), there.of(1)];
    });
  const again = await positionsAfter('first');
  expect(again).toEqual([4, 1]);
  const once = await positionsAfter('second');
  const twice = await positionsAfter('third');
  for (const i of [0, 1]) {
    expect(once[i]).toBeGreaterThan(1e9);
    expect(twice[i] - once[i]).toBeGreaterThan(1e9);
  }
});

it('so it is in the store that a stream was moved to before a server was started', async () => {
  const folder = folderForTest();
  await openedOnBoot(folder, 'first', 'process', async (store) => {
    await renumberStreams(store);
    await store.append(APP, batchOf('one', 'two', 'three'));
    await store.transact('', [{ key: `app/${APP}`, value: { id: APP, name: 'app' } }]);
  });
  await openedOnBoot(folder, 'second', 'process', (from) =>
    openedOnBoot(folderForTest(), 'second', 'process', async (to) => {
      await migrate(from, to, () => {});
      const positions = await loadPositions(to, APP);
      expect(positions.of(3)).toBe(3);
      expect(positions.of(4)).toBeGreaterThan(1e9);
    }),
  );
});

it('a kill and a restart change nothing; a start of the machine does, whatever opened the store first', async () => {
  const folder = folderForTest();
  expect(await started(folder, 'first')).toBe(false);
  expect(await started(folder, 'first')).toBe(false);
  await opened(folder, 'second');
  await opened(folder, 'second');
  expect(await started(folder, 'second')).toBe(true);
  expect(await started(folder, 'second')).toBe(false);
});

it('so it is in the folder of an earlier version, which knows the start of the machine by its clock alone', async () => {
  const folder = folderForTest();
  await opened(folder, 'first');
  expect(await started(folder, 'first')).toBe(false);
  const older = folderForTest();
  await opened(older, 'first');
  await opened(older, 'second');
  expect(await started(older, 'second')).toBe(true);
});

it('what was stored with syncs is there; what was stored before without may not be', async () => {
  const folder = folderForTest();
  expect(await started(folder, 'first', 'disk')).toBe(false);
  expect(await started(folder, 'second', 'disk')).toBe(false);
  expect(await started(folder, 'third', 'process')).toBe(false);
  // Killed, and what it stored isn't synced yet.
  expect(await started(folder, 'third', 'disk')).toBe(false);
  expect(await started(folder, 'fourth', 'disk')).toBe(true);
  expect(await started(folder, 'fifth', 'disk')).toBe(false);
});

it('where nobody says which start of the machine it is, each may be another', async () => {
  const folder = folderForTest();
  expect(await started(folder, '')).toBe(false);
  expect(await started(folder, '')).toBe(true);
  expect(await started(folder, '', 'disk')).toBe(true);
  expect(await started(folder, '', 'disk')).toBe(false);
});
