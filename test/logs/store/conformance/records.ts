import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AppId, Store } from '../../../../src/logs/store/contract.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';
import type { StoreOpener } from './store-suite.ts';

export function recordSuite(opener: StoreOpener): void {
  describe('records', () => {
    it('are read as they were written, with a version that grows by one', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      const value = { text: 'Grüße 🚰\n"\\', list: [1, 2.5, null, true, -7e300], deep: { er: {} } };
      expect(await store.get(scope, 'a')).toBeUndefined();
      expect(await store.transact(scope, [{ key: 'a', value }])).toBe(true);
      expect(await store.get(scope, 'a')).toEqual({ key: 'a', value, version: 1 });
      await store.transact(scope, [{ key: 'a', value: 'other' }]);
      expect(await store.get(scope, 'a')).toEqual({ key: 'a', value: 'other', version: 2 });
    });

    it('of names that are longer than any are not there', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      await store.transact(scope, [{ key: 'name/a', value: 1 }]);
      for (const key of ['x'.repeat(2_000), 'x'.repeat(20_000), '\u20ac'.repeat(1_500), '\0'.repeat(1_900)]) {
        expect(await store.get(scope, `name/${key}`)).toBeUndefined();
        expect(await store.list(scope, `name/${key}`)).toEqual([]);
        expect(await store.get(scope + key, 'name/a')).toBeUndefined();
      }
      expect(await store.list(scope, 'name/')).toHaveLength(1);
    });

    it('hold every kind of JSON', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      const values = [0, '', false, null, [], {}, '12:34', Number.MAX_SAFE_INTEGER];
      await store.transact(
        scope,
        values.map((value, i) => ({ key: `${i}`, value })),
      );
      expect((await store.list(scope, '')).map(({ value }) => value)).toEqual(values);
    });

    it('are listed by prefix, in the order of their keys', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      const keys = ['b/2', 'a', 'b/10', 'b', 'c/1', 'b/é', 'b/z', 'b/1', 'b0'];
      await store.transact(
        scope,
        keys.map((key) => ({ key, value: key.toUpperCase() })),
      );
      const listed = await store.list<string>(scope, 'b/');
      expect(listed.map(({ key }) => key)).toEqual(['b/1', 'b/10', 'b/2', 'b/z', 'b/é']);
      expect(listed.map(({ value, version }) => [value, version])).toEqual(
        ['B/1', 'B/10', 'B/2', 'B/Z', 'B/É'].map((value) => [value, 1]),
      );
      expect((await store.list(scope, '')).map(({ key }) => key)).toEqual([
        'a',
        'b',
        'b/1',
        'b/10',
        'b/2',
        'b/z',
        'b/é',
        'b0',
        'c/1',
      ]);
      expect(await store.list(scope, 'nothing')).toEqual([]);
    });

    it('are found and listed among thousands', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      const keys = Array.from({ length: 3_000 }, (_, i) => `k/${String(i).padStart(5, '0')}`);
      for (let i = 0; i < keys.length; i += 500)
        await store.transact(
          scope,
          keys.slice(i, i + 500).map((key) => ({ key, value: key })),
        );
      expect((await store.list(scope, 'k/')).map(({ key }) => key)).toEqual(keys);
      expect(await store.list(scope, 'k/0299')).toHaveLength(10);
    });

    it('belong to their scope', async () => {
      const store = await opener.open();
      const [one, two] = [randomUUID(), randomUUID()];
      await store.transact(one, [{ key: 'a', value: 1 }]);
      expect(await store.get(two, 'a')).toBeUndefined();
      expect(await store.list(two, '')).toEqual([]);
      const mine = `test/${randomUUID()}`;
      await store.transact('', [{ key: mine, value: 2 }]);
      expect(await store.get('', mine)).toEqual({ key: mine, value: 2, version: 1 });
      await store.transact('', [{ key: mine, value: undefined }]);
    });

    it('are deleted, and start anew', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      await store.transact(scope, [
        { key: 'a', value: 1 },
        { key: 'b', value: 2 },
      ]);
      expect(await store.transact(scope, [{ key: 'a', value: undefined }])).toBe(true);
      expect(await store.get(scope, 'a')).toBeUndefined();
      expect((await store.list(scope, '')).map(({ key }) => key)).toEqual(['b']);
      expect(await store.transact(scope, [{ key: 'gone', value: undefined }])).toBe(true);
      await store.transact(scope, [{ key: 'a', value: 3, ifVersion: 0 }]);
      expect(await store.get(scope, 'a')).toEqual({ key: 'a', value: 3, version: 1 });
    });
  });

  describe('records of no app', () => {
    it('are listed by the app that they belong to, whatever was changed, by whom and in which order', async () => {
      const stores = opener.shared ? [await opener.open(), await opener.open()] : [await opener.open()];
      const apps = Array.from({ length: 5 }, () => randomUUID() as AppId);
      const mark = randomUUID();
      const keys = Array.from({ length: 40 }, (_, i) => `${i % 2 ? 'token' : 'drain'}/${mark}-${i}`);
      const random = seededRandom(86);
      const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
      const randomValue = (): unknown =>
        pick<unknown>([
          undefined,
          { id: 1 },
          'text',
          { app: 7 },
          ...apps.map((app) => ({ app, n: random() })),
        ]);
      for (let round = 0; round < 40; round++) {
        // Some of them at once: of these the store decides the order.
        await Promise.all(
          Array.from({ length: 4 }, () =>
            pick(stores).transact(
              '',
              [...new Set(Array.from({ length: 3 }, () => pick(keys)))].map((key) => ({
                key,
                value: randomValue(),
                ...(random() < 0.2 ? { ifVersion: 1 } : {}),
              })),
              { quiet: random() < 0.3 },
            ),
          ),
        );
        if (round % 8 === 7) await expectListsByApp(pick(stores), apps, mark);
      }
      if (!opener.shared) await stores[0].close();
      const again = opener.shared ? stores[0] : await opener.open();
      await expectListsByApp(again, apps, mark);
      await again.transact(
        '',
        keys.map((key) => ({ key, value: undefined })),
      );
      for (const app of apps) expect(await again.listOfApp(app, '')).toEqual([]);
    });
  });

  describe('a transaction', () => {
    it('makes all changes, or none', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      await store.transact(scope, [{ key: 'a', value: 1 }]);
      const changes = [
        { key: 'a', value: 2 },
        { key: 'new', value: 1 },
        { key: 'b', value: undefined, ifVersion: 7 },
      ];
      expect(await store.transact(scope, changes)).toBe(false);
      expect((await store.list(scope, '')).map(({ key, value }) => [key, value])).toEqual([['a', 1]]);
    });

    it('checks the versions that were given', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      expect(await store.transact(scope, [{ key: 'a', value: 1, ifVersion: 1 }])).toBe(false);
      expect(await store.transact(scope, [{ key: 'a', value: 1, ifVersion: 0 }])).toBe(true);
      expect(await store.transact(scope, [{ key: 'a', value: 2, ifVersion: 0 }])).toBe(false);
      expect(await store.transact(scope, [{ key: 'a', value: 2, ifVersion: 1 }])).toBe(true);
      expect(await store.transact(scope, [{ key: 'a', value: undefined, ifVersion: 1 }])).toBe(false);
      expect(await store.transact(scope, [{ key: 'a', value: undefined, ifVersion: 2 }])).toBe(true);
    });

    it('succeeds for one of many that start from the same version', async () => {
      const store = await opener.open();
      const scope = randomUUID();
      const others = opener.shared ? [store, await opener.open()] : [store];
      await store.transact(scope, [{ key: 'n', value: 0 }]);
      const add = async (i: number): Promise<void> => {
        const mine = others[i % others.length];
        for (;;) {
          const found = await mine.get<number>(scope, 'n');
          const change = { key: 'n', value: (found?.value ?? 0) + 1, ifVersion: found?.version ?? 0 };
          if (await mine.transact(scope, [change])) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, i) => add(i)));
      expect(await store.get(scope, 'n')).toEqual({ key: 'n', value: 20, version: 21 });
    });

    it('is durable: it is there after the store was opened again', async () => {
      const scope = randomUUID();
      const before = await opener.open();
      await before.transact(scope, [{ key: 'a', value: { b: 1 } }]);
      await before.close();
      const store = await opener.open();
      expect(await store.get(scope, 'a')).toEqual({ key: 'a', value: { b: 1 }, version: 1 });
    });

    it('of nothing is made', async () => {
      const store = await opener.open();
      expect(await store.transact(randomUUID(), [])).toBe(true);
    });
  });
}

/** What is listed by app is what is listed of all. */
async function expectListsByApp(store: Store, apps: readonly AppId[], mark: string): Promise<void> {
  for (const prefix of ['token/', 'drain/']) {
    const all = await store.list<{ app?: unknown }>('', prefix + mark);
    for (const app of apps)
      expect(await store.listOfApp(app, prefix)).toEqual(all.filter(({ value }) => value.app === app));
  }
}
