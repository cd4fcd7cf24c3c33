import { describe, expect, it } from 'vitest';
import { batchOfLines, LogLines, seededRandom } from '../../../../bench/viewer/log-lines.ts';
import { ColumnBuilder } from '../../../../drains/viewer/store/columns/column-builder.ts';
import { ColumnQuery, fieldOfLines } from '../../../../drains/viewer/store/columns/column-query.ts';
import { encodeColumns, PartColumns } from '../../../../drains/viewer/store/columns/part-columns.ts';
import { linesWithText } from '../../../../drains/viewer/store/columns/text-query.ts';
import { fieldReader } from '../../../../drains/viewer/store/fields/field-reader.ts';
import { QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import { parseQuery } from '../../../../src/logs/query/query-parser.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { lineLevel } from '../../../../src/logs/syslog/record.ts';
import { FIRST_SEED, propertyRuns, sampleOf } from '../../../support/properties/property-runs.ts';

/** Of each set of lines; they are others in each run. */
const LINES = propertyRuns(2_000, 400);
/** Four blocks of the larger sets. */
const BLOCK_LINES = LINES / 4;

/** Pieces of messages in which fields are, or seem to be. */
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
  '{"status":"null"}',
  '{"status":{"code":9}}',
  '{"status":"a\\u0041"}',
  '{"STATUS":"ok","method":"GET"}',
  '{}',
  '{ "a" : [ ] , "status" : true }',
  '{"msg":"bad status:511","code":"status:x"}',
  'http_status:512',
  'name=checkout of=orders',
  'name=checkin level=error',
  'name="check out" checkout',
  'event=checkout.done id=12ab',
  'order1234checkout56 done',
  '3f2a9c1e-beef-4a1b-8c2d-0a1b2c3d4e5f checkout',
  'Checkout of',
  'checkout #7',
  `${'checkout'.repeat(5)}`,
  '\x01checkout',
  'caf\u00e9 checkout',
  'status:500',
  'sample#status=3',
  '(status=4,',
  '[status=5]',
  'xstatus=6',
  'http.status=7',
  'status=',
  'status=é',
  'status=a\\b',
  'status=null',
  'a="b\\" status=9" status=10;',
  'a="open status=11',
  'a=b="c status=12" method=PUT',
  `status=${'9'.repeat(120)}`,
  '\x1b[31mstatus=13\x1b[0m',
  'method=get code=H12',
  'level=error',
  'ERROR: x',
  '{',
  '}',
  ' ',
  '=',
  '"',
];

const QUERIES = [
  'status:500',
  'status:>=500',
  'status:<10 OR method:get',
  'status:*',
  '-status:*',
  'status:null',
  'status:5*',
  'status:/^5/',
  'status:=ok',
  'code:status',
  'a:b',
  'a.status:1',
  'http.status:7',
  'method:GET -status:500',
  'severity:error',
  'severity:>=warn',
  '-level:error status:>1',
  'program:web.1',
  'source:heroku',
  'dyno:web -dyno:web.2',
  'host:box',
  'host:*',
  'sender:box',
  'facility:local7',
  'facility:user OR status:500',
  'heroku',
  'router OR status:502',
  '-(heroku OR status:500)',
  'message:status*',
  '/status.\\d/',
  'checkout',
  'heck',
  'out',
  'of',
  '"checkout of"',
  '"out of"',
  'out.done',
  '"name=check"',
  '"name=checkout of"',
  '"in level=error"',
  '"level=error"',
  'status=500',
  '"status=500 status"',
  '"status\\": 50"',
  '"GET status=500"',
  '=500',
  '500',
  'beef',
  '-beef-',
  '"beef"',
  '"5f checkout"',
  '"12ab checkout"',
  '"ab checkout"',
  '"checkout #7"',
  '-checkout',
  'checkout status:500',
  'message:checkout',
  'name:checkout',
  'caf\u00e9',
  '"checkout caf\u00e9"',
  'null',
  'web.1',
  'took',
  '"took 5"',
  '"ms after"',
  'orders',
  '/orders/',
  'page=3',
  'GET',
  '"method=GET"',
  '"level=error event=db.query"',
  '\'"level":"error"\'',
  '\'"service":"orders","\'',
  'shop.example.com',
  'IllegalState',
  'FOUND',
  'program:app status:500 word',
];

