import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { stripColors } from '../../../../src/common/text/colors.ts';
import { createRedactor } from '../../../../src/logs/drains/filter/redaction.ts';
import { createShipmentTransform } from '../../../../src/logs/drains/filter/transform.ts';
import { HAS_AT, HAS_BEARER, HAS_CARD } from '../../../../src/logs/drains/filter/wasm-scan.ts';
import { type DrainOptions, parseDrainOptions } from '../../../../src/logs/drains/options/drain-options.ts';
import { buildShipment } from '../../../../src/logs/drains/shipment.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { LineFilter } from '../../../../src/logs/syslog/line-filter.ts';
import { batchOfOldLines } from '../../../support/old-lines.ts';
import { processorMs } from '../../../support/processor-time.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

/** Of every rule something may be in the text. */
const ALL_FACTS = HAS_AT | HAS_BEARER | HAS_CARD;

describe('redaction', () => {
  const redactor = createRedactor({ redact: ['bearer', 'url-password', 'card', 'email'] });
  const redact = (text: string) => redactor?.redact(text, ALL_FACTS);

  it.each([
    ['Authorization: Bearer abc123.def_456-ghi', 'Authorization: Bearer <redacted>'],
    ['{"authorization":"Basic dXNlcjpwYXNz"}', '{"authorization":"Basic <redacted>"}'],
    ['got bearer eyJhbGciOiJIUzI1NiJ9.e30.abc=', 'got bearer <redacted>'],
    ['postgres://user:s3cret@db.example/app', 'postgres://user:<redacted>@db.example/app'],
    ['redis://:hunter2@10.0.0.1:6379', 'redis://:<redacted>@10.0.0.1:6379'],
    ['paid with 4111 1111 1111 1111 today', 'paid with <redacted> today'],
    ['card=4111111111111111;', 'card=<redacted>;'],
    ['4111111111111111 123 12/27', '<redacted> 123 12/27'],
    ['4111-1111-1111-1111 12/27', '<redacted> 12/27'],
    ['4111 1111 1111 1111 737 ok', '<redacted> 737 ok'],
    ['03:00:45 4111111111111111', '03:00:45 <redacted>'],
    ['25 3782 822463 10005 3', '25 <redacted> 3'],
    ['3 5555 5555 5555 4444 6011111111111117 5', '3 <redacted> <redacted> 5'],
    ['mail from Jane.Doe+x@mail.example.co.uk.', 'mail from <redacted>.'],
  ])('%s', (message, left) => expect(redact(message)).toBe(left));

  it.each([
    'a bearer of bad news',
    'basic authentication failed',
    'https://example.com:8080/path@2',
    'at 1354107648000 ms',
    'order 4111111111111112',
    '27 4111111111111112 123',
    '2 4111111111111111.5',
    '3 41111111111111111111',
    '2012-12-10T03:00:48.123456+00:00',
    'request_id=8601b555-6a83-4c12-8269-97c8e32cdb22',
    'user@localhost',
  ])('leaves alone: %s', (message) => expect(redact(message)).toBe(message));

  it('takes linear time, whatever the input', () => {
    const all = createRedactor({
      redact: ['bearer', 'url-password', 'card', 'email'],
      redact_patterns: ['(a+)+$', '(x|x)*y'],
    });
    const ms = processorMs(() => {
      for (const unit of ['a', '4 ', '1-', 'a@', '://', 'bearer ', '.', 'x', ':/', 'a.b'])
        all?.redact(unit.repeat(10_000 / unit.length), ALL_FACTS);
    });
    expect(ms).toBeLessThan(2_000);
  });
});

