/** Color codes in a message are no obstacle to a search, in a line and in what is tested of a whole batch. */
import { expect, it } from 'vitest';
import { prepareQuery } from '../../../src/logs/query/query-matcher.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';

const E = '\x1b';
const COLORED = `${E}[1m${E}[31mpay${E}[39mment${E}[0m ${E}[38;5;3mre${E}[mfused${E}[0m für status=${E}[1m12${E}[0m`;

/** Which of the messages are found, all in one batch. */
function found(query: string, messages: readonly string[]): boolean[] {
  const builder = new BatchBuilder();
  for (const message of messages) {
    const line = Buffer.from(`<190>1 2012-12-10T03:00:48Z host app web.1 - - ${message}`);
    const header = new SyslogHeader();
    scanHeader(line, 0, line.length, header);
    builder.add(line, 0, line.length, header, Buffer.from('app'), Buffer.from('host'));
  }
  const bytes = Buffer.from(builder.takeBatch()!.bytes);
  const matcher = prepareQuery(query).matcher!;
  const mayMatch = matcher.mayMatch(bytes);
  const cursor = new RecordCursor(bytes);
  const results: boolean[] = [];
  while (cursor.advance()) results.push(matcher.matches(cursor, bytes));
  // A batch may be read in vain, but not be passed over.
  expect(mayMatch || !results.includes(true)).toBe(true);
  return results;
}

it.each([
  'payment',
  'PAYMENT',
  '"payment refused"',
  'payment refused',
  '"refused für status"',
  'payment OR nothing',
  'message:payment',
  'status:12',
  'status=12',
  '/^payment/',
  '/REFUSED/i',
  '-nothing',
])('%s is found', (query) => {
  expect(found(query, ['plain', COLORED, 'plain'])[1]).toBe(true);
  expect(found(query, [COLORED])).toEqual([true]);
});

it.each(['-payment', '31m', '/^refused/', '-"payment refused"', '-message:payment'])('%s isn’t', (query) =>
  expect(found(query, ['plain', COLORED, 'plain'])[1]).toBe(false),
);

it('the lines around it are found as without it', () => {
  const around = ['payment', 'plain', 'a payment', COLORED, 'plain', 'payment', COLORED];
  expect(found('payment', around)).toEqual([true, false, true, true, false, true, true]);
  expect(found('-payment', around)).toEqual([false, true, false, false, true, false, false]);
});

it('an end of a code that isn’t there is text', () => {
  expect(found('"a b"', [`a${E}[31 b`])).toEqual([false]);
  expect(found('31', [`a${E}[31 b`])).toEqual([true]);
});
