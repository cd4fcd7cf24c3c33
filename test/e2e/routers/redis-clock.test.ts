import { describe, expect, it } from 'vitest';
import { fakeClockForTest, missingFakeClock, startRedisByClock } from '../../support/fake-clock.ts';
import { startHttpReceiver, startTcpReceiver } from '../../support/receivers/receivers.ts';
import { hasRedis } from '../../support/redis/redis-server.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe.skipIf(missingFakeClock() || !hasRedis)('the clock of Redis is set', () => {
  it.each([
    ['back an hour', -HOUR_MS],
    ['forward a day', DAY_MS],
  ])(
    '%s, when it is started again after a router was killed: another one takes over its drains',
    async (_, offsetMs) => {
      const clock = fakeClockForTest();
      const redis = await startRedisByClock(clock);
      const http = await startHttpReceiver();
      const env = { REDIS_URL: redis.url };
      const first = await startServerForTest({ env: { ...clock.env, ...env } });
      const app = await first.createApp();
      await first.createDrain(app, http.url);
      await pushLines(first, app.token, numberedMessages(10));
      await until('the first lines', () => http.acceptedMessages().length === 10);
      await first.kill();
      await redis.signal('SIGTERM');
      clock.set(offsetMs);
      await redis.start();
      const second = await startServerForTest({ env: { ...clock.env, ...env } });
      await pushLines(second, app.token, numberedMessages(10, 'after'));
      // It takes a router's lease, then a drain's, and believes neither until it has seen for as long that they aren't renewed.
      await until('the lines after it', () => http.acceptedMessages().includes('after 9'), 50_000);
      const messages = [...numberedMessages(10), ...numberedMessages(10, 'after')];
      // The last ones before the kill may come again: nobody could say that they had arrived.
      expect([...new Set(http.acceptedMessages())]).toEqual(messages);
      expect(await second.readMessages(app)).toEqual(messages);
    },
  );

  it('back and forward while two routers run: drains stay where they are, and nothing comes twice', async () => {
    const clock = fakeClockForTest();
    const redis = await startRedisByClock(clock);
    const syslog = await startTcpReceiver();
    const env = { REDIS_URL: redis.url };
    const [first, second] = [
      await startServerForTest({ env: { ...clock.env, ...env } }),
      await startServerForTest({ env: { ...clock.env, ...env } }),
    ];
    const app = await first.createApp();
    await first.createDrain(app, syslog.url);
    await until('both to know each other', async () => {
      const { routers } = await first.request<{ routers: unknown[] }>('GET', '/status');
      return routers.length === 2;
    });
    const sent: string[] = [];
    for (const [round, offsetMs] of [0, -HOUR_MS, DAY_MS, 0].entries()) {
      clock.set(offsetMs);
      for (let i = 0; i < 4; i++) {
        const lines = numberedMessages(10, `round ${round}`, i * 10);
        await pushLines(round % 2 === 0 ? first : second, app.token, lines);
        sent.push(...lines);
        const total = sent.length;
        await until('the lines at the drain', () => syslog.messages().length >= total);
        // Leases are renewed, and looked at, every two seconds.
        const startMs = performance.now();
        await until('some time has passed', () => performance.now() - startMs > 500);
      }
    }
    expect(syslog.messages()).toEqual(sent);
    const since = await second.readMessages(app, 'since=10m');
    expect(since.at(-1)).toBe(sent.at(-1));
  });
});
