/** What a change of one app's add-ons costs, however many other apps have some. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { AttachmentRecord } from '../../../../src/apps/host/addons/model/addon-record.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { countingStore } from '../../../support/properties/counting-store.ts';
import { addonsOnStore } from './addons-on-store.ts';

it('an app gets, shares and loses add-ons without those of all apps being listed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-many-addons-'));
  const retention = { lines: 1_000, bytes: 1_000_000, ageMs: 3_600_000 };
  const embedded = new EmbeddedStore({ folder, retention, durability: 'process' });
  onTestFinished(async () => {
    await embedded.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const { store, asked } = countingStore(embedded);
  const { addons, appRegistry, releases } = addonsOnStore(store);
  const shop = await appRegistry.createApp('shop');
  const blog = await appRegistry.createApp('blog');
  const first = await addons.create(shop, { plan: 'redis', name: 'first-one' });
  asked.length = 0;
  const second = await addons.create(blog, { plan: 'redis', name: 'second-one' });
  const shared = await addons.attach(blog, first, { as: 'SHARED' });
  expect((await releases.current(blog.id)).config).toEqual({
    REDIS_URL: 'redis://x',
    SHARED_URL: 'redis://x',
  });
  await expect(addons.create(blog, { plan: 'redis', name: 'FIRST-one' })).rejects.toThrow(/taken|name/i);
  expect((await addons.find('first-one'))?.id).toBe(first.id);
  expect((await addons.find(second.id))?.name).toBe('second-one');
  expect(await addons.find('First-One')).toBeUndefined();
  await addons.detach(shared);
  expect((await releases.current(blog.id)).config).toEqual({ REDIS_URL: 'redis://x' });
  const attachments = await embedded.listOfApp<AttachmentRecord>(blog.id, 'attachment/');
  await expect(addons.detach(attachments[0].value)).rejects.toThrow(/last attachment/);
  expect(await addons.destroy(second)).toBe(true);
  expect((await releases.current(blog.id)).config).toEqual({});
  const listed = asked.filter(([call]) => call === 'list').map(([, , prefix]) => prefix);
  expect(listed).not.toContain('addon/');
  // Which apps an add-on that goes is attached to, the attachments alone say.
  expect(listed.filter((prefix) => prefix === 'attachment/').length).toBeLessThanOrEqual(2);
});
