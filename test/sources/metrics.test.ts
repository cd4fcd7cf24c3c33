import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { body, line, numbered, post, send } from '../support/push.ts';
import { type Server, serve } from '../support/server.ts';
import { until } from '../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await serve();
});
afterAll(() => server.close());

async function metrics(): Promise<string> {
  const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${server.key}` } });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toContain('text/plain');
  return answer.text();
}

describe('GET /metrics', () => {
  it('counts lines and bytes by protocol and app, and what was turned away', async () => {
    const app = await server.createApp();
    const text = line('hello', app.token);
    await send(server.syslogPort, `${text}\n${text}\njunk\n<13>who: am I\n`);
    for (let i = 0; i < 2; i++) await post(server, app.token, body(numbered(3)), { 'logplex-frame-id': 'f' });
    await until('the lines', async () => (await server.messages(app)).length === 5);
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
    ])
      expect(shown).toContain(`${row}\n`);
    expect(Number(/^tailrace_batch_lines_sum (\d+)$/m.exec(shown)?.[1])).toBe(5);
    expect(Number(/^tailrace_durable_seconds_count (\d+)$/m.exec(shown)?.[1])).toBeGreaterThan(0);
  });

  it('needs a key', async () => {
    expect((await fetch(`${server.url}/metrics`)).status).toBe(401);
  });
});
