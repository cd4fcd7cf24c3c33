import { expect, it } from 'vitest';
import { TokenCache, type TokenRecord, tokenKey } from '../../../src/logs/router/token-cache.ts';
import type { AppId, RecordListener, Store } from '../../../src/logs/store/contract.ts';

const RECORD: TokenRecord = {
  token: 't.1',
  app: 'app' as AppId,
  source: 'web',
  createdAt: '2026-01-01T00:00:00Z',
};

/** The cache over a store whose reads end when they are told to. */
function setUp() {
  const records = new Map([[tokenKey('t.1'), RECORD]]);
  const reads: (() => void)[] = [];
  let changed: RecordListener = () => undefined;
  const store: Pick<Store, 'get' | 'watchRecords'> = {
    get: (async (_scope: string, key: string) => {
      const value = records.get(key);
      await new Promise<void>((resolve) => reads.push(resolve));
      return value && { value, version: 1 };
    }) as Store['get'],
    watchRecords: ((listener: RecordListener) => {
      changed = listener;
      return () => undefined;
    }) as Store['watchRecords'],
  };
  const finishRead = async (): Promise<void> => {
    reads.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    cache: new TokenCache(store as Store),
    records,
    changed: (scope: string, keys?: readonly string[]) => changed(scope, keys),
    finishRead,
  };
}

it('what is longer than any token is none: it is neither looked up nor remembered', async () => {
  const { cache } = setUp();
  const long = `t.${'a'.repeat(16_000)}`;
  expect(cache.lookup(long)).toBeNull();
  // The store would have to be told to answer.
  expect(await cache.load(long)).toBeNull();
  expect(cache.lookup('t.1')).toBeUndefined();
});

it('a token that is revoked while it is looked up isn’t known afterwards', async () => {
  const { cache, records, changed, finishRead } = setUp();
  const found = cache.load('t.1');
  records.clear();
  changed('');
  await finishRead();
  expect(cache.lookup('t.1')).toBeUndefined();
  await finishRead();
  expect(await found).toBeNull();
  expect(cache.lookup('t.1')).toBeNull();
});

it('one that is made while it is looked up is known afterwards', async () => {
  const { cache, records, changed, finishRead } = setUp();
  records.clear();
  const found = cache.load('t.1');
  records.set(tokenKey('t.1'), RECORD);
  changed('another scope');
  changed('');
  await finishRead();
  await finishRead();
  expect(await found).toMatchObject({ app: 'app', source: 'web' });
  expect(cache.lookup('t.1')).toMatchObject({ app: 'app' });
});

it('what others have isn’t looked up again when a token is made or revoked', async () => {
  const { cache, records, changed, finishRead } = setUp();
  records.set(tokenKey('t.2'), { ...RECORD, token: 't.2' });
  for (const token of ['t.1', 't.2', 't.3']) {
    const found = cache.load(token);
    await finishRead();
    await found;
  }
  const { version } = cache;
  changed('', ['app/1', 'name/one']);
  expect(cache.version).toBe(version);
  changed('', [tokenKey('t.2'), tokenKey('t.3')]);
  expect(cache.version).toBeGreaterThan(version);
  expect(['t.1', 't.2', 't.3'].map((token) => cache.lookup(token)?.token)).toEqual([
    't.1',
    undefined,
    undefined,
  ]);
  expect(cache.lookup('t.3')).toBeUndefined();
});

it('a flood of guesses is looked up some a turn of the event loop, whoever waits; what was looked up meanwhile isn’t again', async () => {
  let reads = 0;
  const store: Pick<Store, 'get' | 'watchRecords'> = {
    get: (async () => void reads++) as Store['get'],
    watchRecords: () => () => undefined,
  };
  const cache = new TokenCache(store as Store);
  const all = Array.from({ length: 400 }, (_, i) => cache.load(`t.${i % 200}`));
  let most = 0;
  let turns = 0;
  for (let before = 0; before < 200; before = reads, turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, reads - before);
  }
  expect(await Promise.all(all)).toEqual(all.map(() => null));
  expect(reads).toBe(200);
  expect(most).toBeLessThanOrEqual(32);
  expect(turns).toBeGreaterThan(5);
});
