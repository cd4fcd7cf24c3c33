/** Redis goes away while a server starts, at each step: the start waits for it, or ends with one sentence that is true. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Program } from '../../support/program.ts';
import { RedisCluster, RedisSentinels } from '../../support/redis/redis-deployments.ts';
import { RedisProxy } from '../../support/redis/redis-proxy.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { dataFolderForTest, spawnServer, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** Starts are disturbed after so many of their requests, of about this many each. */
const STEPS = 6;

async function redisForTest(): Promise<RedisServer> {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.remove());
  return redis;
}

async function proxyForTest(redis: RedisServer): Promise<RedisProxy> {
  const proxy = await RedisProxy.start(redis.port);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** How many requests a start sends, in how many chunks they may come. */
async function countRequests(redis: RedisServer): Promise<number> {
  const proxy = await proxyForTest(redis);
  let count = 0;
  proxy.onRequest = () => count++;
  const server = await startServerForTest({ env: { REDIS_URL: proxy.url } });
  const seen = count;
  await server.close();
  return seen;
}

/** Breaks the network with the request of this number, counted from 1. */
function breakAt(proxy: RedisProxy, number: number): void {
  let count = 0;
  proxy.onRequest = () => {
    if (++count === number) proxy.breakDown();
  };
}

describe.runIf(hasRedis)('a start during which Redis goes away', () => {
  it('goes on when it is back, whatever the start was at', async () => {
    const redis = await redisForTest();
    const requests = await countRequests(redis);
    expect(requests).toBeGreaterThan(STEPS);
    for (let step = 1; step <= STEPS; step++) {
      const proxy = await proxyForTest(redis);
      breakAt(proxy, Math.round((requests * step) / STEPS));
      const starting = startServerForTest({ env: { REDIS_URL: proxy.url } });
      await until('the network breaks', () => proxy.isBroken);
      // Noticed on both sides: an attempt to connect again has failed.
      await until('a new connection is refused', () => proxy.refusedCount > 0);
      proxy.restore();
      const server = await starting;
      await server.createApp();
      await server.close();
    }
  });

  it('ends with one sentence when it stays away, and the server lives once it has started', {}, async () => {
    const redis = await redisForTest();
    const requests = await countRequests(redis);
    const outcomes = await Promise.all(
      [0.1, 0.2, 0.35, 0.5].map(async (part) => {
        const proxy = await proxyForTest(redis);
        breakAt(proxy, Math.max(1, Math.round(requests * part)));
        const program: Program = spawnServer(dataFolderForTest(), { env: { REDIS_URL: proxy.url } });
        onTestFinished(() => void program.stop('SIGKILL'));
        return program.exited;
      }),
    );
    for (const { status, stderr } of outcomes) {
      expect(status).toBe(1);
      const sentences = stderr.split('\n').filter((line) => line.startsWith(' ›   Error:'));
      expect(sentences).toEqual([
        expect.stringMatching(
          /Redis at redis:\S+ doesn't answer \(.+\): start it, or correct its address\.$/,
        ),
      ]);
      expect(stderr).not.toContain('goes on by itself');
    }
    // Behind the last step.
    const proxy = await proxyForTest(redis);
    const server = await startServerForTest({ env: { REDIS_URL: proxy.url } });
    proxy.breakDown();
    await until('it notices', () => server.program.stderr.includes('the connection to Redis is lost'));
    expect((await fetch(`${server.url}/apps`, { headers: { authorization: 'Bearer x' } })).status).toBe(503);
    expect(server.program.hasExited).toBe(false);
    proxy.restore();
    await until('it goes on', () => server.createApp().catch(() => undefined));
  });

  it('finds the new master of a failover', async () => {
    const sentinels = await RedisSentinels.start();
    onTestFinished(() => sentinels.remove());
    const failingOver = sentinels.failOver();
    const server = await startServerForTest({ env: { REDIS_URL: sentinels.url } });
    await failingOver;
    await until('an app can be made', () => server.createApp().catch(() => undefined));
  });

  it('waits for a server of a Cluster', async () => {
    const cluster = await RedisCluster.start();
    onTestFinished(() => cluster.remove());
    // The one that has the records, by what the others say of its slots.
    for (const down of cluster.servers.slice(1, 2)) {
      await down.signal('SIGKILL');
      const starting = startServerForTest({ env: { REDIS_URL: cluster.url } });
      await until('the others notice', async () => {
        const [awake] = cluster.servers.filter((server) => server !== down);
        return String(await awake.command('cluster', 'info')).includes('cluster_state:fail');
      });
      await down.start();
      const server = await starting;
      await server.createApp();
      await server.close();
    }
  });
});
