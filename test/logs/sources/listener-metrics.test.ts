import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countUdpDrops } from '../../../src/logs/sources/udp-drops.ts';
import {
  logplexBody,
  logplexLine,
  numberedMessages,
  postLogs,
  sendOverTcp,
} from '../../support/senders/send-lines.ts';
import { type Server, startServer, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function metrics(): Promise<string> {
  const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${server.key}` } });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toContain('text/plain');
  return answer.text();
}

describe('GET /metrics', () => {
  it('counts lines and bytes by protocol and app, and what was rejected', async () => {
    const app = await server.createApp();
    const text = logplexLine('hello', app.token);
    await sendOverTcp(server.syslogPort, `junk\n${text}\n${text}\n<13>who: am I\n`);
    for (let i = 0; i < 2; i++)
      await postLogs(server, app.token, logplexBody(numberedMessages(3)), { 'logplex-frame-id': 'f' });
    await until('the lines', async () => (await server.readMessages(app)).length === 5);
    const shown = await until('the counts', async () => {
      const now = await metrics();
      return now.includes('tailrace_in_unknown_total{protocol="tcp"} 1') && now;
    });
    for (const row of [
      `tailrace_in_lines_total{protocol="tcp",app="${app.name}"} 2`,
      `tailrace_in_bytes_total{protocol="tcp",app="${app.name}"} ${2 * Buffer.byteLength(text)}`,
      'tailrace_in_malformed_total{protocol="tcp"} 1',
      'tailrace_in_duplicates_total{protocol="http"} 3',
      'tailrace_in_connections_total{protocol="tcp"} 1',
      'tailrace_waiting_bytes 0',
      'tailrace_in_udp_dropped_total 0',
    ])
      expect(shown).toContain(`${row}\n`);
    // Five, and what the audit stream has by now.
    expect(Number(/^tailrace_batch_lines_sum (\d+)$/m.exec(shown)?.[1])).toBeGreaterThanOrEqual(5);
    expect(Number(/^tailrace_durable_seconds_count (\d+)$/m.exec(shown)?.[1])).toBeGreaterThan(0);
  });

  it('needs a key', async () => {
    expect((await fetch(`${server.url}/metrics`)).status).toBe(401);
  });

  it('counts lines over rate limits, and each protocol by itself', async () => {
    const own = await startServerForTest({ env: { TAILRACE_APP_LINES_PER_S: '10' } });
    const app = await own.createApp();
    await sendOverTcp(
      own.syslogPort,
      ...numberedMessages(50).map((text) => `${logplexLine(text, app.token)}\n`),
    );
    const otlp = { resourceLogs: [{ scopeLogs: [{ logRecords: [{}] }] }] };
    await until('there is room for another', async () => {
      const answer = await fetch(`${own.url}/v1/logs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${app.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(otlp),
      });
      return answer.status === 200;
    });
    const headers = { authorization: `Bearer ${own.key}` };
    const shown = await (await fetch(`${own.url}/metrics`, { headers })).text();
    const value = (name: string): number =>
      Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(shown)?.[1]);
    const limited = value('tailrace_in_limited_total{protocol="tcp"}');
    // In a tenth of a second the bucket is refilled for another line.
    expect(limited).toBeGreaterThan(20);
    expect(limited).toBeLessThanOrEqual(40);
    expect(value(`tailrace_in_lines_total{protocol="tcp",app="${app.name}"}`)).toBe(50 - limited);
    expect(value(`tailrace_in_lines_total{protocol="otlp",app="${app.name}"}`)).toBe(1);
    expect(value('tailrace_in_connections_total{protocol="http"}')).toBeGreaterThan(0);
  });

  it('finds the system’s count of datagrams that were dropped', () => {
    expect(countUdpDrops([server.syslogPort])).toBe(process.platform === 'linux' ? 0 : undefined);
  });
});
