import { describe, expect, it } from 'vitest';
import { limitsKey } from '../../../../src/logs/store/app-limits.ts';
import type { AppId, AppLimits, Store } from '../../../../src/logs/store/contract.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { until } from '../../../support/until.ts';
import type { StoreOpener } from './store-suite.ts';
import { readAll } from './streams.ts';

export function limitSuite(opener: StoreOpener): void {
  describe('an app with limits of its own', () => {
    it('has its stream trimmed to these, at once and after a restart, and to those of all when they are cleared', async () => {
      const [app, other] = [newAppId(), newAppId()];
      const store = await opener.open({ lines: 20 });
      await appendLines(store, app, 30);
      await appendLines(store, other, 30);
      await setLimits(store, app, { lines: 5 });
      await until('nothing is added, and five are left', async () => (await held(store, app)) === 5);
      await appendLines(store, app, 10);
      expect(await held(store, app)).toBe(5);
      expect(await held(store, other)).toBe(20);
      await store.close();

      const again = await opener.open({ lines: 20 });
      await appendLines(again, app, 3);
      expect(await held(again, app)).toBe(5);
      expect(linesOf(await readAll(again, app))).toEqual(['9', '10', '1', '2', '3']);
      await setLimits(again, app, { lines: 50 });
      await appendLines(again, app, 60);
      expect(await held(again, app)).toBe(50);
      await setLimits(again, app, undefined);
      await until('it has as many as all', async () => (await held(again, app)) === 20);
      expect(await again.bounds(other)).toMatchObject({ first: 11, last: 30 });
    });

    it('has its stream trimmed to its bytes, and keeps its newest batch', async () => {
      const app = newAppId();
      const size = batchOf('x'.repeat(1_000)).bytes.length;
      const store = await opener.open();
      for (let i = 0; i < 20; i++) await store.append(app, batchOf('x'.repeat(1_000)));
      await setLimits(store, app, { bytes: size * 3 });
      await until('three are left', async () => (await store.bounds(app)).bytes === size * 3);
      expect(await store.bounds(app)).toEqual({ first: 18, last: 20, bytes: size * 3 });
      await setLimits(store, app, { bytes: 1 });
      await until('one is left', async () => (await store.bounds(app)).first === 20);
      await store.append(app, batchOf('x'));
      expect(linesOf(await readAll(store, app))).toEqual(['x']);
    });

    it('keeps lines for as long as it says, when nothing is added to them', async () => {
      const [long, short, usual] = [newAppId(), newAppId(), newAppId()];
      const store = await opener.open({ ageMs: 1_000 });
      await setLimits(store, long, { ageMs: 3_600_000 });
      for (const app of [long, short, usual]) await appendLines(store, app, 3);
      await setLimits(store, short, { ageMs: 500 });
      await until('those of the short age are gone', async () => (await held(store, short)) === 0);
      await until('those of the usual age are gone', async () => (await held(store, usual)) === 0);
      expect(await held(store, long)).toBe(3);
      await store.close();
      const again = await opener.open({ ageMs: 1_000 });
      // Streams are looked at when it is opened, and in each sweep: by then the others were removed again.
      await appendLines(again, usual, 1);
      await until('the next sweep was there', async () => (await held(again, usual)) === 0);
      expect(linesOf(await readAll(again, long))).toEqual(['1', '2', '3']);
      expect(await again.bounds(short)).toMatchObject({ first: 4, last: 3 });
    });

    it('is told what its stream holds and takes, as others are', async () => {
      const store = await opener.open();
      const apps = [newAppId(), newAppId(), newAppId()];
      const size = batchOf('x'.repeat(1_000)).bytes.length;
      await setLimits(store, apps[0], { bytes: 2 * size });
      for (const app of apps.slice(0, 2))
        for (let i = 0; i < 5; i++) await store.append(app, batchOf('x'.repeat(1_000)));
      expect(await store.heldBytes(apps)).toEqual([2 * size, 5 * size, 0]);
      expect(await store.storedBytes(apps[1])).toBeGreaterThan(1_000);
      expect(await store.storedBytes(apps[2])).toBe(0);
      await store.close();
      expect(await (await opener.open()).storedBytes(apps[1])).toBeGreaterThan(1_000);
    });

    it('has them in every process', async () => {
      if (!opener.shared) return;
      const app = newAppId();
      const [one, other] = [await opener.open(), await opener.open()];
      await setLimits(one, app, { lines: 2 });
      await until('the other knows', () => other.limits.retentionOf(app).lines === 2);
      await appendLines(other, app, 10);
      expect(await held(one, app)).toBe(2);
      await setLimits(other, app, undefined);
      await until('the first one knows', () => one.limits.of(app) === undefined);
      await appendLines(one, app, 10);
      expect(await held(one, app)).toBe(12);
    });
  });
}

async function setLimits(store: Store, app: AppId, limits: AppLimits | undefined): Promise<void> {
  await store.transact('', [{ key: limitsKey(app), value: limits }]);
}

async function appendLines(store: Store, app: AppId, count: number): Promise<void> {
  for (let i = 1; i <= count; i++) await store.append(app, batchOf(String(i)));
}

/** How many lines a stream holds. */
async function held(store: Store, app: AppId): Promise<number> {
  const { first, last } = await store.bounds(app);
  return last - first + 1;
}
