/** What a change of one drain costs, however many others there are: the store is asked for what concerns that one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { SILENT_LOG } from '../../../src/common/log.ts';
import { DrainSupervisor } from '../../../src/logs/drains/drain-supervisor.ts';
import { type DrainRecord, drainKey } from '../../../src/logs/drains/options/drain-record.ts';
import { TargetPolicy } from '../../../src/logs/drains/options/target-policy.ts';
import { FencedError } from '../../../src/logs/drains/progress/cursor-state.ts';
import { DrainCursor } from '../../../src/logs/drains/progress/drain-cursor.ts';
import { OutletFactory } from '../../../src/logs/drains/sinks/outlet-factory.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { StreamReaders } from '../../../src/logs/store/stream-reader.ts';
import { newAppId } from '../../support/batches.ts';
import { countingStore } from '../../support/properties/counting-store.ts';

const DRAINS = 30;
const RETENTION = { lines: 1e9, bytes: 1e9, ageMs: 1e12 };
const NOW = '2026-01-01T00:00:00Z';

function drainOf(id: string, app = newAppId()): DrainRecord {
  const url = `https://drain.example/${id}`;
  return { id, token: `d.${id}`, app, url, createdAt: NOW, updatedAt: NOW, after: 0 };
}

it('a drain that was removed leaves no cursor behind, whatever a router does that has not heard of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-supervisor-'));
  const store = new EmbeddedStore({ folder, retention: RETENTION, durability: 'process' });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const drain = drainOf('removed');
  await expect(new DrainCursor(store, drain, 1).load()).rejects.toThrow(FencedError);
  expect(await store.list(drain.app, '')).toEqual([]);

  // It is removed when its new cursor is written, and the store can't be asked right then.
  const get = vi.spyOn(store, 'get');
  get.mockImplementation(async (scope) => {
    if (scope === '') throw new Error('the store is busy');
    return undefined;
  });
  const cursor = new DrainCursor(store, drain, 1);
  await expect(cursor.load()).rejects.toThrow('busy');
  get.mockRestore();
  await expect(cursor.load()).rejects.toThrow(FencedError);
  expect(await store.list(drain.app, '')).toEqual([]);

  await store.transact('', [{ key: drainKey(drain.id), value: drain }]);
  await new DrainCursor(store, drain, 1).load();
  expect(await store.list(drain.app, '')).toMatchObject([{ value: { after: 0, fence: 1 } }]);
});

it('a drain that is added, changed, paused or removed has no other one loaded, and no other lease renewed', async () => {
  // Leases are renewed by a timer: here that never comes.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-supervisor-'));
  const { store, asked } = countingStore(
    new EmbeddedStore({ folder, retention: RETENTION, durability: 'process' }),
  );
  const drains = new DrainSupervisor({
    store,
    readers: new StreamReaders(store),
    outlets: new OutletFactory(new TargetPolicy(false), 'test'),
    logToApp: () => {},
    log: SILENT_LOG,
    version: 'test',
    serverId: () => undefined,
  });
  onTestFinished(async () => {
    await drains.close(0);
    await store.close();
    rmSync(folder, { recursive: true, force: true });
    vi.useRealTimers();
  });
  const put = async (id: string, value: DrainRecord | undefined): Promise<void> => {
    await store.transact('', [{ key: drainKey(id), value }]);
    await drains.reconcile();
  };
  const ids = (): string[] => drains.list().map(({ drain }) => drain.id);
  for (let i = 0; i < DRAINS; i++) await put(`drain-${i}`, drainOf(`drain-${i}`));
  expect(ids()).toHaveLength(DRAINS);
  asked.length = 0;
  const added = drainOf('added');
  await put('added', added);
  expect(ids()).toContain('added');
  await put('added', { ...added, url: 'https://drain.example/other' });
  expect(drains.list().find(({ drain }) => drain.id === 'added')?.drain.url).toMatch(/other/);
  await put('added', { ...added, paused: true });
  expect(ids()).not.toContain('added');
  await put('added', undefined);
  expect(ids()).toHaveLength(DRAINS);
  expect(asked.filter(([call]) => call === 'list')).toEqual([]);
  // When it was added, and when its address changed.
  expect(asked.filter(([call]) => call === 'acquireLease')).toHaveLength(2);
});
