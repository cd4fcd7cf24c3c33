import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AppId, Store, StoredBatch } from '../../../../src/logs/store/contract.ts';
import { batchOf, linesOf, newAppId, textsOf } from '../../../support/batches.ts';
import { until } from '../../../support/until.ts';
import type { StoreOpener } from './store-suite.ts';

export function streamSuite(opener: StoreOpener): void {
  describe('append', () => {
    it('tells who appends without a promise, after the call and in order', async () => {
      const store = await opener.open();
      const many = Array.from({ length: 5 }, newAppId);
      const told: string[] = [];
      for (const text of ['one', 'two', 'three'])
        for (const app of many)
          store.appenderFor(app).append(batchOf(text), {
            isAwaited: text === 'two',
            onAppended: () => void told.push(`${app} ${text}`),
            onAppendFailed: (error) => void told.push(String(error)),
          });
      expect(told).toEqual([]);
      await until('all are told', () => told.length === 3 * many.length);
      for (const app of many) {
        expect(told.filter((one) => one.startsWith(app))).toEqual([
          `${app} one`,
          `${app} two`,
          `${app} three`,
        ]);
        expect(linesOf(await store.read(app, 0, 1_000_000))).toEqual(['one', 'two', 'three']);
      }
    });

    it('without a promise goes on when the stream was removed, and notifies whoever subscribes meanwhile', async () => {
      const store = await opener.open();
      const app = newAppId();
      const appender = store.appenderFor(app);
      const append = (text: string): Promise<void> =>
        new Promise((onAppended, onAppendFailed) =>
          appender.append(batchOf(text), { isAwaited: false, onAppended, onAppendFailed }),
        );
      await append('one');
      const notified: (StoredBatch | undefined)[] = [];
      const unsubscribe = store.subscribe(app, (batch) => notified.push(batch));
      await append('two');
      await until('the subscriber is notified', () => notified.length > 0);
      unsubscribe();
      const before = notified.length;
      await store.dropStream(app);
      await append('three');
      expect(notified).toHaveLength(before);
      expect(linesOf(await store.read(app, 0, 1_000_000))).toEqual(['three']);
      expect(await store.bounds(app)).toMatchObject({ first: 1, last: 1 });
    });

    it('numbers lines from 1, without a gap', async () => {
      const store = await opener.open();
      const app = newAppId();
      expect(await store.append(app, batchOf('a', 'b', 'c'))).toMatchObject({
        first: 1,
        last: 3,
        duplicate: false,
      });
      expect(await store.append(app, batchOf('d'))).toMatchObject({ first: 4, last: 4, duplicate: false });
      expect(await store.append(app, batchOf('e', 'f'))).toMatchObject({
        first: 5,
        last: 6,
        duplicate: false,
      });
    });

    it('keeps the order in which appends were called, when none waits for another', async () => {
      const store = await opener.open();
      const app = newAppId();
      const texts = Array.from({ length: 300 }, (_, i) => `line ${i}`);
      const appended = await Promise.all(texts.map((text) => store.append(app, batchOf(text))));
      expect(appended.map(({ first }) => first)).toEqual(texts.map((_, i) => i + 1));
      expect(linesOf(await readAll(store, app))).toEqual(texts);
    });

    it('keeps every byte of a line', async () => {
      const store = await opener.open();
      const app = newAppId();
      const every = Uint8Array.from({ length: 256 }, (_, i) => i);
      const random = randomBytes(5_000);
      await store.append(app, batchOf(every, random, '', '\r\n$5\r\n', 'Grüße 🚰'));
      const [batch] = await store.read(app, 0, 1);
      expect(textsOf(batch)).toEqual(
        [every, random, '', '\r\n$5\r\n', 'Grüße 🚰'].map((text) => Buffer.from(text as string)),
      );
    });

    it('takes batches larger than any that the router makes', async () => {
      const store = await opener.open();
      const app = newAppId();
      const long = Array.from({ length: 400 }, (_, i) => `${i} `.padEnd(10_000, 'x'));
      await store.append(app, batchOf(...long));
      await store.append(app, batchOf('after'));
      expect(linesOf(await readAll(store, app))).toEqual([...long, 'after']);
    });

    it('keeps the streams of many apps apart', async () => {
      const store = await opener.open();
      const apps = Array.from({ length: 200 }, newAppId);
      await Promise.all(
        apps.flatMap((app, i) => [
          store.append(app, batchOf(`${i} one`)),
          store.append(app, batchOf(`${i} two`, `${i} three`)),
        ]),
      );
      for (const [i, app] of apps.entries())
        expect(linesOf(await store.read(app, 0, 1e6))).toEqual([`${i} one`, `${i} two`, `${i} three`]);
    });

    it('says when a batch was stored', async () => {
      const store = await opener.open();
      const app = newAppId();
      const before = Date.now();
      await store.append(app, batchOf('now'));
      const [{ storedAtMs }] = await store.read(app, 0, 1);
      expect(storedAtMs).toBeGreaterThanOrEqual(before - 1);
      expect(storedAtMs).toBeLessThanOrEqual(Date.now() + 1);
    });
  });

  describe('a frame that is sent again', () => {
    it('is stored once', async () => {
      const store = await opener.open();
      const app = newAppId();
      const frameId = randomUUID();
      await store.append(app, batchOf('before'));
      const first = await store.append(app, batchOf('a', 'b'), { frameId });
      await store.append(app, batchOf('after'));
      const again = await store.append(app, batchOf('a', 'b'), { frameId });
      expect(first).toMatchObject({ first: 2, last: 3, duplicate: false });
      expect(again).toMatchObject({ first: 2, last: 3, duplicate: true });
      expect(linesOf(await readAll(store, app))).toEqual(['before', 'a', 'b', 'after']);
    });

    it('is stored once when the copies come at the same time', async () => {
      const store = await opener.open();
      const app = newAppId();
      const frameId = randomUUID();
      const all = await Promise.all(
        Array.from({ length: 20 }, () => store.append(app, batchOf('a', 'b'), { frameId })),
      );
      expect(all.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(all.every(({ first, last }) => first === 1 && last === 2)).toBe(true);
      expect((await store.bounds(app)).last).toBe(2);
    });

    it('is another frame in another app, and with another id', async () => {
      const store = await opener.open();
      const [one, two] = [newAppId(), newAppId()];
      const frameId = randomUUID();
      await store.append(one, batchOf('a'), { frameId });
      expect((await store.append(two, batchOf('a'), { frameId })).duplicate).toBe(false);
      expect((await store.append(one, batchOf('a'), { frameId: `${frameId}/1` })).duplicate).toBe(false);
    });

    it('is found after the store was opened again', async () => {
      const app = newAppId();
      const frameId = randomUUID();
      const before = await opener.open();
      await before.append(app, batchOf('a'), { frameId });
      await before.close();
      const store = await opener.open();
      expect(await store.append(app, batchOf('a'), { frameId })).toMatchObject({
        first: 1,
        last: 1,
        duplicate: true,
      });
    });
  });

  describe('appendAll', () => {
    it('appends batches one after the other, with names or without', async () => {
      const store = await opener.open();
      const app = newAppId();
      const seen: string[] = [];
      store.subscribe(app, (batch) => batch && seen.push(...linesOf([batch])));
      await store.append(app, batchOf('before'));
      const frameId = randomUUID();
      const appended = await store.appendAll(app, [
        { batch: batchOf('1', '2'), frameId },
        { batch: batchOf('3'), frameId: '' },
        { batch: batchOf('4'), frameId: `${frameId}/2` },
      ]);
      expect(appended).toMatchObject([
        { first: 2, last: 3, duplicate: false },
        { first: 4, last: 4, duplicate: false },
        { first: 5, last: 5, duplicate: false },
      ]);
      expect(linesOf(await readAll(store, app))).toEqual(['before', '1', '2', '3', '4']);
      expect(seen).toEqual(['before', '1', '2', '3', '4']);
    });

    it('leaves out what was stored before, and stores the rest', async () => {
      const store = await opener.open();
      const app = newAppId();
      const frameId = randomUUID();
      await store.append(app, batchOf('1'), { frameId });
      const all = ['1', '2', '3'].map((text, i) => ({ batch: batchOf(text), frameId: `${frameId}/${i}` }));
      all[0] = { batch: batchOf('1'), frameId };
      for (let round = 0; round < 2; round++)
        expect((await store.appendAll(app, all)).map(({ first }) => first)).toEqual([1, 2, 3]);
      const again = await store.appendAll(app, all);
      expect(again.every(({ duplicate }) => duplicate)).toBe(true);
      expect(linesOf(await readAll(store, app))).toEqual(['1', '2', '3']);
    });

    it('is stored once when the copies come at the same time', async () => {
      const store = await opener.open();
      const app = newAppId();
      const frameId = randomUUID();
      const copy = () =>
        ['1', '2', '3'].map((text, i) => ({ batch: batchOf(text), frameId: `${frameId}/${i}` }));
      const results = await Promise.all(Array.from({ length: 10 }, () => store.appendAll(app, copy())));
      for (const appended of results) expect(appended.map(({ first }) => first)).toEqual([1, 2, 3]);
      expect((await store.bounds(app)).last).toBe(3);
    });

    it('keeps the order among other appends, also where it takes more than one call', async () => {
      const store = await opener.open();
      const app = newAppId();
      const many = (name: string) =>
        Array.from({ length: 150 }, (_, i) => ({ batch: batchOf(`${name} ${i}`), frameId: '' }));
      await Promise.all([
        store.append(app, batchOf('first')),
        store.appendAll(app, many('a')),
        store.append(app, batchOf('between')),
        store.appendAll(app, many('b')),
      ]);
      const texts = (name: string) => Array.from({ length: 150 }, (_, i) => `${name} ${i}`);
      expect(linesOf(await readAll(store, app))).toEqual(['first', ...texts('a'), 'between', ...texts('b')]);
    });
  });

  describe('read', () => {
    it('gives at least one batch, then about as many bytes as asked', async () => {
      const store = await opener.open();
      const app = newAppId();
      const text = 'x'.repeat(1_000);
      for (let i = 0; i < 20; i++) await store.append(app, batchOf(text));
      expect(await store.read(app, 0, 1)).toHaveLength(1);
      const some = await store.read(app, 0, 5_000);
      expect(some.length).toBeGreaterThanOrEqual(4);
      expect(some.length).toBeLessThanOrEqual(6);
      expect(await store.read(app, 0, 1e6)).toHaveLength(20);
      expect((await store.read(app, 10, 1))[0].first).toBe(11);
    });

    it('starts with the batch that a position is in the middle of', async () => {
      const store = await opener.open();
      const app = newAppId();
      await store.append(app, batchOf('1', '2', '3'));
      await store.append(app, batchOf('4', '5', '6'));
      expect(sequenceRanges(await store.read(app, 1, 1e6))).toEqual([
        [1, 3],
        [4, 6],
      ]);
      expect(sequenceRanges(await store.read(app, 3, 1e6))).toEqual([[4, 6]]);
      expect(sequenceRanges(await store.read(app, 5, 1e6))).toEqual([[4, 6]]);
    });

    it('tells of what it may know unread where pieces of it end', async () => {
      const store = await opener.open();
      const app = newAppId();
      const ends: number[] = [];
      const piece = 200_000;
      for (let i = 0; i < 24; i++)
        ends.push((await store.append(app, batchOf(randomBytes(30_000).toString('hex'), 'short'))).last);
      for (const after of [0, 9, 20]) {
        const told = store.pieceEnds(app, after, piece, 8);
        expect(told.length).toBeLessThanOrEqual(8);
        // Where a stream is in files, their indexes tell.
        if (!store.shared) expect(told.length).toBeGreaterThan(3);
        let from = after;
        for (const end of told) {
          expect(ends).toContain(end);
          expect(end).toBeGreaterThan(from);
          const lines = (await store.read(app, from, 1)).filter(({ last }) => last <= end);
          expect(lines.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(piece);
          from = end;
        }
      }
      expect(store.pieceEnds(app, 0, 100, 8)).toEqual([]);
      expect(store.pieceEnds(app, 48, piece, 8)).toEqual([]);
      expect(store.pieceEnds(newAppId(), 0, piece, 8)).toEqual([]);
    });

    it('gives nothing after the end, and nothing of an app without lines', async () => {
      const store = await opener.open();
      const app = newAppId();
      await store.append(app, batchOf('1', '2', '3'));
      expect(await store.read(app, 3, 1e6)).toEqual([]);
      expect(await store.read(app, 1_000, 1e6)).toEqual([]);
      expect(await store.read(newAppId(), 0, 1e6)).toEqual([]);
    });

    it('sees what was appended when the append has resolved', async () => {
      const store = await opener.open();
      const app = newAppId();
      for (let i = 0; i < 50; i++) {
        const { last } = await store.append(app, batchOf(`${i}`));
        expect(linesOf(await store.read(app, last - 1, 1e6))).toEqual([`${i}`]);
      }
    });
  });

  describe('readBefore', () => {
    it('gives the newest first, and at least one', async () => {
      const store = await opener.open();
      const app = newAppId();
      const text = 'x'.repeat(1_000);
      for (let i = 0; i < 20; i++) await store.append(app, batchOf(text));
      expect(sequenceRanges(await store.readBefore(app, 21, 1))).toEqual([[20, 20]]);
      const some = await store.readBefore(app, 21, 5_000);
      expect(some[0].last).toBe(20);
      expect(some.length).toBeGreaterThanOrEqual(4);
      expect(some.length).toBeLessThanOrEqual(6);
      const all = await store.readBefore(app, 21, 1e6);
      expect(all.map(({ last }) => last)).toEqual(Array.from({ length: 20 }, (_, i) => 20 - i));
    });

    it('starts with the batch that a position is in the middle of', async () => {
      const store = await opener.open();
      const app = newAppId();
      await store.append(app, batchOf('1', '2', '3'));
      await store.append(app, batchOf('4', '5', '6'));
      await store.append(app, batchOf('7'));
      expect(sequenceRanges(await store.readBefore(app, 6, 1e6))).toEqual([
        [4, 6],
        [1, 3],
      ]);
      expect(sequenceRanges(await store.readBefore(app, 5, 1))).toEqual([[4, 6]]);
      expect(sequenceRanges(await store.readBefore(app, 4, 1e6))).toEqual([[1, 3]]);
    });

    it('gives the end of the stream for a position after it, and nothing before the first line', async () => {
      const store = await opener.open();
      const app = newAppId();
      await store.append(app, batchOf('1', '2'));
      expect(sequenceRanges(await store.readBefore(app, 1_000, 1e6))).toEqual([[1, 2]]);
      expect(await store.readBefore(app, 1, 1e6)).toEqual([]);
      expect(await store.readBefore(newAppId(), 10, 1e6)).toEqual([]);
    });
  });

  describe('bounds', () => {
    it('are the first and last sequence and the bytes of a stream', async () => {
      const store = await opener.open();
      const app = newAppId();
      expect(await store.bounds(app)).toEqual({ first: 1, last: 0, bytes: 0 });
      const one = batchOf('1', '2');
      const two = batchOf('three');
      const bytes = one.bytes.length + two.bytes.length;
      await store.append(app, one);
      await store.append(app, two);
      expect(await store.bounds(app)).toEqual({ first: 1, last: 3, bytes });
      expect(await Promise.all([1, 3, 4].map((sequence) => store.hasReached(app, sequence)))).toEqual([
        true,
        true,
        false,
      ]);
    });
  });

  describe('sequenceAt', () => {
    it('finds the last line that was stored before a time', async () => {
      const store = await opener.open();
      const app = newAppId();
      const times: number[] = [];
      for (let i = 0; i < 8; i++) {
        await nextMillisecond(times.at(-1) ?? 0);
        await store.append(app, batchOf('x', 'y'));
        const [{ storedAtMs }] = await store.read(app, i * 2, 1);
        times.push(storedAtMs);
      }
      for (const [i, time] of times.entries()) {
        expect(await store.sequenceAt(app, time)).toBe(i * 2);
        expect(await store.sequenceAt(app, time + 1)).toBe((i + 1) * 2);
      }
      expect(await store.sequenceAt(app, 0)).toBe(0);
      expect(await store.sequenceAt(app, times[0] + 1e9)).toBe(16);
    });

    it('is 0 for an app without lines', async () => {
      const store = await opener.open();
      expect(await store.sequenceAt(newAppId(), Date.now())).toBe(0);
    });
  });

  describe('drop', () => {
    it('removes the stream, and no other', async () => {
      const store = await opener.open();
      const [gone, stays] = [newAppId(), newAppId()];
      for (const app of [gone, stays]) await store.append(app, batchOf('1', '2'));
      await store.dropStream(gone);
      expect(await store.read(gone, 0, 1e6)).toEqual([]);
      expect((await store.bounds(gone)).bytes).toBe(0);
      expect(linesOf(await store.read(stays, 0, 1e6))).toEqual(['1', '2']);
      await store.append(gone, batchOf('new'));
      expect(linesOf(await store.read(gone, 0, 1e6))).toEqual(['new']);
    });
  });

  describe('status', () => {
    it('has no error and no warning, and whether other processes may share the data', async () => {
      const store = await opener.open();
      expect(store.shared).toBe(opener.shared);
      const { kind, trouble, facts } = await store.status();
      expect(['embedded', 'redis']).toContain(kind);
      expect(trouble).toBeUndefined();
      expect(Object.keys(facts).length).toBeGreaterThan(0);
    });
  });

  describe('closing', () => {
    it('waits for what was appended, and keeps all of it', async () => {
      const app = newAppId();
      const before = await opener.open();
      const appends = Array.from({ length: 100 }, (_, i) => before.append(app, batchOf(`${i}`, 'x')));
      await Promise.all(appends);
      const bounds = await before.bounds(app);
      await before.close();
      const store = await opener.open();
      expect(await store.bounds(app)).toEqual(bounds);
      expect(await store.append(app, batchOf('next'))).toMatchObject({
        first: 201,
        last: 201,
        duplicate: false,
      });
      expect(linesOf(await readAll(store, app))).toEqual([
        ...Array.from({ length: 100 }, (_, i) => [`${i}`, 'x']).flat(),
        'next',
      ]);
    });
  });
}

/** Reads a stream from its start to its end, a little at a time. */
export async function readAll(store: Store, app: AppId): Promise<StoredBatch[]> {
  const all: StoredBatch[] = [];
  for (let after = 0; ; ) {
    const some = await store.read(app, after, 10_000);
    if (some.length === 0) return all;
    all.push(...some);
    after = some[some.length - 1].last;
  }
}

export function sequenceRanges(batches: readonly StoredBatch[]): [number, number][] {
  return batches.map(({ first, last }) => [first, last]);
}

/** Resolves when the clock shows a later millisecond than this. */
export async function nextMillisecond(ms: number): Promise<void> {
  await until('a later millisecond', () => Date.now() > ms + 1);
}
