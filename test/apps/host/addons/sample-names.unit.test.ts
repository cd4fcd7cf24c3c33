/** What the samples of an add-on are named after, whatever was renamed and promoted since it was made. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { addonsOnStore } from './addons-on-store.ts';

let folder: string;
let store: EmbeddedStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-samples-'));
  const retention = { lines: 1_000, bytes: 1_000_000, ageMs: 3_600_000 };
  store = new EmbeddedStore({ folder, retention, durability: 'process' });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A server, as if it were started on the store. */
const start = () => addonsOnStore(store);

describe('the samples of an add-on', () => {
  it('are named after its attachment to its app as it is now', async () => {
    const { addons, appRegistry } = start();
    const app = await appRegistry.createApp('shop');
    const other = await appRegistry.createApp('other');
    const first = await addons.create(app, { plan: 'postgresql', name: 'first-db' });
    const second = await addons.create(app, { plan: 'postgresql', name: 'second-db' });
    const color = (await addons.reports.sampleNames(second)).source;
    expect(color).toMatch(/^HEROKU_POSTGRESQL_[A-Z]+$/);
    expect(await addons.reports.sampleNames(first)).toEqual({ source: 'DATABASE', addon: 'first-db' });

    // Promoted, as Heroku's CLI does it; what another app calls it is no name of it here.
    await addons.attach(other, second, { as: 'THEIRS' });
    await addons.attach(app, first, { as: 'OLD' });
    await addons.attach(app, second, { as: 'DATABASE', confirm: 'shop' });
    await addons.rename(second, 'renamed-db');
    expect(await addons.reports.sampleNames(second)).toEqual({ source: 'DATABASE', addon: 'renamed-db' });
    expect(await addons.reports.sampleNames(first)).toEqual({ source: 'OLD', addon: 'first-db' });
    await addons.close();
  });
});
