/** What attaching an add-on makes, and what stands against it. */
import { describe, expect, it } from 'vitest';
import type { AddonRecord, AttachmentRecord } from '../../../../src/apps/host/addons/model/addon-record.ts';
import { planAttachment } from '../../../../src/apps/host/addons/model/plan-attachment.ts';

const at = '2026-01-01T00:00:00Z';
const shop = { id: 'app-1' as AddonRecord['app'], name: 'shop', createdAt: at, updatedAt: at };
const database = (id: string): AddonRecord => ({
  id,
  name: `postgresql-${id}`,
  app: shop.id,
  service: 'heroku-postgresql',
  plan: 'essential-0',
  provider: 'local',
  server: 'here',
  state: 'provisioned',
  configVars: { URL: 'url' },
  prefix: 'DATABASE',
  colorPrefix: 'HEROKU_POSTGRESQL',
  config: { URL: `postgres://${id}` },
  options: {},
  createdAt: at,
  updatedAt: at,
});
const attached = (name: string, addon: AddonRecord): AttachmentRecord => ({
  id: `${name} of ${addon.id}`,
  name,
  app: shop.id,
  addon: addon.id,
  createdAt: at,
  updatedAt: at,
});
const first = database('first');
const second = database('second');
const scene = (attachments: readonly AttachmentRecord[], ...ownVars: string[]) => ({
  addons: [first, second],
  attachments,
  ownVars: new Set(ownVars),
});

describe('an attachment', () => {
  it('has the name of its service where that is free, then one with a color', () => {
    expect(planAttachment(shop, first, {}, scene([])).attachment.name).toBe('DATABASE');
    const beside = planAttachment(shop, second, {}, scene([attached('DATABASE', first)]));
    expect(beside.attachment.name).toMatch(/^HEROKU_POSTGRESQL_[A-Z]+$/);
    // A config var of the app's own takes a name, too.
    const own = planAttachment(shop, first, {}, scene([], 'DATABASE_URL'));
    expect(own.attachment.name).toMatch(/^HEROKU_POSTGRESQL_[A-Z]+$/);
  });

  it('replaces one of its name, or config vars of the app, only when the app is confirmed', () => {
    const before = [attached('DATABASE', first), attached('OLD', first)];
    const request = { as: 'database', confirm: 'shop' };
    expect(planAttachment(shop, second, request, scene(before)).replaced).toBe(before[0]);
    for (const confirm of [undefined, 'other'])
      expect(() => planAttachment(shop, second, { ...request, confirm }, scene(before))).toThrow(
        'would overwrite existing vars DATABASE_URL.',
      );
    expect(() => planAttachment(shop, first, { as: 'MAIN' }, scene([], 'MAIN_URL'))).toThrow('MAIN_URL');
    expect(
      planAttachment(shop, first, { as: 'MAIN', confirm: 'shop' }, scene([], 'MAIN_URL')).replaced,
    ).toBeUndefined();
  });

  it('never takes the last name of an add-on that its app owns, nor its own again', () => {
    const request = { as: 'DATABASE', confirm: 'shop' };
    expect(() => planAttachment(shop, second, request, scene([attached('DATABASE', first)]))).toThrow(
      'Cannot destroy last attachment to billing app for resource postgresql-first',
    );
    expect(() => planAttachment(shop, first, request, scene([attached('DATABASE', first)]))).toThrow(
      'is attached to shop as DATABASE already',
    );
  });

  it('has no config var of another attachment', () => {
    const other: AddonRecord = { ...first, configVars: { URL: 'url', REPLICA_URL: 'replica' } };
    const taken = { ...scene([attached('MAIN', other)]), addons: [other, second] };
    expect(() => planAttachment(shop, second, { as: 'MAIN_REPLICA' }, taken)).toThrow(
      'MAIN_REPLICA_URL is a config var of another attachment',
    );
  });
});