const HEADERS = [
  '<190>1 2026-11-01T12:00:00Z host app web.1 - -',
  '<190>1 2026-11-01T12:00:01Z box app web.2 - -',
  '<158>1 2026-11-01T12:00:02Z host heroku router - -',
  '<11>1 2026-11-01T12:01:00Z box.example.com app web.1 id -',
  '<14>1 2026-11-01T12:09:00Z host app worker.1 - [x@1 status="500" method="GET"]',
];

function columnsOf(lines: readonly string[]): PartColumns {
  const builder = new ColumnBuilder(['status']);
  const { bytes } = batchOfLines(lines);
  const line = new RecordCursor(bytes);
  for (let i = 0; line.advance(); i++) {
    builder.add(line, bytes, lineLevel(line, bytes), i, false);
    if ((i + 1) % BLOCK_LINES === 0 || i === lines.length - 1) builder.endBlock();
  }
  const section = encodeColumns(builder.finish());
  return new PartColumns((offset, length) => section.subarray(offset, offset + length));
}

function rangesOf(lines: readonly string[]): { from: number; to: number }[] {
  return Array.from({ length: Math.ceil(lines.length / BLOCK_LINES) }, (_, i) => ({
    from: i * BLOCK_LINES,
    to: Math.min(lines.length, (i + 1) * BLOCK_LINES),
  }));
}

function oddLines(): string[] {
  const random = seededRandom(FIRST_SEED);
  const one = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)];
  return Array.from({ length: LINES }, () => {
    const pieces = Array.from({ length: 1 + Math.floor(random() * 3) }, () => one(PIECES));
    const message = pieces.join(random() < 0.8 ? ' ' : '');
    const cut = random() < 0.1 ? message.slice(0, Math.floor(random() * message.length)) : message;
    return `${one(HEADERS)} ${cut}`;
  });
}

