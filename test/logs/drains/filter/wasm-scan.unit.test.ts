/** What is told of lines by their bytes, all of a shipment together, against the definitions that take them one by one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDrainFilter } from '../../../../src/logs/drains/filter/drain-filter.ts';
import { createRedactor } from '../../../../src/logs/drains/filter/redaction.ts';
import { sentLines } from '../../../../src/logs/drains/filter/sent-lines.ts';
import { createShipmentTransform } from '../../../../src/logs/drains/filter/transform.ts';
import {
  ASK_EVENTS,
  ASK_LEVELS,
  ASK_SENDERS,
  HAS_AT,
  HAS_BEARER,
  HAS_CARD,
  scanShipment,
} from '../../../../src/logs/drains/filter/wasm-scan.ts';
import type { DrainOptions } from '../../../../src/logs/drains/options/drain-options.ts';
import { buildShipment, type Shipment } from '../../../../src/logs/drains/shipment.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { batchOfOldLines, type OldLine } from '../../../support/old-lines.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

/** Beginnings of lines, and lines, that begin events or go on with them. */
const STARTS = [
  'GET /',
  'PHP Fatal error: ',
  'PHP   1. ',
  'WARN ',
  'ERROR boom',
  'at=info ',
  'a.rb:3:in ',
  'path=a.rb:1:in x (E)',
  '    at f (a.js:1)',
  '\tat a.b.C',
  'Traceback (most recent call last):',
  '  File "a.py", line 1',
  'ValueError: no',
  'ValueError',
  'During handling of the above exception, another exception occurred:',
  'The above exception was the direct cause of the following exception:',
  'The end',
  'panic: no',
  'goroutine 1 [running]:',
  'goroutines are many',
  'created by main.main',
  'created one',
  'exit status 2',
  'main.serve(0xc000)',
  "thread 'main' panicked at a.rs:1:",
  "thread 'main' panicked at 'no', a.rs:1",
  'note: run with',
  'stack backtrace:',
  'stack overflow',
  'Stack trace:',
  '#0 a.php(1): f()',
  'Next Exception: x',
  'Caused by: x',
  'Suppressed: x',
  'Uncaught Error: x',
  'TypeError: x',
  'Error happened',
  'Completed 200 OK',
  'Node.js v20',
  'node:internal/a:12',
  '/app/a.js:12',
  'com.a.B: no',
  '{"level":30}',
  '{',
  'request {',
  '}',
  '})',
  '[info] started',
  '[signal SIGSEGV]',
  '[stacktrace]',
  '[a] (b)',
  '[Error: x]',
  '2026-01-01T00:00:00.123Z ERROR x',
  '203.0.113.7 - -',
  '12(a)',
  '1Error',
  '',
  ' ',
  '  ',
  'ü ',
  'x',
];

const message = fc
  .tuple(
    fc.constantFrom(...STARTS),
    fc.constantFrom('', '', ' warn', ' status', '(x)', ' {', ': Error', '\x1b[1mstatus'),
  )
  .chain(([start, rest]) =>
    fc.oneof(
      { weight: 4, arbitrary: fc.constant(start + rest) },
      // One character less or another.
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.nat(40), fc.constantFrom('', ' ', 'r', 'E', '(', '.', '\u00a0'))
          .map(([at, by]) => (start + rest).slice(0, at) + by + (start + rest).slice(at + 1)),
      },
    ),
  );

const line: fc.Arbitrary<OldLine> = fc.record({
  priority: fc.constantFrom(190, 190, 190, 187, 188),
  timestamp: fc.constantFrom(
    '2026-01-01T00:00:00+00:00',
    '2026-01-01T00:00:01+00:00',
    '2026-01-01T00:00:09+00:00',
  ),
  source: fc.constantFrom('app', 'app', 'router'),
  dyno: fc.constantFrom('web.1', 'web.1', 'web.2'),
  message,
});

const batches = fc.array(fc.array(line, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 3 });

function shipmentOf(lists: readonly (readonly OldLine[])[]): Shipment {
  let last = 0;
  const stored = lists.map((lines) => {
    const first = last + 1;
    last += lines.length;
    return { ...batchOfOldLines(lines), first, last, storedAtMs: 1 };
  });
  return buildShipment(stored, 0, Number.POSITIVE_INFINITY)!;
}

