import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AppId, Store, StoredBatch } from '../../../../src/logs/store/contract.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { until } from '../../../support/until.ts';
import type { StoreOpener } from './store-suite.ts';

export function subscriptionSuite(opener: StoreOpener): void {
  describe('subscribe', () => {
    it('lets a reader that reads after every notification see everything within a second', async () => {
      const store = await opener.open();
      const app = newAppId();
      const follower = new SubscribedReader(store, app);
      const texts = Array.from({ length: 200 }, (_, i) => `line ${i}`);
      for (const text of texts) void store.append(app, batchOf(text));
      await until('all lines', () => follower.lines.length >= texts.length, 5_000);
      expect(follower.lines).toEqual(texts);
      await store.append(app, batchOf('last'));
      await until('the last line', () => follower.lines.at(-1) === 'last', 1_000);
      follower.stop();
    });

    it('gives a batch, when it gives one, as it was stored', async () => {
      const store = await opener.open();
      const app = newAppId();
      const seen: string[] = [];
      const stop = store.subscribe(app, (batch) => {
        if (batch) seen.push(`${batch.first}-${batch.last} ${linesOf([batch])} ${batch.storedAtMs > 0}`);
      });
      await store.append(app, batchOf('a', 'b'));
      await store.append(app, batchOf('c'));
      for (const one of new Set(seen)) expect(['1-2 a,b true', '3-3 c true']).toContain(one);
      stop();
    });

    it('reports that a batch is retained by readers when a subscriber got it', async () => {
      const store = await opener.open();
      const app = newAppId();
      const given: StoredBatch[] = [];
      const stop = store.subscribe(app, (batch) => {
        if (batch) given.push(batch);
      });
      for (const text of Array.from({ length: 20 }, (_, i) => `line ${i}`)) {
        const { first, retainedByReaders: passedOn } = await store.append(app, batchOf(text));
        if (given.some((batch) => batch.first === first)) expect(passedOn).toBe(true);
      }
      stop();
    });

    it('notifies only subscribers of the app, and until they unsubscribe', async () => {
      const store = await opener.open();
      const [mine, other] = [newAppId(), newAppId()];
      const woken = { mine: 0, other: 0, second: 0 };
      const stop = store.subscribe(mine, () => woken.mine++);
      const stopSecond = store.subscribe(mine, () => woken.second++);
      const stopOther = store.subscribe(other, () => woken.other++);
      await until('both are being woken', async () => {
        await store.append(mine, batchOf('x'));
        return woken.mine > 0 && woken.second > 0;
      });
      stop();
      const before = { ...woken };
      await until('the one who stayed is woken again', async () => {
        await store.append(mine, batchOf('y'));
        return woken.second > before.second;
      });
      expect(woken.mine).toBe(before.mine);
      stopSecond();
      stopOther();
    });

    it('notifies of the appends of another router', async () => {
      if (!opener.shared) return expectExclusive(opener);
      const [here, there] = [await opener.open(), await opener.open()];
      const app = newAppId();
      const follower = new SubscribedReader(here, app);
      for (let i = 0; i < 50; i++) await (i % 2 ? here : there).append(app, batchOf(`line ${i}`));
      await until('all lines', () => follower.lines.length >= 50, 1_000);
      expect(follower.lines).toEqual(Array.from({ length: 50 }, (_, i) => `line ${i}`));
      follower.stop();
    });
  });

  describe('watch', () => {
    it('notifies of the scope of every transaction that was made', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      const seen: string[] = [];
      const keys = new Map<string, readonly string[] | undefined>();
      const stop = store.watchRecords((changed, changedKeys) => {
        seen.push(changed);
        keys.set(changed, changedKeys);
      });
      await store.transact(scope, [
        { key: 'a', value: 1 },
        { key: 'b c', value: undefined },
      ]);
      await until('the scope is told', () => seen.includes(scope), 1_000);
      expect(keys.get(scope)).toEqual(['a', 'b c']);
      stop();
      const other = randomUUID();
      await store.transact(other, [{ key: 'a', value: 1 }]);
      expect(seen).not.toContain(other);
    });

    it('notifies of transactions that another router made', async () => {
      if (!opener.shared) return expectExclusive(opener);
      const [here, there] = [await opener.open(), await opener.open()];
      const seen: string[] = [];
      const keys = new Map<string, readonly string[] | undefined>();
      here.watchRecords((changed, changedKeys) => {
        seen.push(changed);
        keys.set(changed, changedKeys);
      });
      const scope = randomUUID();
      await there.transact(scope, [{ key: 'a/b c', value: 1 }]);
      await until('the scope is told', () => seen.includes(scope), 1_000);
      expect(keys.get(scope)).toEqual(['a/b c']);
      seen.length = 0;
      await there.transact('', [{ key: `test/${scope}`, value: 1 }]);
      await until('the scope of no app is told', () => seen.includes(''), 1_000);
      await there.transact('', [{ key: `test/${scope}`, value: undefined }]);
    });
  });
}

/** A reader that reads on after every notification. */
class SubscribedReader {
  readonly lines: string[] = [];
  readonly stop: () => void;
  private after = 0;
  private reading = false;
  private again = false;

  constructor(store: Store, app: AppId) {
    this.stop = store.subscribe(app, () => void this.read(store, app));
  }

  private async read(store: Store, app: AppId): Promise<void> {
    this.again = true;
    if (this.reading) return;
    this.reading = true;
    while (this.again) {
      this.again = false;
      const batches = await store.read(app, this.after, 1e6);
      this.lines.push(...linesOf(batches));
      this.after = batches.at(-1)?.last ?? this.after;
    }
    this.reading = false;
  }
}

/** Where only one router can open the store, the other one gets an error. */
async function expectExclusive(opener: StoreOpener): Promise<void> {
  await opener.open();
  await expect(opener.open()).rejects.toThrow(/in use by another/);
}
