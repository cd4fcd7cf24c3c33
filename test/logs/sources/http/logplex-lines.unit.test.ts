/** Bodies of logplex-1 that are decoded as they are checked. */
import { expect, it } from 'vitest';
import { LogplexLines } from '../../../../src/logs/sources/http/request-lines.ts';
import { recordFormFor } from '../../../../src/logs/sources/http/request-receiver.ts';
import { BatchOfBody, logSource } from '../../../fuzz/pairs/records.ts';

const SOURCE = logSource('app');
const HOST = '127.0.0.1';

const body = (...messages: string[]): Buffer =>
  Buffer.from(
    messages
      .map((message) => `<13>1 2026-11-28T12:30:15Z h a web.1 - - ${message}`)
      .map((line) => `${line.length} ${line}`)
      .join(''),
  );

const linesOf = (bytes: Buffer, msgCount?: string): LogplexLines => {
  const { counters } = new BatchOfBody(SOURCE, HOST);
  return new LogplexLines(bytes, { msgCount, tokenPerLine: false, counters }, recordFormFor(SOURCE, HOST));
};

function takenOf(lines: LogplexLines): string {
  const target = new BatchOfBody(SOURCE, HOST);
  expect(lines.take(target.receiver)).toBeUndefined();
  return target.taken;
}

it('are taken as what they are when others were decoded meanwhile, and each time that they are', () => {
  const first = linesOf(body('first', 'of two'));
  const second = linesOf(body('second'));
  const expected = takenOf(linesOf(body('first', 'of two')));
  expect(expected).toMatch(/^2 records of 2 lines.*first.*of two/s);
  expect(takenOf(first)).toBe(expected);
  expect(takenOf(first)).toBe(expected);
  expect(takenOf(second)).toMatch(/^1 records of 1 lines.*second/s);
});

it('are read where they were moved to', () => {
  const bytes = body('here');
  const lines = linesOf(bytes);
  lines.moveTo(Buffer.from(bytes));
  bytes.fill('?');
  takenOf(lines);
  expect(takenOf(lines)).toMatch(/^1 records of 1 lines.*here/s);
});

it('are refused as others are', () => {
  for (const count of ['1', '3', '', 'two', '-2'])
    expect(() => linesOf(body('a', 'b'), count)).toThrow(expect.objectContaining({ code: 'count_mismatch' }));
  expect(linesOf(body('a', 'b'), '2').batchBytes).toBeGreaterThan(80);
  const whole = body('a', 'b');
  const odd = [whole.subarray(0, -1), Buffer.concat([whole, Buffer.from('0')]), Buffer.from('05 <13>a')];
  for (const bytes of odd)
    expect(() => linesOf(bytes)).toThrow(expect.objectContaining({ code: 'malformed_lines' }));
});
