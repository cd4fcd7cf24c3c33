/** Lines of one app can't be stored: its senders wait, and those of other apps don't. */
import { createSocket } from 'node:dgram';
import { expect, it, onTestFinished } from 'vitest';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { streamKeys } from '../../../src/logs/store/redis/keys.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { connectTcp, logplexLine, numberedMessages, octetCounted } from '../../support/senders/send-lines.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const PENDING_BYTES = 2_097_152;
const LINES = 20_000;
const LINE_BYTES = 1_000;

it.runIf(hasRedis)('an app that Redis refuses holds up its own connections only', async () => {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.remove());
  const env = { REDIS_URL: redis.url, TAILRACE_PENDING_BYTES: String(PENDING_BYTES) };
  const server = await startServerForTest({ env });
  const [stuck, healthy] = [await server.createApp('stuck'), await server.createApp('healthy')];
  const { index } = streamKeys(stuck.id as AppId);
  await redis.command('set', index, 'of another kind');

  const [one, other] = [await connectTcp(server.syslogPort), await connectTcp(server.syslogPort)];
  onTestFinished(() => [one, other].forEach((socket) => void socket.destroy()));
  const messages = numberedMessages(LINES, 'x'.repeat(LINE_BYTES));
  one.write(Buffer.concat(messages.map((text) => octetCounted(logplexLine(text, stuck.token)))));
  await until('its sender to be held up', () =>
    /"app":"stuck".*"msg":"[^"]*held up/.test(server.program.stdout + server.program.stderr),
  );
  expect(one.writableLength).toBeGreaterThan(0);

  // Datagrams can't wait: they are counted, and those of other apps are taken.
  const udp = createSocket('udp4');
  onTestFinished(() => void udp.close());
  for (const { token } of [stuck, healthy])
    udp.send(logplexLine('a datagram', token), server.syslogPort, '127.0.0.1');
  other.write(octetCounted(logplexLine('a line', healthy.token)));
  await until('the lines of the other app', async () => (await server.readLines(healthy)).length === 2);
  const { lost } = await server.sourceCounters('udp');
  expect(lost).toBe(1);

  await redis.command('del', index);
  await until(
    'what waited',
    async () => (await server.readMessages(stuck)).filter((text) => text.startsWith('x')).length === LINES,
  );
  const seen = await server.readMessages(stuck);
  expect(seen.filter((text) => text.startsWith('x'))).toEqual(messages);
  const notice = await until('the notice', async () =>
    (await server.readMessages(stuck)).find((text) => text.startsWith('Error L12')),
  );
  expect(notice).toMatch(
    /^Error L12: 1 messages dropped since .+: lines of this app could not be stored for \d+ s/,
  );
});
