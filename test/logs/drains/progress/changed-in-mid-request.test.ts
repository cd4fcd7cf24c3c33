/** A drain, or its app, is changed while a request is on its way, or waits to be sent again: by the router that works on it, and by another one. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpReceiver, startHttpReceiver } from '../../../support/receivers/receivers.ts';
import { hasRedis, RedisServer } from '../../../support/redis/redis-server.ts';
import { numberedMessages, pushLines } from '../../../support/senders/send-lines.ts';
import { type App, type Drain, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const LATER = { status: 503, headers: { 'retry-after': '3000' } };

const patch = (server: Server, app: App, drain: Drain, change: object) =>
  server.request<Drain>('PATCH', `/apps/${app.name}/log-drains/${drain.id}`, change);

const remove = (server: Server, app: App, drain: Drain) =>
  server.request<Drain>('DELETE', `/apps/${app.name}/log-drains/${drain.id}`);

const withUser = ({ url }: HttpReceiver, user: string) => url.replace('//', `//${user}@`);

/** Numbered lines alone: there are others, about drains. */
const ours = (receiver: HttpReceiver) =>
  receiver.acceptedMessages().filter((message) => message.startsWith('line '));

const authorization = (user: string) => `Basic ${Buffer.from(user).toString('base64')}`;

for (const store of ['embedded', 'Redis, by another router'] as const)
  describe.skipIf(store !== 'embedded' && !hasRedis)(`in mid-request (${store})`, () => {
    let redis: RedisServer | undefined;
    let servers: Server[] = [];
    let server: Server;
    beforeAll(async () => {
      if (store === 'embedded') servers = [await startServer()];
      else {
        redis = await RedisServer.start();
        const env = { REDIS_URL: redis.url };
        servers = [await startServer({ env }), await startServer({ env })];
      }
      [server] = servers;
    });
    afterAll(async () => {
      await Promise.all(servers.map((one) => one.close()));
      await redis?.remove();
    });

    /** Where a change is asked for: with two, of the one that doesn't work on the drain. */
    const changer = async (app: App, { id }: Drain): Promise<Server> => {
      if (servers.length === 1) return server;
      return until('one that does not work on it', async () => {
        const states = await Promise.all(
          servers.map(
            async (one) => (await one.listDrains(app)).find((drain) => drain.id === id)?.delivery.state,
          ),
        );
        const at = states.indexOf('elsewhere');
        return at !== -1 && states[1 - at] !== 'elsewhere' && servers[at];
      });
    };

    it('goes on at the new address, with the new secret and what the new options leave, and no more comes to the old one', async () => {
      const app = await server.createApp();
      const before = await startHttpReceiver(() => 'hang');
      const after = await startHttpReceiver();
      const drain = await server.createDrain(app, withUser(before, 'old:old-secret'));
      await pushLines(server, app.token, numberedMessages(20));
      await until('the request', () => before.requests.length > 0);
      const url = withUser(after, 'new:new-secret');
      const options = { exclude: ['[13579]$'], redact_patterns: ['8'] };
      await patch(await changer(app, drain), app, drain, { url, options });
      await pushLines(server, app.token, numberedMessages(20, 'line', 20));
      const expected = numberedMessages(40)
        .filter((_, i) => i % 2 === 0)
        .map((line) => line.replaceAll('8', '<redacted>'));
      await until('all lines', () => ours(after).length >= expected.length);
      expect(ours(after)).toEqual(expected);
      expect(before.requests).toHaveLength(1);
      expect(new Set(after.requests.map(({ headers }) => headers.authorization))).toEqual(
        new Set([authorization('new:new-secret')]),
      );
    });

    it('does not wait any longer for what the old address has asked for', async () => {
      const app = await server.createApp();
      const before = await startHttpReceiver(() => LATER);
      const after = await startHttpReceiver();
      const drain = await server.createDrain(app, before.url);
      await pushLines(server, app.token, numberedMessages(5));
      await until('the answer', () => before.requests.length > 0);
      await patch(await changer(app, drain), app, drain, { url: after.url });
      await until('the lines', () => ours(after).length >= 5);
      expect(ours(after)).toEqual(numberedMessages(5));
      expect(before.requests).toHaveLength(1);
    });

    it('several change it at once: each change counts', async () => {
      const app = await server.createApp();
      const receiver = await startHttpReceiver(() => 'hang');
      const drain = await server.createDrain(app, receiver.url);
      await pushLines(server, app.token, ['line 0']);
      await until('the request', () => receiver.requests.length > 0);
      const changes = [
        { options: { redact: 'all' } },
        { options: { format: 'json' } },
        { options: { level: 'warn' } },
        { url: `${receiver.url}/elsewhere` },
        { options: { sources: 'app' } },
      ];
      await Promise.all(changes.map((change, i) => patch(servers[i % servers.length], app, drain, change)));
      const [now] = await server.request<{ url: string; options: object }[]>(
        'GET',
        `/apps/${app.name}/log-drains`,
      );
      expect(now).toMatchObject({
        url: `${receiver.url}/elsewhere`,
        options: {
          format: 'json',
          level: 'warn',
          sources: ['app'],
          redact: ['bearer', 'url-password', 'card', 'email'],
        },
      });
    });

    it('one that is removed and added again begins anew, and nobody sends for the one that is gone', async () => {
      const app = await server.createApp();
      let isBusy = true;
      const receiver = await startHttpReceiver(() => (isBusy ? LATER : 200));
      const drain = await server.createDrain(app, withUser(receiver, 'old:old-secret'));
      await pushLines(server, app.token, numberedMessages(5));
      await until('the answer', () => receiver.requests.length > 0);
      await remove(await changer(app, drain), app, drain);
      isBusy = false;
      const again = await server.createDrain(app, withUser(receiver, 'new:new-secret'));
      await pushLines(server, app.token, numberedMessages(5, 'line', 5));
      await until('the lines', () => ours(receiver).length >= 5);
      await patch(server, app, again, { options: { exclude: ['nothing'] } });
      await pushLines(server, app.token, ['the last']);
      await until('the last line', () => receiver.requests.some(({ body }) => body.includes('the last')));
      expect(ours(receiver)).toEqual(numberedMessages(5, 'line', 5));
      const accepted = receiver.requests.filter(({ status }) => status === 200);
      expect(new Set(accepted.map(({ headers }) => headers['logplex-drain-token']))).toEqual(
        new Set([again.token]),
      );
      expect(new Set(accepted.map(({ headers }) => headers.authorization))).toEqual(
        new Set([authorization('new:new-secret')]),
      );
    });

    it('lines have the name that their app has, also when another one has got the old name', async () => {
      const first = await server.createApp();
      let isBusy = true;
      const receiver = await startHttpReceiver(() => (isBusy ? 'hang' : 200));
      const url = (app: string) => `${receiver.url}?of=${app}&tailrace-format=json`;
      const drain = await server.createDrain(first, url('first'));
      await pushLines(server, first.token, ['of the first']);
      await until('the request', () => receiver.requests.length > 0);
      isBusy = false;
      const renamed = `${first.name}-2`;
      await (await changer(first, drain)).request('PATCH', `/apps/${first.name}`, { name: renamed });
      const second = await server.createApp(first.name);
      await server.createDrain(second, url('second'));
      await pushLines(server, second.token, ['of the second']);
      await pushLines(server, first.token, ['more of the first']);
      const lines = () =>
        receiver.requests
          .filter(({ status }) => status === 200)
          .flatMap(({ body }) =>
            body
              .trimEnd()
              .split('\n')
              .map((line) => JSON.parse(line)),
          )
          .filter(({ source }) => source === 'app')
          .map(({ app, message }) => [message, app]);
      await until('the lines', () => lines().length >= 3);
      expect(Object.fromEntries(lines())).toEqual({
        'of the first': renamed,
        'more of the first': renamed,
        'of the second': second.name,
      });
    });

    it('of an app that is destroyed nothing is sent, or kept, any more', async () => {
      const app = await server.createApp();
      let refuse = (): void => {};
      const isOver = new Promise<void>((resolve) => {
        refuse = resolve;
      });
      const receiver = await startHttpReceiver(async () => {
        await isOver;
        return 400;
      });
      const drain = await server.createDrain(app, receiver.url);
      await pushLines(server, app.token, numberedMessages(5));
      await until('the request', async () => (await receiver.connectionCount()) > 0);
      await (await changer(app, drain)).request('DELETE', `/apps/${app.name}`);
      refuse();
      await until('the end of the connection', async () => (await receiver.connectionCount()) === 0);
      const other = await server.createApp();
      await pushLines(server, other.token, numberedMessages(5));
      expect((await server.readMessages(other)).length).toBe(5);
      if (redis)
        await until('its keys to be gone', async () => {
          const keys = await redis?.command('KEYS', `*${app.id}*`);
          return Array.isArray(keys) && keys.length === 0;
        });
      else
        expect(readdirSync(server.data, { recursive: true }).filter((file) => file.includes(app.id))).toEqual(
          [],
        );
    });

    it('what was refused is sent again as the drain is redacted now', async () => {
      const app = await server.createApp();
      let isPicky = true;
      const receiver = await startHttpReceiver(() => (isPicky ? 400 : 200));
      const drain = await server.createDrain(app, receiver.url);
      await pushLines(server, app.token, ['line 0 Authorization: Bearer very-secret-token', 'line 1']);
      const path = `/apps/${app.name}/log-drains/${drain.id}/refused`;
      await until('it to be kept', async () => (await server.request<object[]>('GET', path)).length > 0);
      isPicky = false;
      await patch(await changer(app, drain), app, drain, { options: { redact: 'all', sample: 0.01 } });
      const resent = await server.request<{ left: number }>('POST', `${path}/actions/resend`);
      expect(resent.left).toBe(0);
      expect(ours(receiver)).toEqual(['line 0 Authorization: Bearer <redacted>', 'line 1']);
    });
  });
