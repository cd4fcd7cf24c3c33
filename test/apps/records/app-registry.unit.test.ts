import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { type AppRecord, AppRegistry } from '../../../src/apps/records/app-registry.ts';
import type { DrainRecord } from '../../../src/logs/drains/options/drain-record.ts';
import { FencedError } from '../../../src/logs/drains/progress/cursor-state.ts';
import { DrainCursor } from '../../../src/logs/drains/progress/drain-cursor.ts';
import { refusedKeyPrefix } from '../../../src/logs/drains/progress/refused-batches.ts';
import type { Store } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';

let store: Store;
let registry: AppRegistry;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-registry-'));
  const retention = { lines: 1_000, bytes: 1_000_000, ageMs: 3_600_000 };
  const opened = new EmbeddedStore({ folder, retention, durability: 'process' });
  store = opened;
  registry = new AppRegistry(store);
  onTestFinished(async () => {
    await opened.close();
    rmSync(folder, { recursive: true });
  });
});

const codes = async (all: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(all)).map((one) => (one.status === 'rejected' ? one.reason.code : 'done'));

it('of several who add the same at once one does', async () => {
  const { id } = await registry.createApp('shop');
  const { id: other } = await registry.createApp('other');
  const three = (add: () => Promise<unknown>) => codes([add(), add(), add()]);
  expect((await three(() => registry.addDrain(id, 'https://x.example.com/'))).sort()).toEqual([
    'conflict',
    'conflict',
    'done',
  ]);
  expect(await registry.listDrains(id)).toHaveLength(1);
  expect(
    await codes([registry.addDomain(id, 'a.example.com'), registry.addDomain(other, 'a.example.com')]),
  ).toEqual(['done', 'conflict']);
  expect(await codes(Array.from({ length: 10 }, () => registry.addToken(id, 'nginx')))).toEqual(
    new Array(10).fill('done'),
  );
  expect(await registry.listTokens(id)).toHaveLength(12);
});

it('what several change in one drain at once is all in it, and an address is given once', async () => {
  const { id } = await registry.createApp('shop');
  const [drain, other] = [
    await registry.addDrain(id, 'https://x.example.com/'),
    await registry.addDrain(id, 'https://y.example.com/'),
  ];
  const headers = Array.from({ length: 8 }, (_, i) => [`X-${i}`, 'v'] as const);
  await Promise.all([
    registry.updateDrain(id, drain.id, () => ({ paused: true })),
    ...headers.map(([name, value]) =>
      registry.updateDrain(id, drain.id, ({ options }) => ({
        options: { ...options, headers: { ...options?.headers, [name]: value } },
      })),
    ),
  ]);
  expect(await registry.getDrain(id, drain.id)).toMatchObject({
    paused: true,
    options: { headers: Object.fromEntries(headers) },
  });
  const url = 'https://z.example.com/';
  const take = (which: string) => registry.updateDrain(id, which, () => ({ url }));
  expect((await codes([take(drain.id), take(other.id), registry.addDrain(id, url)])).toSorted()).toEqual([
    'conflict',
    'conflict',
    'done',
  ]);
  expect((await registry.listDrains(id)).filter((one) => one.url === url)).toHaveLength(1);
  const gone = codes([
    registry.removeDrain(id, other.id),
    registry.updateDrain(id, other.id, () => ({ paused: true })),
  ]);
  expect((await gone)[0]).toBe('done');
  expect((await registry.listDrains(id)).map((one) => one.id)).not.toContain(other.id);
});

it('the lines of a drain carry the name that its app has', async () => {
  const app = await registry.createApp('shop');
  const before = await registry.addDrain(app.id, 'https://x.example.com/');
  const own = await registry.addDrain(app.id, 'http://127.0.0.1:9/?stream=shop', { server: 's' });
  expect([before.appName, own.appName]).toEqual(['shop', 'shop']);
  await Promise.all([
    registry.updateApp(app, { name: 'renamed' }),
    registry.addDrain(app.id, 'https://y.example.com/'),
    registry.updateDrain(app.id, before.id, () => ({ paused: true })),
  ]);
  const names = (await registry.listDrains(app.id)).map(({ url, appName }) => [url, appName]);
  expect(Object.fromEntries(names)).toEqual({
    'https://x.example.com/': 'renamed',
    'https://y.example.com/': 'renamed',
    // To a service of the server's own, which knows the lines by it.
    'http://127.0.0.1:9/?stream=shop': 'shop',
  });
  expect(await registry.getDrain(app.id, before.id)).toMatchObject({ paused: true });
});

it('nothing is kept of a drain that is removed, or whose app is, while its worker goes on', async () => {
  for (const remove of [
    (app: AppRecord, drain: DrainRecord) => registry.removeDrain(app.id, drain.id),
    (app: AppRecord) => registry.destroyApp(app),
  ]) {
    const app = await registry.createApp('shop');
    const drain = await registry.addDrain(app.id, 'https://x.example.com/');
    const cursor = new DrainCursor(store, drain, 1);
    await cursor.load();
    const aside = (i: number) => [{ key: `${refusedKeyPrefix(drain.id)}${i}`, value: { i } }];
    await cursor.save(aside(0));
    expect(await store.list(app.id, refusedKeyPrefix(drain.id))).toHaveLength(1);
    // Also right when it has been looked up what there is to remove.
    const list = store.list.bind(store);
    vi.spyOn(store, 'list').mockImplementation(async (scope, prefix) => {
      const found = await list(scope, prefix);
      if (scope === app.id && found.length > 0) await cursor.save(aside(1)).catch(() => {});
      return found as never;
    });
    await remove(app, drain);
    vi.restoreAllMocks();
    await expect(cursor.save(aside(-1))).rejects.toThrow(FencedError);
    await expect(cursor.save()).rejects.toThrow(FencedError);
    expect(await store.list(app.id, '')).toEqual([]);
    if ((await registry.findApp('shop')) !== undefined) await registry.destroyApp(app);
  }
});

it('of an app that is changed while it is destroyed nothing stays', async () => {
  const app = await registry.createApp('shop');
  await Promise.allSettled([
    registry.updateApp(app, { name: 'renamed' }),
    registry.destroyApp(app),
    registry.addDrain(app.id, 'https://x.example.com/'),
    registry.addDomain(app.id, 'a.example.com'),
    registry.addToken(app.id, 'nginx'),
    registry.destroyApp(app),
  ]);
  expect((await store.list('', '')).map(({ key }) => key)).toEqual([]);
  // Neither of its names is taken, and nothing is added to what is gone.
  expect(await codes([registry.createApp('shop'), registry.createApp('renamed')])).toEqual(['done', 'done']);
  expect(await codes([registry.addDrain(app.id, 'https://x.example.com/')])).toEqual(['not_found']);
});
