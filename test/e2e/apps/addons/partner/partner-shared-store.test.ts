/** Partners on two servers that share a Redis. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PartnerService } from '../../../../support/partner-service.ts';
import { hasRedis, RedisServer } from '../../../../support/redis/redis-server.ts';
import { type Server, startServer } from '../../../../support/server.ts';
import { until } from '../../../../support/until.ts';

interface Addon {
  readonly id: string;
  readonly state: string;
}

describe.skipIf(!hasRedis)('a partner of two servers', () => {
  let redis: RedisServer;
  let one: Server;
  let two: Server;
  let partner: PartnerService;

  beforeAll(async () => {
    redis = await RedisServer.start();
    one = await startServer({ env: { REDIS_URL: redis.url } });
    two = await startServer({ env: { REDIS_URL: redis.url } });
    partner = await new PartnerService('shared-one').listen();
  });
  afterAll(async () => {
    await Promise.all([one?.close(), two?.close(), partner?.close()]);
    await redis?.remove();
  });

  it('registers with one, and is used, reports, and is removed at the other', async () => {
    const { client_secret } = await one.request<{ client_secret: string }>('POST', '/addon-manifests', {
      manifest: partner.manifest,
    });
    partner.clientSecret = client_secret;
    const app = await one.createApp();
    partner.answer = ({ method }) => (method === 'POST' ? 'pending' : 'provide');
    const made = await one.request<Addon>('POST', `/apps/${app.name}/addons`, { plan: 'shared-one' });
    expect(made.state).toBe('provisioning');
    const resource = partner.resource(made.id);
    Object.assign(resource, { callbackUrl: resource.callbackUrl.replace(one.url, two.url) });
    await partner.finish(made.id);
    expect(await one.request('GET', `/apps/${app.name}/config-vars`)).toEqual(partner.config(made.id));
    // A grant is good at either of them, once.
    expect((await partner.exchange(made.id)).status).toBe(401);

    await two.request('PATCH', `/addons/${made.id}`, { plan: 'shared-one:big' });
    expect(partner.resource(made.id).plan).toBe('big');
    expect(await two.request('DELETE', `/addons/${made.id}`)).toMatchObject({ state: 'deprovisioned' });
    await until('its end', async () => (await one.request<Addon[]>('GET', '/addons')).length === 0);
    expect(await one.request('GET', `/apps/${app.name}/config-vars`)).toEqual({});
    expect(partner.resources.size).toBe(0);
    expect(partner.faults).toEqual([]);
  });
});
