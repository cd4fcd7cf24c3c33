import { expect, it } from 'vitest';
import { batchOfLines, LogLines, seededRandom } from '../../../../bench/viewer/log-lines.ts';
import { fieldReader } from '../../../../drains/viewer/store/fields/field-reader.ts';
import { QuickField } from '../../../../drains/viewer/store/fields/quick-field.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';

const PIECES = [
  'status=500',
  'Status="5 0 1"',
  'x="status=7"',
  '"status":502',
  '{"status":503,"a":{"status":1}}',
  '{"a":{"status":1},"status":504}',
  '{"a":[1,{"status":2}],"b":"x\\"y","status":505}',
  '{"a" "status":506}',
  '{"status":[7,8]}',
  '{"status":null}',
  '{"status":"a\\u0041"}',
  '{"STATUS":"ok"}',
  '{}',
  '{ "a" : [ ] , "status" : true }',
  'sample#status=3',
  '(status=4,',
  '[status=5]',
  'xstatus=6',
  'http.status=7',
  'status=',
  'status=é',
  'status=a\\b',
  'a="b\\" status=9" status=10;',
  '{',
  '}',
  ' ',
  '=',
  '"',
];

it('a field that is read quickly is the one that is read thoroughly', () => {
  const random = seededRandom(4);
  const source = new LogLines(2, Date.UTC(2026, 10, 1), 5);
  const quick = new QuickField('status');
  const read = fieldReader('status');
  let known = 0;
  const compare = (message: string): boolean => {
    const { bytes } = batchOfLines([`<190>1 2026-11-01T12:00:00Z host app web.1 - - ${message}`]);
    const line = new RecordCursor(bytes);
    line.advance();
    if (!quick.find(bytes, line.messageStart, line.textEnd)) return false;
    known++;
    expect([message, bytes.toString('latin1', quick.start, quick.end)]).toEqual([message, read(line, bytes)]);
    return true;
  };
  for (let i = 0; i < 20_000; i++) {
    const pieces = Array.from(
      { length: 1 + Math.floor(random() * 4) },
      () => PIECES[Math.floor(random() * PIECES.length)],
    );
    const message = pieces.join(random() < 0.7 ? ' ' : '');
    const cut = random() < 0.2 ? message.slice(0, Math.floor(random() * message.length)) : message;
    compare(cut);
  }
  expect(known).toBeGreaterThan(1_000);
  // And it reads what most lines have.
  for (let i = 0; i < 500; i++) {
    const message = source.next().split(' - - ')[1];
    expect(compare(message)).toBe(message.includes('status'));
  }
});
