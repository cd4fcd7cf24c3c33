/** memcached as an add-on, with the clients that Heroku's users have: pylibmc and memjs (binary protocol, SASL). */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Client } from 'memjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configOf, createAddon, linesOf, processOf } from '../../../support/addons/addon-server.ts';
import { missing } from '../../../support/program.ts';
import { type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

const newApp = async (): Promise<string> => (await server.createApp()).name;

/** Runs Debian's Python with an app's config vars, as a dyno would. */
function python(script: string, env: Readonly<Record<string, string>>): string {
  return execFileSync('/usr/bin/python3', ['-c', script], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
    stdio: 'pipe',
  }).trim();
}

const PYLIBMC = `
import os, pylibmc
client = pylibmc.Client(os.environ["MEMCACHE_SERVERS"].split(","), binary=True,
                        username=os.environ["MEMCACHE_USERNAME"], password=os.environ["MEMCACHE_PASSWORD"])
`;

describe.skipIf(missing('memcached', 'saslpasswd2'))('memcached', () => {
  it('is typed as on Heroku, and takes those who know its password alone', async () => {
    const app = await newApp();
    const addon = await createAddon(server, app, 'memcache');
    expect(addon.config_vars).toEqual(['MEMCACHE_SERVERS', 'MEMCACHE_USERNAME', 'MEMCACHE_PASSWORD']);
    const config = await configOf(server, app);
    expect(config.MEMCACHE_SERVERS).toMatch(/^localhost:\d+$/);
    expect(config.MEMCACHE_PASSWORD).toMatch(/^\w{36}$/);

    expect(python(`${PYLIBMC}print(client.set("greeting", "hello"), client.get("greeting"))`, config)).toBe(
      'True hello',
    );
    const wrongOnes: Record<string, string>[] = [
      { MEMCACHE_PASSWORD: 'wrong' },
      { MEMCACHE_USERNAME: 'nobody' },
    ];
    for (const wrong of wrongOnes)
      expect(() => python(`${PYLIBMC}client.set("greeting", "x")`, { ...config, ...wrong })).toThrow(
        /AUTHENTICATION FAILURE/,
      );

    const node = Client.create(config.MEMCACHE_SERVERS, {
      username: config.MEMCACHE_USERNAME,
      password: config.MEMCACHE_PASSWORD,
    });
    expect((await node.get('greeting')).value?.toString()).toBe('hello');
    node.close();

    // Nobody gets in without a password, in either protocol.
    expect(await answerTo(config.MEMCACHE_SERVERS, 'get greeting\r\n')).not.toContain('hello');
    expect(() =>
      python(
        'import os, pylibmc\npylibmc.Client([os.environ["MEMCACHE_SERVERS"]], binary=True).set("a", 1)',
        config,
      ),
    ).toThrow(/Error/);

    const pid = processOf(server, addon, 'memcached');
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(config.MEMCACHE_PASSWORD);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain(config.MEMCACHE_PASSWORD);

    const info = await server.request<{ name: string; values: string[] }[]>(
      'GET',
      `/addons/${addon.name}/details`,
    );
    expect(Object.fromEntries(info.map(({ name, values }) => [name, values[0]]))).toMatchObject({
      Status: 'available',
      Version: expect.stringMatching(/^\d+\.\d+/),
      Connections: expect.stringMatching(/^\d+\/1024$/),
      Memory: expect.stringMatching(/^0\.\d\/64\.0 MB$/),
      Items: '1',
    });
    await until('its voice', async () => {
      const lines = await linesOf(server, app, 'memcached.1');
      const refused = lines.filter(({ message }) => message === 'SASL: Password verification failed');
      return (
        lines.some(({ message }) => message === 'Initialized SASL.') &&
        refused.length === 2 &&
        refused.every(({ level }) => level === 'warn')
      );
    });
    // Clients that log in are no news.
    expect((await linesOf(server, app, 'memcached.1')).map(({ message }) => message)).not.toContainEqual(
      expect.stringMatching(/PLAIN|sasl result/),
    );
  });

  it('has the limits of its plan, keeps its address through a change of plan, and is another one for another app', async () => {
    const [app, other] = [await newApp(), await newApp()];
    const addon = await createAddon(server, app, 'memcachier:25mb');
    await createAddon(server, other, 'memcachier:5mb', { attachment: { name: 'MEMCACHE' } });
    const config = await configOf(server, app);
    const info = async () =>
      server.request<{ name: string; values: string[] }[]>('GET', `/addons/${addon.name}/details`);
    expect(await info()).toContainEqual({ name: 'Memory', values: ['0.0/25.0 MB'] });
    await server.request('PATCH', `/apps/${app}/addons/${addon.name}`, { plan: 'memcachier:100' });
    expect(await info()).toContainEqual({ name: 'Memory', values: ['0.0/100.0 MB'] });
    expect(await configOf(server, app)).toEqual(config);

    const otherConfig = await configOf(server, other);
    expect(() =>
      python(`${PYLIBMC}client.set("a", 1)`, {
        ...otherConfig,
        MEMCACHE_PASSWORD: config.MEMCACHIER_PASSWORD,
      }),
    ).toThrow(/AUTHENTICATION FAILURE/);
    // What doesn't fit goes, and the service stays.
    const fill =
      'stored = sum(client.set("k%d" % i, "x" * 10000) for i in range(2000))\nprint(stored, client.get("k1999") is not None)';
    expect(python(PYLIBMC + fill, otherConfig)).toBe('2000 True');
  });
});

/** What a server answers within a moment, to a client that speaks the text protocol. */
function answerTo(address: string, request: string): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host, port: Number(port) }, () => socket.write(request));
    socket.setTimeout(500, () => socket.destroy());
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}
