import { describe, expect, it, vi } from 'vitest';
import { L2metScanner, parseL2met } from '../../../src/logs/metrics/l2met.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';

function batchOf(...messages: string[]): Uint8Array {
  const builder = new BatchBuilder();
  const header = new SyslogHeader();
  for (const message of messages) {
    const line = Buffer.from(`<190>1 2012-12-10T03:00:48.123456+00:00 host app web.1 - - ${message}`);
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

  it('are found some at a time, as many as all at once', () => {
    const lines = Array.from(
      { length: 300 },
      (_, i) => `${'#'.repeat(i % 40)} source=s${i} count#a=${i} sample#b=1`,
    );
    const batch = batchOf(...lines);
    const all = parseL2met(batch);
    expect(all).toHaveLength(600);
    let scanner = new L2metScanner(batch);
    const found: unknown[] = [];
    for (let calls = 0; !scanner.isDone; calls++) {
      const some = scanner.next(7);
      expect(some.length).toBeLessThanOrEqual(7);
      found.push(...some);
      if (calls % 5 === 0) scanner = scanner.copy();
    }
    expect(found).toEqual(all);
  });

  it('are looked for in so many places at a time, if there are none', () => {
    const scanner = new L2metScanner(batchOf('#'.repeat(9_000)));
    let calls = 0;
    for (; !scanner.isDone; calls++) expect(scanner.next(10)).toEqual([]);
    expect(calls).toBeGreaterThanOrEqual(90);
  });

  it('take the source of their line once, however many they are', () => {
    const line = 'count#a=1 '.repeat(900);
    const decoding = vi.spyOn(Buffer.prototype, 'toString');
    let decoded = 0;
    try {
      expect(parseL2met(batchOf(line))).toHaveLength(900);
      for (const { value } of decoding.mock.results) decoded += String(value).length;
    } finally {
      decoding.mockRestore();
    }
    // Each value is looked at in 200 bytes; the whole line once.
    expect(decoded).toBeLessThan(900 * 200 + 2 * line.length);
  });
});
