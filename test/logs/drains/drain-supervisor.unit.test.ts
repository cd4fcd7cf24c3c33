/** What a change of one drain costs, however many others there are: the store is asked for what concerns that one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { SILENT_LOG } from '../../../src/common/log.ts';
import { DrainSupervisor } from '../../../src/logs/drains/drain-supervisor.ts';
import { type DrainRecord, drainKey } from '../../../src/logs/drains/options/drain-record.ts';
import { TargetPolicy } from '../../../src/logs/drains/options/target-policy.ts';
import { OutletFactory } from '../../../src/logs/drains/sinks/outlet-factory.ts';
import type { Store } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { StreamReaders } from '../../../src/logs/store/stream-reader.ts';
import { newAppId } from '../../support/batches.ts';

const DRAINS = 30;
const NOW = '2026-01-01T00:00:00Z';

/** The real store, which counts what it is asked. */
function counting(store: Store): { store: Store; asked: Map<string, number> } {
  const asked = new Map<string, number>();
  const counted = new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        asked.set(String(name), (asked.get(String(name)) ?? 0) + 1);
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { store: counted, asked };
}

function drainOf(id: string, app = newAppId()): DrainRecord {
  const url = `https://drain.example/${id}`;
  return { id, token: `d.${id}`, app, url, createdAt: NOW, updatedAt: NOW, after: 0 };
}

it('a drain that is added, changed, paused or removed has no other one loaded, and no other lease renewed', async () => {
  // Leases are renewed by a timer: here that never comes.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-supervisor-'));
  const retention = { lines: 1e9, bytes: 1e9, ageMs: 1e12 };
  const { store, asked } = counting(new EmbeddedStore({ folder, retention, durability: 'process' }));
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
  asked.clear();
  const added = drainOf('added');
  await put('added', added);
  expect(ids()).toContain('added');
  await put('added', { ...added, url: 'https://drain.example/other' });
  expect(drains.list().find(({ drain }) => drain.id === 'added')?.drain.url).toMatch(/other/);
  await put('added', { ...added, paused: true });
  expect(ids()).not.toContain('added');
  await put('added', undefined);
  expect(ids()).toHaveLength(DRAINS);
  expect(asked.get('list') ?? 0).toBe(0);
  // When it was added, and when its address changed.
  expect(asked.get('acquireLease')).toBe(2);
});
