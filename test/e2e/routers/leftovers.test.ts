/** What is left in Redis when things are gone, and what becomes of the routers when everything is. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver, startTcpReceiver } from '../../support/receivers/receivers.ts';
import { openWebSocketTail } from '../../support/receivers/tail-protocols.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

async function startRouters(count: number): Promise<{ redis: RedisServer; routers: Server[] }> {
  const redis = await RedisServer.start({ config: ['appendonly yes'] });
  onTestFinished(() => redis.remove());
  const start = (): Promise<Server> => startServerForTest({ env: { REDIS_URL: redis.url } });
  return { redis, routers: await Promise.all(Array.from({ length: count }, start)) };
}

/** An app with drains on all routers, lines, and a tail. */
async function createBusyApp([first, ...others]: readonly Server[]): Promise<{ app: App; drains: string[] }> {
  const app = await first.createApp();
  const receivers = [await startTcpReceiver(), await startHttpReceiver(), await startTcpReceiver()];
  const drains = await Promise.all(receivers.map(({ url }) => first.createDrain(app, url)));
  for (const router of [first, ...others]) openWebSocketTail(router, app, 'lines=10');
  await pushLines(first, app.token, ['hello']);
  const messages = () =>
    receivers.map((one) => ('messages' in one ? one.messages() : one.acceptedMessages()));
  await until('all drains to have it', () => messages().every((texts) => texts.includes('hello')));
  return { app, drains: drains.map(({ id }) => id) };
}

/** Keys whose names contain one of these, with their remaining time in seconds; -1: forever. */
async function keysWith(
  redis: RedisServer,
  parts: readonly string[],
): Promise<[key: string, seconds: number][]> {
  const keys = (await redis.command('keys', '*')) as string[];
  const found = keys.filter((key) => parts.some((part) => key.includes(part)));
  return Promise.all(
    found.map(async (key) => [key, Number(await redis.command('ttl', key))] as [string, number]),
  );
}

describe.runIf(hasRedis)('of an app that was destroyed', () => {
  it('nothing is left in Redis after an hour', async () => {
    const { redis, routers } = await startRouters(2);
    const { app, drains } = await createBusyApp(routers);
    await routers[1].request('DELETE', `/apps/${app.name}`);
    await until('its drains to have stopped everywhere', async () => {
      const { routers: all } = await routers[0].request<{ routers: { drains: number }[] }>('GET', '/status');
      return all.every(({ drains }) => drains === 0);
    });
    const left = await keysWith(redis, [app.id, ...drains]);
    expect(left.filter(([, seconds]) => seconds < 0 || seconds > 3_600)).toEqual([]);
    expect(left.filter(([key]) => !/lease|state$/.test(key))).toEqual([]);
  });

  it('nor of a router that was stopped', async () => {
    const { redis, routers } = await startRouters(2);
    const [stays, goes] = routers;
    const { routers: all } = await stays.request<{ routers: { id: string; pid: number }[] }>(
      'GET',
      '/status',
    );
    const id = all.find(({ pid }) => pid === goes.program.pid)?.id ?? '';
    expect(id).not.toBe('');
    await goes.close();
    for (const [, seconds] of await keysWith(redis, [id])) expect(seconds).toBeLessThan(3_600);
  });
});

describe.runIf(hasRedis)('when Redis was emptied (FLUSHALL)', () => {
  it('routers say so, forget what is gone, and take what is new', async () => {
    const { redis, routers } = await startRouters(2);
    const { app, drains } = await createBusyApp(routers);
    await redis.command('flushall');
    for (const router of routers) {
      await until('it to be said', () => router.program.stderr.includes('Redis was emptied'));
      expect(router.program.stderr.match(/Redis was emptied/g)).toHaveLength(1);
      // The commands on its machine go on without a restart.
      const apps = await until('the key of the machine to be known', async () => {
        const { status, stdout } = await runTailrace(['apps', '--json'], { env: router.env });
        return status === 0 && stdout;
      });
      expect(JSON.parse(apps)).toEqual([]);
    }
    await until('the drains to have stopped everywhere', async () => {
      const { routers: all } = await routers[0].request<{ routers: { drains: number }[] }>('GET', '/status');
      return all.length === 2 && all.every(({ drains }) => drains === 0);
    });
    const left = await keysWith(redis, [app.id, ...drains]);
    expect(left.filter(([, seconds]) => seconds < 0 || seconds > 3_600)).toEqual([]);
    await expect(pushLines(routers[1], app.token, ['nobody’s'])).rejects.toThrow('401');

    const { app: next } = await createBusyApp(routers);
    expect(await routers[1].readMessages(next)).toContain('hello');
  });
});