describe('what is told of all lines of a shipment together', () => {
  const options: fc.Arbitrary<DrainOptions> = fc.record(
    {
      level: fc.constantFrom('error' as const, 'warn' as const),
      sources: fc.constant(['app']),
      match: fc.constantFrom(['status'], ['stat(us)?'], ['warn|x$']),
      exclude: fc.constantFrom(['warn'], ['^(ERROR|The)']),
      sample: fc.constant(0.5),
    },
    { requiredKeys: [] },
  );

  it('selects the same lines as events that are followed line by line', async () => {
    await fc.assert(
      fc.asyncProperty(batches, options, async (lists, wanted) => {
        const shipment = shipmentOf(lists);
        const scan = scanShipment(shipment, ASK_LEVELS | ASK_SENDERS | ASK_EVENTS);
        const filter = createDrainFilter(wanted);
        if (!filter) return;
        expect([...(await sentLines(shipment, filter, scan))]).toEqual([
          ...(await sentLines(shipment, filter, undefined)),
        ]);
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });

  it('isn’t told of more senders than are followed, nor of a line that is too large: the same lines are selected', async () => {
    const many = Array.from({ length: 3_000 }, (_, i) => ({
      dyno: `web.${i % 1_500}`,
      message: i % 3 ? '    at f' : `GET ${i % 7 ? 'status' : ''}`,
    }));
    const large = [
      { message: `status ${'x'.repeat(600_000)}` },
      { message: '    at f' },
      { message: 'GET /' },
    ];
    const transform = createShipmentTransform({ match: ['status'] })!;
    expect(scanShipment(shipmentOf([many]), ASK_SENDERS)).toBeUndefined();
    expect((await transform(shipmentOf([many]))).count).toBeGreaterThan(500);
    expect((await transform(shipmentOf([large]))).count).toBe(2);
  });
});

describe('what may be redacted', () => {
  const secret = fc.constantFrom(
    'Authorization: Bearer abc123.def_456-ghi',
    'authorization=token x',
    'bearer eyJhbGciOiJIUzI1NiJ9',
    'beaRER  a1b2c3d4e5',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '4111111111111111',
    '5500000000000004 1',
    '9 4111111111111111',
    '3-4111111111111111',
    '.4111111111111111',
    '4222222222222',
    '422222222222',
    'jo@b.example',
    'postgres://u:p@h/',
    '1767225600000',
    'health42',
    ' ',
    '-',
    'é',
    'x',
  );
  const text = fc.array(secret, { maxLength: 6 }).map((parts) => parts.join(''));
  const lines = fc.array(
    fc.record({ message: text, structuredData: text.map((value) => (value ? `[a@1 b="${value}"]` : '-')) }),
    { minLength: 1, maxLength: 10 },
  );

  it('is found in every line in which something is', async () => {
    const rules = fc.subarray(['bearer', 'url-password', 'card', 'email'] as const, { minLength: 1 });
    const patterns = fc.constantFrom([], ['health\\d+'], ['[0-9]{13}'], ['x|é']);
    await fc.assert(
      fc.asyncProperty(lines, rules, patterns, async (list, redact, redact_patterns) => {
        const options = { redact, redact_patterns };
        const redactor = createRedactor(options)!;
        const redacted = (text: string) => redactor.redact(text, HAS_AT | HAS_BEARER | HAS_CARD);
        const { slices } = await createShipmentTransform(options)!(shipmentOf([list]));
        const cursor = new RecordCursor(slices[0].batch.bytes, slices[0].start, slices[0].end);
        const bytes = Buffer.from(slices[0].batch.bytes);
        for (const { message, structuredData } of list) {
          if (!cursor.advance()) expect.fail(`there is no line for ${message}`);
          const value = structuredData.slice(8, -2);
          const data = structuredData === '-' ? '-' : `[a@1 b="${redacted(value)}"]`;
          const written = bytes.toString('utf8', cursor.msgidStart + 2, cursor.textEnd);
          const wanted = `${data} ${redacted(message)}`;
          if (written !== wanted) expect(written).toBe(wanted);
        }
      }),
      { numRuns: propertyRuns(1_000) },
    );
  });
});