describe('options', () => {
  it.each([
    ['https://h/', { colour: 'red' }, 'A drain has no option "colour"'],
    ['https://h/', { format: 'syslog' }, "can't have the format syslog: use logplex, rfc5424"],
    ['syslog://h', { compression: 'gzip' }, 'compression is for http:// and https:// drains only'],
    ['https://h/', { match: ['(?=x)'] }, 'is no regular expression of RE2'],
    ['https://h/', { sample: '120%' }, 'sample is the part of the lines to send, such as 10% or 0.1'],
    ['https://h/', { level: 'loud' }, 'level is one of error, warn, info, debug'],
    ['https://h/', { headers: { 'Content-Type': 'x' } }, 'Content-Type is set by tailrace itself'],
    ['https://h/', { headers: { X: 'a\r\nb' } }, 'headers are names and values'],
    ['https://h/?tailrace-format=yaml', undefined, 'format is one of'],
    ['http://h/', { ca: '-----BEGIN ' }, 'Certificates are for https:// and syslog+tls:// drains only'],
    ['https://h/', { ca: '-----BEGIN nonsense' }, "can't be read as PEM"],
  ])('%s %o is rejected', (url, given, why) => {
    expect(() => parseDrainOptions(new URL(url), given)).toThrow(why);
  });

  it('can be in the URL', () => {
    expect(
      parseDrainOptions(new URL('https://h/?a=1&tailrace-format=json&tailrace-sources=app,db'), {}),
    ).toEqual({
      format: 'json',
      sources: ['app', 'db'],
    });
  });
});

describe('a shipment with filters', () => {
  const message = fc
    .array(
      fc.constantFrom(
        ...[
          'status',
          'stat',
          'us',
          '\x1b[31m',
          '\x1b[0m',
          ' ',
          'level=',
          'warn',
          'ERROR',
          'x',
          'ü',
          '\u00a0',
          'debug',
          '"level":',
          '30',
          '\n',
        ],
      ),
      { maxLength: 8 },
    )
    .map((words) => `GET ${words.join('')}`); // an event of its own
  const line = fc.record({
    priority: fc.constantFrom(190, 190, 13, 3, 12, 191, 0, 108),
    source: fc.constantFrom('app', 'status', 'router'),
    dyno: fc.constantFrom('web.1', 'web.12', 'worker.1'),
    message,
  });
  const options: fc.Arbitrary<DrainOptions> = fc.record(
    {
      level: fc.constantFrom('error' as const, 'warn' as const, 'info' as const, 'debug' as const),
      sources: fc.constantFrom(['app'], ['router', 'status']),
      dynos: fc.constantFrom(['web'], ['worker.1']),
      match: fc.constantFrom(['status'], ['stat(us)?'], ['ü'], ['status', 'warn']),
      exclude: fc.constantFrom(['x'], ['us'], ['ERROR|warn']),
    },
    { requiredKeys: [] },
  );

  it('has the lines that each filter lets through by itself, as they were', async () => {
    const batches = fc.array(fc.array(line, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(batches, options, async (lists, wanted) => {
        let last = 0;
        const stored = lists.map((lines) => {
          const first = last + 1;
          last += lines.length;
          return { ...batchOfOldLines(lines), first, last, storedAtMs: 1 };
        });
        const shipment = buildShipment(stored, 0, Number.POSITIVE_INFINITY)!;
        const filtered = (await createShipmentTransform(wanted)?.(shipment)) ?? shipment;
        const { sources, dynos, level, match = [''], exclude = [] } = wanted;
        const filter = new LineFilter({ sources, dynos, level });
        const matchesOne = (patterns: readonly string[], text: string): boolean =>
          patterns.some(
            (pattern) => RE2JS.compile(pattern).test(text) || RE2JS.compile(pattern).test(stripColors(text)),
          );
        const expected: string[] = [];
        for (const { bytes } of stored) {
          const cursor = new RecordCursor(bytes);
          const buffer = Buffer.from(bytes);
          while (cursor.advance()) {
            const text = buffer.toString('utf8', cursor.messageStart, cursor.textEnd);
            if (filter.matches(cursor, buffer) && matchesOne(match, text) && !matchesOne(exclude, text))
              expected.push(buffer.toString('utf8', cursor.textStart, cursor.textEnd));
          }
        }
        const found: string[] = [];
        for (const { batch, start, end } of filtered.slices) {
          const cursor = new RecordCursor(batch.bytes, start, end);
          const buffer = Buffer.from(batch.bytes);
          while (cursor.advance()) found.push(buffer.toString('utf8', cursor.textStart, cursor.textEnd));
        }
        expect(found).toEqual(expected);
        expect(filtered).toMatchObject({ first: 1, last, count: expected.length });
      }),
      { numRuns: propertyRuns(300) },
    );
  });
});
