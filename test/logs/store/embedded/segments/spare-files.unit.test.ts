/**
 * Files of trimmed segments that are used again: what is behind the end of the new one never counts, wherever a process is killed or the power
 * is cut, and isn't kept for long.
 */
import {
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppId, Retention } from '../../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../../src/logs/store/embedded/embedded-store.ts';
import { HEADROOM, RECORD_HEADER } from '../../../../../src/logs/syslog/batch.ts';
import { batchOf, linesOf } from '../../../../support/batches.ts';
import { copyAsKilled } from '../../../../support/killed-store.ts';
import { FIRST_SEED, propertyRuns, sampleOf } from '../../../../support/properties/property-runs.ts';
import { seededRandom } from '../../../../support/properties/seeded-random.ts';
import { until } from '../../../../support/until.ts';
import { readAll } from '../../conformance/streams.ts';

/** Segments of 2 MB, of which two or three are held. */
const RETENTION: Retention = { lines: 600, bytes: 33_554_432, ageMs: 1e13 };
const APP = '00000000-0000-4000-8000-000000000001' as AppId;
const PAGE = 4_096;

let folder: string;
let stores: EmbeddedStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-spare-'));
  stores = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(name = 'data', retention = RETENTION): EmbeddedStore {
  const store = new EmbeddedStore({ folder: join(folder, name), retention, durability: 'process' });
  stores.push(store);
  return store;
}

async function close(store: EmbeddedStore): Promise<void> {
  stores = stores.filter((other) => other !== store);
  await store.close();
}

function files(name = 'data'): string[] {
  const stream = join(folder, name, 'streams', APP);
  return readdirSync(stream).map((file) => join(stream, file));
}

const segments = (name = 'data'): string[] =>
  files(name)
    .filter((path) => path.endsWith('.log'))
    .sort();
const newest = (name = 'data'): string => segments(name).at(-1)!;

/** So many lines, of which each has 5,000 bytes. */
function lines(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    `<13>1 - - - - - - ${from + i} `.padEnd(5_000, `${from + i} `),
  );
}

let next = 1;
async function append(
  store: EmbeddedStore,
  count = 8,
): Promise<{ first: number; last: number; bytes: number }> {
  const batch = batchOf(...lines(next, count));
  const { first, last } = await store.append(APP, batch);
  next = last + 1;
  return { first, last, bytes: batch.bytes.length };
}

/** Appends until the newest segment has the file of an older one, and as many lines more; returns the end of its own bytes. */
async function untilReused(store: EmbeddedStore, more = 3): Promise<number> {
  next = (await store.bounds(APP)).last + 1;
  await append(store);
  let before = newest();
  for (let i = 0; i < 2_000; i++) {
    await append(store);
    // Notes are written meanwhile.
    await immediate();
    const path = newest();
    // A new file begins with no more than what was written to it.
    if (path !== before && statSync(path).size > 1_000_000) {
      for (let k = 0; k < more; k++) await append(store);
      return await ownBytes(store, path);
    }
    before = path;
  }
  throw new Error('no file was used again');
}