/** Those of which templates are made. */
function plainOddLines(): string[] {
  return oddLines().filter((line) => !/[\x01\x1b]|\[x@1/.test(line));
}

function realLines(count: number, seed: number): string[] {
  const source = new LogLines(seed, Date.UTC(2026, 10, 1), 5);
  return Array.from({ length: count }, () => source.next());
}

describe(`columns (first seed ${FIRST_SEED})`, () => {
  const set = (name: string, lines: readonly string[]) => [name, lines, columnsOf(lines)] as const;
  const sets = [
    set('odd lines', oddLines()),
    set('odd lines of which more is known', plainOddLines()),
    set('lines as they are', realLines(LINES, FIRST_SEED)),
  ];

  it.each(sets)('tell nothing of a query that the lines don’t: %s', (_name, lines, columns) => {
    const query = new ColumnQuery(columns, rangesOf(lines), () => undefined);
    const { bytes } = batchOfLines(lines);
    for (const q of sampleOf(QUERIES, 10)) {
      const { expression } = parseQuery(q);
      const { certain, possible } = query.evaluate(expression!);
      const matcher = new QueryMatcher(expression!, '');
      const line = new RecordCursor(bytes);
      const wrong: string[] = [];
      for (let i = 0; line.advance(); i++) {
        const has = matcher.matches(line, bytes);
        if ((certain.get(i) && !has) || (has && !possible.get(i))) wrong.push(`${has} ${lines[i]}`);
      }
      expect([q, wrong]).toEqual([q, []]);
    }
  });

  it.each(sets)('tell nothing of a piece of a message that the lines don’t: %s', (_name, lines, columns) => {
    const random = seededRandom(FIRST_SEED);
    const { bytes } = batchOfLines(lines);
    const line = new RecordCursor(bytes);
    const messages = lines.map(() => {
      line.advance();
      return bytes.toString('latin1', line.messageStart, line.textEnd).toLowerCase();
    });
    for (let i = 0; i < propertyRuns(60, 20); i++) {
      const from = messages[Math.floor(random() * messages.length)];
      const at = Math.floor(random() * from.length);
      const text = from.slice(at, at + 1 + Math.floor(random() * 20));
      const found = /^[\x20-\x7e]+$/.test(text) ? linesWithText(columns, rangesOf(lines), text) : undefined;
      if (!found) continue;
      const wrong = messages.filter((message, line) =>
        message.includes(text) ? !found.possible.get(line) : found.certain.get(line),
      );
      expect([text, wrong]).toEqual([text, []]);
    }
  });

  it('tell all of common queries of common lines', () => {
    const lines = realLines(2_000, 2);
    const query = new ColumnQuery(columnsOf(lines), rangesOf(lines), () => undefined);
    for (const q of [
      'status:>=500',
      'status:503 method:GET',
      'severity:error',
      'program:web.1',
      'source:heroku -method:POST',
      'event:db.query OR service:orders',
      'dyno:web.3 status:5*',
      'level:error -status:*',
      'checkout',
      '"checkout of"',
      'inventory OR GET',
      '"level=error"',
      '"status=503"',
      'orders -"method=GET"',
      '\'"service":"orders"\'',
      'IllegalStateException',
      'message:replica',
      'checkout status:503',
    ]) {
      const { certain, possible } = query.evaluate(parseQuery(q).expression!);
      expect([q, certain.count() > 0, possible.count()]).toEqual([q, true, certain.count()]);
    }
  });

  it.each(sets)('have the values that reading gives: %s', (_name, lines, columns) => {
    const { bytes } = batchOfLines(lines);
    for (const name of ['status', 'method', 'a', 'code', 'event', 'nothing']) {
      const { numbers, values } = fieldOfLines(columns, name);
      const read = fieldReader(name);
      const line = new RecordCursor(bytes);
      let known = 0;
      for (let i = 0; line.advance(); i++) {
        const value = values[numbers[i]];
        if (value === undefined) continue;
        known++;
        const [told, right] = [value === 'null' ? undefined : (value ?? undefined), read(line, bytes)];
        if (told !== right) expect([lines[i], told]).toEqual([lines[i], right]);
      }
      expect(known).toBeGreaterThan(lines.length / 10);
    }
  });

  it('of fields, origins and shapes beyond their number leave lines to be read', () => {
    const lines = Array.from({ length: 1_500 }, (_, i) =>
      i % 3 === 0
        ? `<190>1 2026-11-01T12:00:00Z host${i} app web.1 - - id=${i} status=200`
        : `<190>1 2026-11-01T12:00:00Z host app web.1 - - f${i}=1 f${i % 40}x=2 status=${i % 2}`,
    );
    const columns = columnsOf(lines);
    const query = new ColumnQuery(columns, rangesOf(lines), () => undefined);
    const { bytes } = batchOfLines(lines);
    for (const q of [
      'id:3',
      'id:*',
      'status:1',
      'f1:1',
      'f1499:1',
      'f2x:2',
      'host:host300',
      'sender:host1200',
    ]) {
      const { expression } = parseQuery(q);
      const { certain, possible } = query.evaluate(expression!);
      const matcher = new QueryMatcher(expression!, '');
      const line = new RecordCursor(bytes);
      for (let i = 0; line.advance(); i++) {
        const has = matcher.matches(line, bytes);
        const [isCertain, isPossible] = [certain.get(i), possible.get(i)];
        if ((has && !isPossible) || (!has && isCertain)) expect.fail(`${q}: ${lines[i]}`);
      }
    }
  });
});
