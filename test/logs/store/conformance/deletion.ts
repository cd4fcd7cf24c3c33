import { describe, expect, it } from 'vitest';
import type { AppId, Sequence, Store, StoredBatch } from '../../../../src/logs/store/contract.ts';
import { batchOf, linesOf, newAppId, textsOf } from '../../../support/batches.ts';
import type { StoreOpener } from './store-suite.ts';
import { readAll, sequenceRanges } from './streams.ts';

/** Lines that begin as stored ones do. */
const line = (text: string): string => `<13>1 ${text}`;

/** Picks the lines that have a word. */
const having =
  (word: string) =>
  (batch: StoredBatch): Set<Sequence> => {
    const texts = textsOf(batch).map(String);
    return new Set(texts.flatMap((text, i) => (text.includes(word) ? [batch.first + i] : [])));
  };
const EVERYTHING = { first: 1, last: Number.MAX_SAFE_INTEGER };

async function fill(store: Store, app: AppId): Promise<void> {
  await store.append(app, batchOf(line('a'), line('x 1'), line('x 2'), line('b')));
  await store.append(app, batchOf(line('x 3')), { frameId: 'frame' });
  await store.append(app, batchOf(line('c'), line('x 4')));
}

export function deletionSuite(opener: StoreOpener): void {
  describe('deleted lines', () => {
    it('are gone, from both sides, and their numbers stay theirs', async () => {
      const store = await opener.open();
      const app = newAppId();
      await fill(store, app);
      const before = await store.bounds(app);
      expect(await store.deleteLines(app, EVERYTHING, having('x '))).toBe(4);
      expect(linesOf(await readAll(store, app))).toEqual(['a', 'b', 'c'].map(line));
      const ranges = sequenceRanges(await readAll(store, app));
      expect(ranges).toEqual([
        [1, 1],
        [2, 3],
        [4, 4],
        [5, 5],
        [6, 6],
        [7, 7],
      ]);
      const backward = await store.readBefore(app, 8, 1e6);
      expect(sequenceRanges(backward.toReversed())).toEqual(ranges);
      for (const after of [1, 2, 4]) {
        const [next] = await store.read(app, after, 1);
        expect(next.first).toBeLessThanOrEqual(after + 1);
        expect(next.last).toBeGreaterThan(after);
      }
      expect(await store.bounds(app)).toEqual(before);
      // Again there are none; and what comes goes on.
      expect(await store.deleteLines(app, EVERYTHING, having('x '))).toBe(0);
      expect(await store.append(app, batchOf(line('d'), line('x 5')))).toMatchObject({ first: 8 });
      expect(await store.deleteLines(app, { first: 9, last: 9 }, having('x '))).toBe(1);
      expect(linesOf(await readAll(store, app))).toEqual(['a', 'b', 'c', 'd'].map(line));
      // A request that was stored before isn't stored again.
      expect(await store.append(app, batchOf(line('x 3')), { frameId: 'frame' })).toMatchObject({
        duplicate: true,
        first: 5,
      });
    });

    it('only of the range, and nothing of other apps', async () => {
      const store = await opener.open();
      const [app, other] = [newAppId(), newAppId()];
      await fill(store, app);
      await fill(store, other);
      expect(
        await store.deleteLines(app, { first: 3, last: 5 }, (batch) => {
          const picked = having('x ')(batch);
          return new Set([...picked].filter((sequence) => sequence >= 3 && sequence <= 5));
        }),
      ).toBe(2);
      expect(linesOf(await readAll(store, app))).toEqual(['a', 'x 1', 'b', 'c', 'x 4'].map(line));
      expect(linesOf(await readAll(store, other))).toHaveLength(7);
    });

    it('stay gone when the store was opened again, was trimmed, and was moved to another one', async () => {
      const app = newAppId();
      const before = await opener.open();
      await fill(before, app);
      await before.deleteLines(app, EVERYTHING, having('x '));
      await before.close();
      const again = await opener.open();
      expect(linesOf(await readAll(again, app))).toEqual(['a', 'b', 'c'].map(line));
      const copy = newAppId();
      for (const batch of await readAll(again, app)) await again.restore(copy, batch);
      expect(sequenceRanges(await readAll(again, copy))).toEqual(sequenceRanges(await readAll(again, app)));
      expect(linesOf(await readAll(again, copy))).toEqual(['a', 'b', 'c'].map(line));
      await again.close();
      const smaller = await opener.open({ lines: 4 });
      await smaller.append(app, batchOf(line('d')));
      expect(linesOf(await readAll(smaller, app)).at(-1)).toBe(line('d'));
      expect((await smaller.bounds(app)).last).toBe(8);
    });

    it('while others are appended: these stay', async () => {
      const store = await opener.open();
      const app = newAppId();
      let appended = 0;
      let isOver = false;
      const writing = (async () => {
        while (!isOver && appended < 3_000) {
          await store.append(app, batchOf(line(`y ${appended}`), line(`x ${appended}`)));
          appended++;
        }
      })();
      for (let round = 0; round < 5; round++) {
        await new Promise((resolve) => setImmediate(resolve));
        const { last } = await store.bounds(app);
        await store.deleteLines(app, { first: 1, last }, having('x '));
        const found = linesOf((await readAll(store, app)).filter((batch) => batch.last <= last));
        expect(found.filter((text) => text.includes('x '))).toEqual([]);
      }
      isOver = true;
      await writing;
      const texts = linesOf(await readAll(store, app)).filter((text) => text.includes('y '));
      expect(texts).toEqual(Array.from({ length: appended }, (_, i) => line(`y ${i}`)));
    });
  });
}
