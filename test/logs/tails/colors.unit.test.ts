/** Color codes in a message are no obstacle to a search, in a line and in what is tested of a whole batch. */
import { expect, it } from 'vitest';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { LineFilter } from '../../../src/logs/syslog/line-filter.ts';
import { SearchQuery } from '../../../src/logs/tails/search-query.ts';

const E = '\x1b';
const MESSAGE = `${E}[1m${E}[31mpay${E}[39mment${E}[0m ${E}[38;5;3mre${E}[mfused${E}[0m für 12`;

function isFound(query: string, message = MESSAGE): boolean {
  const builder = new BatchBuilder();
  const line = Buffer.from(`<190>1 2012-12-10T03:00:48Z host app web.1 - - ${message}`);
  const header = new SyslogHeader();
  scanHeader(line, 0, line.length, header);
  builder.add(line, 0, line.length, header, Buffer.from('app'), Buffer.from('host'));
  const bytes = Buffer.from(builder.takeBatch()!.bytes);
  const filter = new LineFilter({ message: new SearchQuery(query) });
  const cursor = new RecordCursor(bytes);
  cursor.advance();
  const matches = filter.matches(cursor, bytes);
  // A batch may be read in vain, but not be passed over.
  expect(filter.mayMatch(bytes) || !matches).toBe(true);
  return matches;
}

it.each([
  'payment',
  'PAYMENT',
  '"payment refused"',
  'payment refused',
  '"refused für 12"',
  '/^payment/',
  '/REFUSED/i',
  String.raw`/\x1b\[31mpay/`,
  '-nothing',
])('%s is found', (query) => expect(isFound(query)).toBe(true));

it.each(['-payment', '31mpayx', '/^refused/', '-"payment refused"'])('%s isn’t', (query) =>
  expect(isFound(query)).toBe(false),
);

it('an end of a code that isn’t there is text', () => {
  expect(isFound('"a b"', `a${E}[31 b`)).toBe(false);
  expect(isFound('31', `a${E}[31 b`)).toBe(true);
});
