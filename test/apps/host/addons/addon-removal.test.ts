/** Removals that a provider of any kind can't do now. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { until } from '../../../support/until.ts';
import { addonsOnStore } from './addons-on-store.ts';

let folder: string;
let store: EmbeddedStore;
let isStuck: boolean;
let said: string[];
let removedDrains: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-removal-'));
  const retention = { lines: 1_000, bytes: 1_000_000, ageMs: 3_600_000 };
  store = new EmbeddedStore({ folder, retention, durability: 'process' });
  isStuck = false;
  said = [];
  removedDrains = 0;
});
afterEach(async () => {
  vi.useRealTimers();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const deprovision = vi.fn(async () => {
  if (isStuck) throw new Error('EBUSY: its folder is in use');
});

/** A server, as if it were started on the store. */
const start = () =>
  addonsOnStore(store, {
    deprovision,
    logToApp: (_app, message) => void said.push(message),
    onRemoved: async () => void removedDrains++,
  });

describe('an add-on that can’t be removed now', () => {
  it('is off its app at once, and is removed as soon as it can be', async () => {
    const { addons, appRegistry, releases } = start();
    const app = await appRegistry.createApp('shop');
    const addon = await addons.create(app, { plan: 'redis' });
    expect((await releases.current(app.id)).config).toEqual({ REDIS_URL: 'redis://x' });
    isStuck = true;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    expect(await addons.destroy(addon)).toBe(false);
    expect((await releases.current(app.id)).config).toEqual({});
    expect((await addons.snapshot()).addons).toMatchObject([{ id: addon.id, state: 'deprovisioning' }]);
    expect(await addons.info(addon)).toEqual([
      { name: 'Not removed yet', values: ['EBUSY: its folder is in use'] },
    ]);
    // Not `until`, whose timers stand still here.
    await vi.waitUntil(() => said.length === 1, { timeout: 40_000 });
    expect(said[0]).toMatch(/redis-clear-brook-1 is not removed yet, which is tried again: EBUSY/);
    await expect(addons.attach(app, addon, {})).rejects.toThrow(/is being destroyed/);
    isStuck = false;
    await vi.advanceTimersByTimeAsync(1_000);
    vi.useRealTimers();
    await until('it is gone', async () => (await addons.snapshot()).addons.length === 0);
    expect(removedDrains).toBeGreaterThan(0);
    await addons.close();
  });

  it('is removed after the next start, which it doesn’t hold up', async () => {
    const first = start();
    const app = await first.appRegistry.createApp('shop');
    const addon = await first.addons.create(app, { plan: 'redis', name: 'stuck-one' });
    isStuck = true;
    await first.addons.destroy(addon);
    await first.addons.close();
    const second = start();
    await second.addons.open();
    expect((await second.addons.snapshot()).addons).toMatchObject([{ state: 'deprovisioning' }]);
    isStuck = false;
    await until('it is gone', async () => (await second.addons.snapshot()).addons.length === 0);
    // Its name is free, and its app has nothing of it.
    await second.addons.create(app, { plan: 'redis', name: 'stuck-one' });
    await second.addons.close();
  });

  it('doesn’t keep its app', async () => {
    const { addons, appRegistry } = start();
    const app = await appRegistry.createApp('shop');
    await addons.create(app, { plan: 'redis' });
    isStuck = true;
    await addons.removeApp(app);
    await appRegistry.destroyApp(app);
    isStuck = false;
    await until('it is gone', async () => (await addons.snapshot()).addons.length === 0);
    // An app that is gone has no stream to write to.
    expect(said).toEqual([]);
    await addons.close();
  });

  it('that is destroyed by two at once is asked for once', async () => {
    const { addons, appRegistry } = start();
    const app = await appRegistry.createApp('shop');
    const addon = await addons.create(app, { plan: 'redis' });
    deprovision.mockClear();
    const gone = await Promise.allSettled([
      addons.destroy(addon),
      addons.destroy(addon),
      addons.destroy(addon),
    ]);
    expect(gone.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(deprovision).toHaveBeenCalledTimes(1);
    expect((await addons.snapshot()).addons).toEqual([]);
    await addons.close();
  });
});
