/** Drains behind a power cut, with which numbers of lines that were delivered are given out again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type DrainRecord, drainKey, frameIdSeed } from '../../../../src/logs/drains/options/drain-record.ts';
import { renumberDrains } from '../../../../src/logs/drains/progress/renumber-drains.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
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

async function seedOf(store: EmbeddedStore, id: string, last: number): Promise<string> {
  return frameIdSeed((await store.get<DrainRecord>('', drainKey(id)))!.value, last);
}

it('have other frame ids for lines from then on, and the same ones for those that are there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'renumber-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await openedOnBoot(folder, 'first', 'process', async (store) => {
    expect(store.mayRepeatNumbers).toBe(false);
    await store.append(APP, batchOf('one', 'two', 'three'));
    for (const one of [drain('a', APP), drain('b', APP), drain('c', OTHER)])
      await store.transact('', [{ key: drainKey(one.id), value: one }]);
  });
  await openedOnBoot(folder, 'first', 'process', async (store) => {
    // Killed and started again: what the system had is there.
    expect(store.mayRepeatNumbers).toBe(false);
  });
  await openedOnBoot(folder, 'second', 'disk', async (store) => {
    expect(store.mayRepeatNumbers).toBe(false);
  });
  const seen = new Set<string>();
  for (const boot of ['third', 'fourth'])
    await openedOnBoot(folder, boot, 'process', async (store) => {
      expect(store.mayRepeatNumbers).toBe(true);
      await renumberDrains(store);
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
  await openedOnBoot(folder, 'fifth', 'process', async (store) => {
    const record = await store.get<DrainRecord>('', drainKey('a'));
    expect(record!.value.renumbered).toHaveLength(1);
    await store.append(APP, batchOf('four'));
    const before = await seedOf(store, 'a', 4);
    await renumberDrains(store);
    expect(await seedOf(store, 'a', 4)).toBe(before);
    expect(await seedOf(store, 'a', 5)).not.toBe(before);
  });
  await openedOnBoot(folder, '', 'process', async (store) => {
    // Nobody says whether it is another start.
    expect(store.mayRepeatNumbers).toBe(true);
  });
});
