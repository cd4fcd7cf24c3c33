import { describe, expect, it } from 'vitest';
import { parseL2met } from '../../../src/logs/metrics/l2met.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { pushLines, TIME } from '../../support/senders/send-lines.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

function batchOf(...messages: string[]): Uint8Array {
  const builder = new BatchBuilder();
  const header = new SyslogHeader();
  for (const message of messages) {
    const line = Buffer.from(`<190>1 ${TIME} host app web.1 - - ${message}`);
    scanHeader(line, 0, line.length, header);
    builder.add(line, 0, line.length, header, Buffer.from('app'), Buffer.from('host'));
  }
  return builder.takeBatch()!.bytes;
}

const pairs = (...messages: string[]) =>
  parseL2met(batchOf(...messages)).map(({ kind, name, value, unit, source }) =>
    [kind, name, value, unit, source].join(' '),
  );

describe('values in lines', () => {
  it.each([
    ['measure#db.get=12.5ms', ['measure db.get 12.5 ms web.1']],
    ['at=info count#signups=2 source=eu', ['count signups 2  eu']],
    [
      'source=PINK sample#db_size=26219348792bytes sample#load-avg-1m=0.01',
      ['sample db_size 26219348792 bytes PINK', 'sample load-avg-1m 0.01  PINK'],
    ],
    ['{"message":"count#json=1"}', ['count json 1  web.1']],
    ['sample#temperature=-3C', ['sample temperature -3 C web.1']],
    ['OrdersController#show count#=1 count#x= count#x=abc recount#x=1 #x=1 Count#x=1', []],
    ['count#x=1.2.3 count#y=1;2', []],
    ['measure#', []],
    ['', []],
  ])('%s', (message, expected) => expect(pairs(message)).toEqual(expected));

  it('belong to the lines that they are in', () => {
    const lines = Array.from({ length: 1_000 }, (_, i) =>
      i % 10 ? `line # ${i}` : `source=s${i} count#n=${i}`,
    );
    expect(parseL2met(batchOf(...lines)).map(({ value, source }) => `${value} ${source}`)).toEqual(
      Array.from({ length: 100 }, (_, i) => `${i * 10} s${i * 10}`),
    );
  });
});

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
    const text = await until('the numbers', async () => {
      const text = await scrape(server);
      return text.includes('tailrace_log_count_total{') && text.includes('delivered_total{') && text;
    });
    for (const line of [
      `tailrace_log_count_total{${labels('a', '')}} 5`,
      `tailrace_log_sample{${labels('b', 'MB')}} 7`,
      `tailrace_log_measure_sum{${labels('c', 'ms')}} 30`,
      `tailrace_log_measure_count{${labels('c', 'ms')}} 2`,
      `tailrace_drain_delivered_total{app="${app.name}",drain="${token}"} 5`,
      `tailrace_drain_lag_lines{app="${app.name}",drain="${token}"} 0`,
      `tailrace_drain_up{app="${app.name}",drain="${token}"} 1`,
      `tailrace_in_lines_total{protocol="http",app="${app.name}"} 5`,
    ])
      expect(text).toContain(`${line}\n`);
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
      return text.includes('tailrace_log_count_total{') && text;
    });
    expect(text.match(/^tailrace_log_count_total\{/gm)).toHaveLength(500);
    expect(text).toContain('tailrace_log_metrics_dropped_total 200\n');
  });
});
