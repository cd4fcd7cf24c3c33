import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { AppRegistry } from '../../../src/apps/records/app-registry.ts';
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