/** Bytes of the stream in a segment's file. */
async function ownBytes(store: EmbeddedStore, path: string): Promise<number> {
  const first = Number(basename(path).slice(0, 16));
  const batches = await store.read(APP, first - 1, 100_000_000);
  return batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

async function damageOf(store: EmbeddedStore): Promise<[number, number][]> {
  await store.checked;
  const found: [number, number][] = [];
  store.watchDamage(({ first, last }) => void found.push([first, last]))();
  return found;
}

/** All lines that a store has, which must be what was appended, and go on behind them. */
async function checkLines(store: EmbeddedStore): Promise<{ first: number; last: number; missing: number[] }> {
  const batches = await readAll(store, APP);
  const missing: number[] = [];
  let before: number | undefined;
  for (const batch of batches) {
    for (let line = (before ?? batch.first - 1) + 1; line < batch.first; line++) missing.push(line);
    expect(linesOf([batch])).toEqual(lines(batch.first, batch.count));
    expect(batch.first).toBeGreaterThan(before ?? 0);
    before = batch.last;
  }
  const { first, last } = await store.bounds(APP);
  for (let line = (before ?? first - 1) + 1; line <= last; line++) missing.push(line);
  const after = await store.append(APP, batchOf(...lines(last + 1, 8)));
  expect(after.first).toBe(last + 1);
  expect(linesOf(await store.read(APP, last, 1_000_000))).toEqual(lines(last + 1, 8));
  return { first, last, missing };
}

const copy = (from: string, to: string): void => copyAsKilled(join(folder, from), join(folder, to));

describe('a store whose streams are full', () => {
  it('writes over files of trimmed segments, holds what it should, and leaves nothing of them when it is closed', async () => {
    const store = open();
    await untilReused(store, 0);
    const inodes = new Set<number>();
    for (let i = 0; i < 200; i++) {
      await append(store);
      await immediate();
      for (const path of segments()) inodes.add(statSync(path).ino);
      expect(files().length).toBeLessThan(8);
    }
    expect(inodes.size).toBeLessThan(8);
    const { first, last } = await checkLines(store);
    await close(store);
    expect(files().every((path) => path.endsWith('.log'))).toBe(true);
    const sizes = segments().map((path) => [Number(basename(path).slice(17, 33)), statSync(path).size]);
    for (const [i, [bytesBefore, size]] of sizes.slice(0, -1).entries())
      expect(bytesBefore + size).toBe(sizes[i + 1][0]);
    const again = open();
    expect(await damageOf(again)).toEqual([]);
    expect(await checkLines(again)).toMatchObject({ first: expect.any(Number), last: last + 8, missing: [] });
    expect((await again.bounds(APP)).first).toBeGreaterThanOrEqual(first);
  });

  it('is killed in any write, and has what was acknowledged, and the write as a whole or not at all', async () => {
    const store = open();
    const end = await untilReused(store);
    // Its header stands in two pages.
    const fill = 2 * PAGE - 16 - (end % PAGE);
    const padded = `<13>1 - - - - - - ${next} `.padEnd(
      fill + 4 * PAGE - HEADROOM - RECORD_HEADER,
      `${next} `,
    );
    const { last: padding } = await store.append(APP, batchOf(padded));
    next = padding + 1;
    const path = basename(newest());
    const from = end + fill + 4 * PAGE;
    expect(from % PAGE).toBe(PAGE - 16);
    copy('data', 'before');
    const old = readFileSync(newest('before'));
    const stored = await append(store);
    expect(basename(newest())).toBe(path);
    const written = readFileSync(newest());
    expect(old.subarray(0, from).equals(written.subarray(0, from))).toBe(true);
    const to = from + stored.bytes + HEADROOM;
    expect(old.subarray(to).equals(written.subarray(to))).toBe(true);
    expect(old.length - to).toBeGreaterThan(1_000_000);
    const cuts: number[] = [];
    for (let cut = from + 16; cut < to + PAGE; cut += PAGE) cuts.push(cut);
    for (const cut of new Set([from + 16, ...sampleOf(cuts, 2), cuts.at(-1)!])) {
      copy('before', 'cut');
      writeFileSync(newest('cut'), Buffer.concat([written.subarray(0, cut), old.subarray(cut)]));
      const killed = open('cut');
      expect(await damageOf(killed)).toEqual([]);
      const { last } = await killed.bounds(APP);
      expect(last).toBe(cut < to - HEADROOM ? stored.first - 1 : stored.last);
      const batches = await killed.read(APP, padding - 9, 1_000_000);
      expect(batches.at(-1)?.last).toBe(last);
      expect((await killed.append(APP, batchOf('next'))).first).toBe(last + 1);
      await close(killed);
      expect(await damageOf(open('cut'))).toEqual([]);
      await close(stores.at(-1)!);
    }
  });

  it('is killed, and what was damaged of its last lines meanwhile is counted', async () => {
    const store = open();
    const end = await untilReused(store);
    const stored = await append(store);
    for (const at of sampleOf([0, 4, 8, 18, 25, 31, 32, 33, 100, PAGE, stored.bytes - 1], 3)) {
      copy('data', 'cut');
      const bytes = readFileSync(newest('cut'));
      bytes[end + at] ^= 0x41;
      writeFileSync(newest('cut'), bytes);
      const damaged = open('cut');
      const [[first, last], ...others] = await damageOf(damaged);
      expect(others).toEqual([]);
      expect(first).toBe(stored.first);
      expect(last).toBeLessThanOrEqual(stored.last);
      expect((await damaged.append(APP, batchOf('next'))).first).toBeGreaterThan(first);
      await close(damaged);
    }
  });

  it(`loses its power, and has what was synced, wherever pages and names are that were not, from seed ${FIRST_SEED} on`, async () => {
    const random = seededRandom(FIRST_SEED);
    const store = open();
    await untilReused(store);
    for (let round = 0; round < propertyRuns(40, 2); round++) {
      copy('data', 'synced');
      const synced = await store.bounds(APP);
      const inode = statSync(newest()).ino;
      const before = new Map(files().map((path) => [statSync(path).ino, path]));
      // In every other round until another file is the newest one.
      for (
        let i = 0;
        i < (round % 2 === 0 ? 5 : 200) && (round % 2 === 0 || statSync(newest()).ino === inode);
        i++
      ) {
        await append(store, 1 + Math.floor(random() * 30));
        await immediate();
      }
      await append(store);
      const { first, last } = await store.bounds(APP);
      for (const areNamesThere of [true, false]) {
        copy('data', 'cut');
        for (const path of files().reverse()) {
          const wasAt = before.get(statSync(path).ino);
          const live = readFileSync(path);
          const cut = join(folder, 'cut', 'streams', APP, basename(path));
          const old = wasAt && readFileSync(join(folder, 'synced', 'streams', APP, basename(wasAt)));
          if (old) writeFileSync(cut, tear(old, live, random));
          else if (path.endsWith('.log') && random() < 0.5)
            writeFileSync(cut, tear(Buffer.alloc(0), live, random));
          if (wasAt && !areNamesThere) renameSync(cut, join(dirname(cut), basename(wasAt)));
        }
        const again = open('cut');
        const damage = await damageOf(again);
        for (const [from, to] of damage) {
          expect(from).toBeGreaterThan(synced.last);
          expect(to).toBeLessThanOrEqual(last);
        }
        const found = await checkLines(again);
        for (const line of found.missing)
          expect(damage.some(([from, to]) => from <= line && line <= to)).toBe(true);
        if (synced.last >= first) expect(found.last).toBeGreaterThanOrEqual(synced.last);
        await close(again);
        expect(files('cut').every((path) => path.endsWith('.log'))).toBe(true);
      }
    }
  });

  it('gives no file away that has another name, or is read', async () => {
    const store = open();
    await untilReused(store);
    const linked = segments();
    const kept = linked.map((path) => readFileSync(path));
    for (const [i, path] of linked.entries()) linkSync(path, join(folder, `link${i}`));
    await untilReused(store, 0);
    for (let i = 0; i < 150; i++) {
      await append(store);
      await immediate();
    }
    for (const [i, bytes] of kept.slice(0, -1).entries())
      expect(readFileSync(join(folder, `link${i}`)).equals(bytes)).toBe(true);
  });
});

describe('what is left of trimmed lines', () => {
  /** Which of these lines are in the store's files. */
  function found(among: readonly number[]): number[] {
    const texts = files().map((path) => readFileSync(path, 'latin1'));
    return among.filter((line) => texts.some((text) => text.includes(`- ${line} ${line} ${line} `)));
  }

  it('is on the disk no longer than two looks for what is too old, when few lines come after them', async () => {
    const store = open('data', { ...RETENTION, ageMs: 4_000 });
    await untilReused(store, 0);
    expect(statSync(newest()).size).toBeGreaterThan(1_000_000);
    await until('nothing is left', () => {
      const isCut = statSync(newest()).size < 1_000_000;
      return isCut && files().every((path) => path.endsWith('.log'));
    });
    const { last } = await append(store);
    const [batch] = await store.read(APP, last - 1, 1);
    expect(linesOf([batch]).at(-1)).toBe(lines(last, 1)[0]);
  });

  it('goes when lines are deleted', async () => {
    const store = open();
    await store.transact('', [{ key: `app/${APP}`, value: { name: 'shop' } }]);
    await untilReused(store);
    const oldest = Number(basename(segments()[0]).slice(0, 16));
    const trimmed = Array.from({ length: oldest - 1 }, (_, i) => i + 1).filter((line) => line % 40 === 0);
    expect(found(trimmed).length).toBeGreaterThan(2);
    const range = { first: oldest + 300, last: oldest + 300 };
    expect(await store.deleteLines(APP, range, () => new Set([range.first]))).toBe(1);
    expect(found(trimmed)).toEqual([]);
    await append(store);
    expect(files().every((path) => path.endsWith('.log'))).toBe(true);
  });
});

/** Any of the pages that weren't synced are on the disk; the others are as they were. */
function tear(old: Buffer, live: Buffer, random: () => number): Buffer {
  const length =
    Math.min(old.length, live.length) + Math.floor(random() * Math.max(1, live.length - old.length));
  const bytes = Buffer.alloc(length);
  old.copy(bytes);
  const chance = random();
  for (let at = 0; at < length; at += PAGE)
    if (random() < chance) live.copy(bytes, at, at, Math.min(at + PAGE, live.length, length));
  return bytes;
}
