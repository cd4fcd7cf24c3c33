import { describe, expect, it } from 'vitest';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { until } from '../../../support/until.ts';
import type { StoreOpener } from './store-suite.ts';
import { readAll, sequenceRanges } from './streams.ts';

export function retentionSuite(opener: StoreOpener): void {
  describe('a stream that exceeds its retention', () => {
    it('trims the oldest batches beyond its lines', async () => {
      const store = await opener.open({ lines: 10 });
      const app = newAppId();
      for (let i = 0; i < 20; i++) await store.append(app, batchOf('a', 'b', 'c'));
      expect(sequenceRanges(await readAll(store, app))).toEqual([
        [52, 54],
        [55, 57],
        [58, 60],
      ]);
      expect(await store.bounds(app)).toEqual({
        first: 52,
        last: 60,
        bytes: batchOf('a', 'b', 'c').bytes.length * 3,
      });
    });

    it('trims the oldest batches beyond its bytes', async () => {
      const text = 'x'.repeat(1_000);
      const size = batchOf(text).bytes.length;
      const store = await opener.open({ bytes: size * 3 + 10 });
      const app = newAppId();
      for (let i = 0; i < 20; i++) await store.append(app, batchOf(text));
      expect(await store.bounds(app)).toEqual({ first: 18, last: 20, bytes: size * 3 });
      expect(sequenceRanges(await readAll(store, app))).toEqual([
        [18, 18],
        [19, 19],
        [20, 20],
      ]);
    });

    it('trims many small batches for a large one, in the end', async () => {
      const store = await opener.open({ bytes: 100_000 });
      const app = newAppId();
      await Promise.all(Array.from({ length: 500 }, () => store.append(app, batchOf('x'.repeat(100)))));
      const large = batchOf('y'.repeat(99_000));
      await store.append(app, large);
      // The work of one append is bounded: the rest goes with the next ones.
      await until('the bytes are within bounds', async () => {
        await store.append(app, batchOf('z'));
        return (await store.bounds(app)).bytes <= 100_000;
      });
      const held = await readAll(store, app);
      expect(held.reduce((sum, batch) => sum + batch.bytes.length, 0)).toBe((await store.bounds(app)).bytes);
    });

    it('trims what is too old', async () => {
      const store = await opener.open({ ageMs: 1_000 });
      const app = newAppId();
      await store.append(app, batchOf('old', 'older'));
      await until('the first batch is gone', async () => {
        await store.append(app, batchOf('new'));
        return (await store.bounds(app)).first >= 3;
      });
      const held = await readAll(store, app);
      expect(held[0].first).toBeGreaterThanOrEqual(3);
      expect(held.at(-1)?.last).toBe((await store.bounds(app)).last);
    });

    it('trims what is too old when nothing is added any more, all of it in the end, and counts on', async () => {
      const store = await opener.open({ ageMs: 1_000 });
      const [app, other] = [newAppId(), newAppId()];
      for (let i = 1; i <= 20; i++) await store.append(app, batchOf(`old ${i}`, 'x'));
      await store.append(other, batchOf('a single one'));
      const { storedAtMs } = (await readAll(store, app))[0];
      await until('half of the age is over', () => Date.now() > storedAtMs + 500);
      await store.append(app, batchOf('young'));
      const youngUntilMs = Date.now() + 1_000;
      // The young one keeps nothing: the others go at their time.
      await until('the old ones are gone', async () => (await store.bounds(app)).first >= 41);
      const left = linesOf(await readAll(store, app));
      // A busy machine may look when its time has come as well.
      expect(left).toEqual(left.length === 0 && Date.now() > youngUntilMs ? [] : ['young']);
      await until('all is gone', async () => (await store.bounds(app)).first === 42);
      await until('that of the other is gone', async () => (await store.bounds(other)).first === 2);
      expect(await store.bounds(app)).toEqual({ first: 42, last: 41, bytes: 0 });
      expect(await store.read(app, 0, 1e6)).toEqual([]);
      expect(await store.readBefore(app, 42, 1e6)).toEqual([]);
      expect(await store.sequenceAt(app, 0)).toBe(41);
      await store.close();
      const again = await opener.open();
      expect(await again.bounds(app)).toEqual({ first: 42, last: 41, bytes: 0 });
      await again.append(app, batchOf('new', 'newer'));
      expect(sequenceRanges(await readAll(again, app))).toEqual([[42, 43]]);
      expect(await again.bounds(app)).toMatchObject({
        first: 42,
        bytes: batchOf('new', 'newer').bytes.length,
      });
    });

    it('keeps its newest batch, however large', async () => {
      const store = await opener.open({ lines: 2, bytes: 100 });
      const app = newAppId();
      await store.append(app, batchOf('1', '2', '3'));
      expect(sequenceRanges(await readAll(store, app))).toEqual([[1, 3]]);
      await store.append(app, batchOf('x'.repeat(500)));
      expect(sequenceRanges(await readAll(store, app))).toEqual([[4, 4]]);
    });

    it('skips what is trimmed when it is read, as a gap in the sequences', async () => {
      const store = await opener.open({ lines: 5 });
      const app = newAppId();
      for (let i = 0; i < 10; i++) await store.append(app, batchOf('a', 'b'));
      expect(sequenceRanges(await store.read(app, 3, 1))).toEqual([[17, 18]]);
      expect(sequenceRanges(await store.readBefore(app, 21, 1e6))).toEqual([
        [19, 20],
        [17, 18],
      ]);
      expect(await store.readBefore(app, 17, 1e6)).toEqual([]);
      expect(await store.sequenceAt(app, 0)).toBe(16);
    });

    it('goes on with its sequences after it was opened again', async () => {
      const app = newAppId();
      const before = await opener.open({ lines: 5 });
      for (let i = 0; i < 10; i++) await before.append(app, batchOf('a', 'b'));
      const bounds = await before.bounds(app);
      await before.close();
      const store = await opener.open({ lines: 5 });
      expect(await store.bounds(app)).toEqual(bounds);
      await store.append(app, batchOf('a', 'b'));
      expect(await store.bounds(app)).toEqual({ ...bounds, first: 19, last: 22 });
    });
  });
}
