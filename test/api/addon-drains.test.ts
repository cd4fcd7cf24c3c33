import { describe, expect, it } from 'vitest';
import { missing, runTailrace } from '../support/program.ts';
import { startHttpReceiver } from '../support/receivers/receivers.ts';
import { startServerForTest } from '../support/server.ts';

describe.skipIf(missing('redis-server'))('a drain of an add-on', () => {
  it('is listed with it, removed with it, and not without it', async () => {
    const server = await startServerForTest();
    const app = await server.createApp('rill');
    const say = (...args: string[]) => runTailrace([...args, '-a', 'rill'], { env: server.env });
    const [own, addons] = [await startHttpReceiver(), await startHttpReceiver()];
    const { name, id } = await server.request<{ name: string; id: string }>('POST', '/apps/rill/addons', {
      plan: 'redis',
    });
    const unknown = server.request('POST', '/apps/rill/log-drains', { url: addons.url, addon: 'nosuch' });
    await expect(unknown).rejects.toThrow(
      `404 {"id":"not_found","message":"The app has no add-on nosuch: it has ${name}."`,
    );
    // By its service, as addons:destroy takes it.
    expect((await say('drains:add', addons.url, '--addon', 'redis')).status).toBe(0);
    await server.createDrain(app, own.url);

    expect((await say('drains')).stdout).toMatch(new RegExp(`\\(d\\.\\S+\\) of the add-on ${name}\n`));
    const [drain, none] = await server.request<{ url: string; addon: object }[]>(
      'GET',
      '/apps/rill/log-drains',
    );
    expect([drain.url, drain.addon, none.addon]).toEqual([addons.url, { id, name }, null]);
    expect(await server.request('GET', `/addons/${name}/log-drains`)).toMatchObject([{ url: addons.url }]);
    expect(await say('drains:remove', addons.url)).toMatchObject({
      status: 1,
      stderr: ` ›   Error: This drain belongs to the add-on ${name} and goes away with it: tailrace addons:destroy ${name}\n`,
    });

    await server.request('DELETE', `/apps/rill/addons/${name}`);
    expect((await server.listDrains(app)).map(({ url }) => url)).toEqual([own.url]);
  });
});
