import { describe, expect, it } from 'vitest';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

describe('GET /metrics', () => {
  const scrape = async (server: Awaited<ReturnType<typeof startServerForTest>>): Promise<string> => {
    const answer = await fetch(`${server.url}/metrics`, {
      headers: { authorization: `Bearer ${server.key}` },
    });
    return answer.text();
  };

  it('has sources, drains, and the values in lines', async () => {
    const server = await startServerForTest();
    expect((await fetch(`${server.url}/metrics`)).status).toBe(401);
    const app = await server.createApp();
    const receiver = await startHttpReceiver();
    const { token } = await server.createDrain(app, receiver.url);
    await pushLines(server, app.token, [
      'count#a=2',
      'count#a=3',
      'sample#b=7MB',
      'measure#c=10ms',
      'measure#c=20ms',
    ]);
    await until('the drain', () => receiver.acceptedMessages().length === 5);
    const labels = (name: string, unit: string) =>
      `app="${app.name}",name="${name}",unit="${unit}",source="web.1"`;
    const wanted = [
      `tailrace_log_count_total{${labels('a', '')}} 5`,
      `tailrace_log_sample{${labels('b', 'MB')}} 7`,
      `tailrace_log_measure_sum{${labels('c', 'ms')}} 30`,
      `tailrace_log_measure_count{${labels('c', 'ms')}} 2`,
      `tailrace_drain_delivered_total{app="${app.name}",drain="${token}"} 5`,
      `tailrace_drain_lag_lines{app="${app.name}",drain="${token}"} 0`,
      `tailrace_drain_up{app="${app.name}",drain="${token}"} 1`,
      `tailrace_in_lines_total{protocol="http",app="${app.name}"} 5`,
    ];
    // A drain has delivered when it has read the answer, and what is in lines is counted when they were read.
    let text = '';
    await until('the numbers', async () => {
      text = await scrape(server);
      return wanted.every((line) => text.includes(`${line}\n`));
    }).catch(() => {});
    for (const line of wanted) expect(text).toContain(`${line}\n`);
  });

  it('bounds the number of series, and counts what is dropped', async () => {
    const server = await startServerForTest();
    const app = await server.createApp();
    await pushLines(
      server,
      app.token,
      Array.from({ length: 700 }, (_, i) => `count#n${i}=1`),
    );
    const text = await until('the numbers', async () => {
      const text = await scrape(server);
      return text.includes('tailrace_log_metrics_dropped_total 200\n') && text;
    });
    expect(text.match(/^tailrace_log_count_total\{/gm)).toHaveLength(500);
  });
});
