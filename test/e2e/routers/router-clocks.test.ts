/** Routers on one Redis whose clocks differ: what is shown of them is by one clock, Redis'. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { fakeClockForTest, missingFakeClock } from '../../support/fake-clock.ts';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;

describe.skipIf(!hasRedis || missingFakeClock())('beside a router whose clock is an hour', () => {
  it.each([
    ['fast', HOUR_MS],
    ['slow', -HOUR_MS],
  ])(
    '%s, all say the same of how long each has run, and how far its drains are behind',
    async (_, offsetMs) => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.remove());
      const clock = fakeClockForTest();
      clock.set(offsetMs);
      const right = await startServerForTest({ env: { REDIS_URL: redis.url } });
      const wrong = await startServerForTest({ env: { REDIS_URL: redis.url, ...clock.env } });
      const app = await right.createApp();
      const stuck = await startHttpReceiver(() => 500);
      for (let i = 0; i < 4; i++) await right.createDrain(app, `${stuck.url}/${i}`);
      await pushLines(wrong, app.token, ['hello']);
      for (const router of [right, wrong]) {
        const { routers } = await until('both routers to have drains', async () => {
          const status = await router.request<{ routers: { uptime_s: number; drains: number }[] }>(
            'GET',
            '/status',
          );
          return status.routers.length === 2 && status.routers.every(({ drains }) => drains === 2) && status;
        });
        for (const { uptime_s } of routers) {
          expect(uptime_s).toBeGreaterThanOrEqual(0);
          expect(uptime_s).toBeLessThan(60);
        }
        const drains = await router.request<{ delivery: { lagMs: number; lagLines: number } }[]>(
          'GET',
          `/apps/${app.name}/log-drains`,
        );
        for (const { delivery } of drains) {
          expect(delivery.lagLines).toBeGreaterThan(0);
          expect(delivery.lagMs).toBeGreaterThan(0);
          expect(delivery.lagMs).toBeLessThan(60_000);
        }
        // Nor does the client's clock matter.
        const { stdout } = await runTailrace(['status'], { env: { ...router.env, ...clock.env } });
        expect(stdout).not.toMatch(/-\d+(\.\d+)? s/);
        expect(stdout.match(/ \d+(\.\d)? s /g)?.length).toBeGreaterThanOrEqual(2);
      }
    },
  );
});
