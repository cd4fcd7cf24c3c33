import { describe, expect, it } from 'vitest';
import type { StoredBatch } from '../../../../src/logs/store/contract.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import type { StoreOpener } from './store-suite.ts';
import { readAll, sequenceRanges } from './streams.ts';

/** A batch as another store would give it. */
function batchFromOtherStore(first: number, storedAtMs: number, ...texts: string[]): StoredBatch {
  return { ...batchOf(...texts), first, last: first + texts.length - 1, storedAtMs };
}

export function restoreSuite(opener: StoreOpener): void {
  describe('restore', () => {
    it('keeps sequences and times, gaps too, and goes on from there', async () => {
      const store = await opener.open();
      const app = newAppId();
      const now = Date.now();
      await store.restore(app, batchFromOtherStore(101, now - 5_000, 'a', 'b'));
      await store.restore(app, batchFromOtherStore(103, now - 4_000, 'c'));
      await store.restore(app, batchFromOtherStore(110, now - 3_000, 'd', 'e', 'f'));
      expect(sequenceRanges(await readAll(store, app))).toEqual([
        [101, 102],
        [103, 103],
        [110, 112],
      ]);
      expect((await readAll(store, app)).map(({ storedAtMs }) => now - storedAtMs)).toEqual([
        5_000, 4_000, 3_000,
      ]);
      expect(await store.bounds(app)).toEqual({
        first: 101,
        last: 112,
        bytes: [batchOf('a', 'b'), batchOf('c'), batchOf('d', 'e', 'f')].reduce(
          (sum, { bytes }) => sum + bytes.length,
          0,
        ),
      });
      expect(await store.sequenceAt(app, now - 3_500)).toBe(103);
      expect(await store.append(app, batchOf('g'))).toMatchObject({ first: 113 });
      expect(linesOf(await readAll(store, app)).join('')).toBe('abcdefg');
    });

    it('is a conflict after lines that have these sequences', async () => {
      const store = await opener.open();
      const app = newAppId();
      await store.append(app, batchOf('a', 'b'));
      await expect(store.restore(app, batchFromOtherStore(2, Date.now(), 'x'))).rejects.toMatchObject({
        code: 'conflict',
      });
      await store.restore(app, batchFromOtherStore(3, Date.now(), 'c'));
      expect(linesOf(await readAll(store, app))).toEqual(['a', 'b', 'c']);
    });

    it('is stored after the store was opened again, and trimmed like everything else', async () => {
      const app = newAppId();
      const before = await opener.open();
      for (let i = 0; i < 5; i++) await before.restore(app, batchFromOtherStore(50 + i, Date.now(), `${i}`));
      await before.close();
      const again = await opener.open();
      expect(await again.bounds(app)).toMatchObject({ first: 50, last: 54 });
      await again.close();
      const smaller = await opener.open({ lines: 3 });
      await smaller.append(app, batchOf('5'));
      expect(await smaller.bounds(app)).toMatchObject({ first: 53, last: 55 });
    });
  });
}
