import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CountedMemory } from '../../../../src/common/buffers/counted-memory.ts';
import type { AppId, Store, StoredBatch } from '../../../../src/logs/store/contract.ts';
import { StreamReaders } from '../../../../src/logs/store/stream-reader.ts';
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
      await until('all lines', () => follower.lines.length >= texts.length);
      expect(follower.lines).toEqual(texts);
      await store.append(app, batchOf('last'));
      await until('the last line', () => follower.lines.at(-1) === 'last');
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

    it('needs a batch’s memory no longer than somebody retains it', async () => {
      const store = await opener.open();
      const app = newAppId();
      const { reader, close } = new StreamReaders(store).open(app);
      await reader.ready;
      let givenBack = 0;
      // What is read of it afterwards is wrong.
      const giveBack = (bytes: Uint8Array): void => {
        bytes.fill(0x2a);
        givenBack++;
      };
      // Small ones of the commit log; large ones, whose memory leaves the reader's with later ones; and such as come behind a small one.
      const sizes = [100, 300_000, 2_000, 500_000, 100, 900_000, 5_000];
      const texts = Array.from({ length: 60 }, (_, i) => `${i} `.padEnd(sizes[i % sizes.length], 'x'));
      const held: (readonly StoredBatch[])[] = [];
      for (const [i, text] of texts.entries()) {
        const batch = batchOf(text);
        const memory = new CountedMemory(batch.bytes, giveBack);
        await store.append(app, { ...batch, memory });
        memory.release();
        await until('the reader knows of it', () => reader.newest > i);
        const batches = await reader.readAfter(i);
        expect(linesOf(batches)).toEqual([text]);
        // One who keeps what it got, and one who has done with it.
        if (i % 4 === 0) held.push(batches);
        else for (const one of batches) one.memory?.release();
      }
      expect(givenBack).toBeGreaterThan(10);
      for (const [i, batches] of held.entries()) expect(linesOf(batches)).toEqual([texts[4 * i]]);
      const stored: string[] = [];
      while (stored.length < texts.length) {
        const batches = await store.read(app, stored.length, 1_000_000);
        stored.push(...linesOf(batches));
        for (const { memory } of batches) memory?.release();
      }
      expect(stored).toEqual(texts);
      close();
    });

    it('says whether a stream is followed, and when what is to be appended to it shouldn’t wait', async () => {
      const store = await opener.open();
      const [mine, other] = [newAppId(), newAppId()];
      const appender = store.appenderFor(mine);
      const awaited: AppId[] = [];
      store.watchAwaited((app) => awaited.push(app));
      // Where others may follow it, it always is.
      const isFollowedAlone = appender.isFollowed;
      const stops = [store.subscribe(mine, () => {}), store.subscribe(mine, () => {})];
      const stopOther = store.subscribe(other, () => {});
      expect(appender.isFollowed).toBe(true);
      expect(awaited).toEqual(isFollowedAlone ? [] : [mine, other]);
      stops[0]();
      expect(appender.isFollowed).toBe(true);
      stops[1]();
      expect(appender.isFollowed).toBe(isFollowedAlone);
      await store.dropStream(mine);
      expect(awaited.slice(2)).toEqual(isFollowedAlone ? [] : [mine]);
      stopOther();
    });

    it('says that a stream isn’t followed as long as all who follow it are patient', async () => {
      const store = await opener.open();
      const app = newAppId();
      const appender = store.appenderFor(app);
      const awaited: AppId[] = [];
      store.watchAwaited((one) => awaited.push(one));
      // Where others may follow it, it always is.
      const isFollowedAlone = appender.isFollowed;
      const arePatient = [true, true];
      const stops = arePatient.map((_, i) =>
        store.subscribe(
          app,
          () => {},
          () => arePatient[i],
        ),
      );
      expect(appender.isFollowed).toBe(isFollowedAlone);
      arePatient[1] = false;
      expect(appender.isFollowed).toBe(true);
      arePatient[1] = true;
      expect(appender.isFollowed).toBe(isFollowedAlone);
      // Each of them came when nobody who was there wanted lines at once.
      expect(awaited).toEqual(isFollowedAlone ? [] : [app, app]);
      store.storeGathered(app);
      const stopThird = store.subscribe(app, () => {});
      expect(appender.isFollowed).toBe(true);
      store.subscribe(app, () => {})();
      expect(awaited.slice(2)).toEqual(isFollowedAlone ? [] : [app, app]);
      stopThird();
      expect(appender.isFollowed).toBe(isFollowedAlone);
      for (const stop of stops) stop();
    });

    it('shows who opens a reader beside patient ones what had gathered', async () => {
      const store = await opener.open();
      const app = newAppId();
      const appender = store.appenderFor(app);
      const isFollowedAlone = appender.isFollowed;
      const readers = new StreamReaders(store);
      const drains = [readers.open(app), readers.open(app)];
      await Promise.all(drains.map(({ reader }) => reader.ready));
      const stops = drains.map(({ reader }) =>
        reader.onAppend(
          () => {},
          () => true,
        ),
      );
      expect(appender.isFollowed).toBe(isFollowedAlone);
      let gathered = 0;
      store.watchAwaited(() => {
        gathered++;
        void store.append(app, batchOf(`gathered ${gathered}`));
      });
      const tail = readers.open(app);
      expect(appender.isFollowed).toBe(true);
      await tail.reader.ready;
      // With `disk` it is synced first.
      if (!isFollowedAlone) await until('what had gathered', () => tail.reader.newest === 1);
      expect(linesOf(await tail.reader.readAfter(0))).toEqual(isFollowedAlone ? [] : ['gathered 1']);
      // Whoever comes beside one who isn't patient needn't wait for anything.
      const other = readers.open(app);
      expect(other.reader.isReady).toBe(true);
      other.close();
      tail.close();
      expect(appender.isFollowed).toBe(isFollowedAlone);
      // One that is open and doesn't listen any more may read.
      stops[0]();
      expect(appender.isFollowed).toBe(true);
      drains[0].close();
      expect(appender.isFollowed).toBe(isFollowedAlone);
      drains[1].reader.storeGathered();
      if (!isFollowedAlone) await until('it is stored', () => drains[1].reader.newest === 2);
      stops[1]();
      drains[1].close();
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
      await until('all lines', () => follower.lines.length >= 50);
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
      await until('the scope is told', () => seen.includes(scope));
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
      await until('the scope is told', () => seen.includes(scope));
      expect(keys.get(scope)).toEqual(['a/b c']);
      seen.length = 0;
      await there.transact('', [{ key: `test/${scope}`, value: 1 }]);
      await until('the scope of no app is told', () => seen.includes(''));
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
