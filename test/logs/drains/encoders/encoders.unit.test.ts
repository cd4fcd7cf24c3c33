/** The encoders of drains' formats write, byte for byte, what the plainest code does: for any lines, however many, in one shipment or several. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../../../src/common/buffers/buffer-pool.ts';
import { linesMemory } from '../../../../src/logs/drains/encoders/wasm/wasm-lines.ts';
import { buildShipment, type Shipment } from '../../../../src/logs/drains/shipment.ts';
import { RequestMemory } from '../../../../src/logs/drains/sinks/request-memory.ts';
import type { StoredBatch } from '../../../../src/logs/store/contract.ts';
import { batchOfOldLines, type OldLine } from '../../../support/old-lines.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import {
  anyField,
  anyTimestamp,
  oddStructuredData,
  validStructuredData,
} from '../../../support/senders/odd-fields.ts';
import { NOTICE, SIMPLE_ENCODERS, WASM_ENCODERS } from './compared-encoders.ts';

const pool = new BufferPool({ buffersMax: 2 });
const requestMemory = new RequestMemory(pool);

let last = 0;

function compare(batches: readonly (readonly OldLine[])[], withNotice: boolean): void {
  const stored = batches.map((lines) => {
    const first = last + 1;
    last += lines.length;
    return { ...batchOfOldLines(lines), first, last, storedAtMs: Date.UTC(2026, 10, 28, 9, 21) };
  });
  const shipment = shipmentOf(stored);
  // As they are when they were read into the module's memory.
  const slot = linesMemory().lines.acquire(0)!;
  let end = 5;
  const read = shipmentOf(
    stored.map((batch) => {
      const bytes = slot.subarray(end, end + batch.bytes.length);
      bytes.set(batch.bytes);
      end += bytes.length;
      return { ...batch, bytes };
    }),
  );
  const notice = withNotice ? NOTICE : undefined;
  for (const [name, encode] of Object.entries(WASM_ENCODERS)) {
    const wanted = SIMPLE_ENCODERS[name](shipment, notice);
    for (const [lines, memory] of [
      [shipment, pool],
      [shipment, requestMemory],
      [read, requestMemory],
      [read, pool],
    ] as const) {
      const body = encode(lines, notice, memory);
      if (!body.equals(wanted))
        expect(`${name}: ${body.toString('latin1')}`).toBe(`${name}: ${wanted.toString('latin1')}`);
      memory.release(body);
    }
  }
  linesMemory().lines.release(slot);
  requestMemory.releaseAll();
}

function shipmentOf(batches: readonly StoredBatch[]): Shipment {
  return buildShipment(batches, batches[0].first - 1, Number.POSITIVE_INFINITY)!;
}

const field = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('web.1', 'web.2', 'app', 'router', 'h', 'ID47', '-') },
  { weight: 1, arbitrary: anyField.map((text) => text.replaceAll(' ', '')) },
);
const WORDS = [
  ...[
    'level=',
    'level',
    '"level":',
    "'level': ",
    'severity=',
    'lvl=',
    'at=',
    'log.level=',
    'LEVEL=',
    'Level: ',
    '"@l":',
    'level_name=',
  ],
  ...[
    'error',
    'ERROR',
    'warn',
    'WARN',
    'Warning',
    'info',
    'INFO',
    'debug',
    'trace',
    'critical',
    'emergency',
    'information',
  ],
  ...['ERR', 'WRN', 'erro', 'notice', 'fatal', 'dpanic', '30', '50', '7', '400', '4000', 'errors', 'infos'],
  ...[
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    '<',
    '>',
    ',',
    ';',
    '|',
    ':',
    '=',
    ' ',
    '  ',
    '\t',
    '\n',
    '-',
    '*',
    '+',
  ],
  ...[
    '2026-11-21 08:00:00,123',
    '08:00:00',
    '[08:00:00',
    '203.0.113.7',
    'GET',
    'model=',
    'context=',
    'hostname',
  ],
  ...[
    'Completed ',
    'Processing',
    'SELECT ',
    'PHP ',
    'Trace ',
    'Jan 1, 2026 8:00:00 AM x\nSEVERE: y',
    'stat=',
  ],
  ...['7', '-5', ':5', '8:00:', '7:x', '1234567890', 'device', 'mvp', 'err', 'LVL=', 'AT=info', '|'],
  ...[
    'TypeError: x',
    'Error: none',
    'terror',
    'exceptional',
    'java.lang.Exception',
    'grüße',
    '\u00a0',
    '\u2028',
    '日本語',
    '😀',
    '\x1b[31m',
    '\x00',
    '\x1f',
    '\x7f',
    '\\',
    '/',
  ],
  ...[
    'Traceback (most recent',
    'panic: ',
    'E, [2012',
    'PHP Warning: x',
    'npm ERR! x',
    'main.c:3:5: error: x',
    '7:M 21 Nov 2026 08:00:00.123 # x',
    '{"t":{"$date":"2026-01-01T00:00"},"s":"E"',
    '=ERROR REPORT==',
    'INFO[0003] x',
    'CONFIG: x',
    'fail: x',
    '[Sat Nov 21 08:00:00.123 2026] [core:error] [pid 7] x',
    '[Nest] 7  - 11/21/2026, 8:00:00 AM   ERROR x',
    '[2026-11-21T08:00:00,123][WARN ][o.e.b] x',
    '[2026-11-21 08:00:00,123: ERROR/MainProcess] x',
    '[2026-11-21 08:00:00] local.ERROR: x',
    '[2026-11-21 08:00:00] ',
    '[21-Nov-2026 08:00:00 UTC] PHP Warning: x',
    '[web] ',
    'Uncaught ',
    'TypeError: x',
    'Error R14 (x)',
    '0 errors',
    "thread 'main' panicked at x",
    'threshold ',
    'failed ',
    'Try ',
    'no exception',
    '203.0.113.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" ',
    ' - - [01/Jan/2026:00:00:00 -0530] "',
    'WARN ',
    'TRACE ',
    'INFO: ',
    'none',
    ' @l=',
    '{"level":30,"time":1',
  ],
];
const message: fc.Arbitrary<string | Buffer> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(
        fc.oneof(fc.constantFrom(...WORDS), fc.constantFrom(' ', ' ', ' x '), fc.string({ maxLength: 6 })),
        { maxLength: 9 },
      )
      .map((words) => words.join('')),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('x', 'ü', '"', '\x01', ' y'), fc.integer({ min: 1, max: 3_000 }))
      .map(([text, count]) => text.repeat(count)),
  },
);
const time = fc.oneof(
  fc.constantFrom(
    '2026-01-01T00:00:00Z',
    '2026-01-01T23:59:59.123456+00:00',
    '2001-09-09T01:46:39.9+00:00',
    '2026-11-21T08:00:00.123456789-05:30',
  ),
  anyTimestamp.map((text) => text.replaceAll(' ', '_')),
);
const line: fc.Arbitrary<OldLine> = fc.record({
  priority: fc.constantFrom(190, 190, 190, 13, 134, 0, 3, 172, 191),
  timestamp: time,
  hostname: field,
  source: field,
  dyno: field,
  msgid: field,
  structuredData: fc.oneof(
    { weight: 3, arbitrary: fc.constant('-') },
    { weight: 1, arbitrary: validStructuredData },
    { weight: 1, arbitrary: oddStructuredData },
  ),
  message,
});

describe('every encoder', () => {
  it('writes what the plainest code does, whatever the lines', () => {
    const batches = fc.array(fc.array(line, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 3 });
    fc.assert(fc.property(batches, fc.boolean(), compare), { numRuns: propertyRuns(300) });
  });

  it('writes thousands of lines, of thousands of dynos, of which the memory of the fast path holds a part', () => {
    const count = propertyRuns(4_000, 1_100);
    const many = Array.from({ length: count }, (_, i) => ({
      dyno: `worker.${i % Math.ceil(0.75 * count)}`,
      message: i % 40 === 0 ? '\x01'.repeat(2_000) : `job ${i} took 12 ms`,
    }));
    compare([many.slice(0, 1_000), many.slice(1_000)], true);
    compare([many.slice(0, 10)], false);
    compare(
      [
        Array.from({ length: propertyRuns(100, 30) }, (_, i) => ({
          dyno: `web.${i % 3}`,
          message: '\x02'.repeat(10_000),
        })),
      ],
      false,
    );
  });

  it('writes a priority anew, also that of a line whose header is written as it is stored', () => {
    const priorities = [14, '014', 14, '0014', 190];
    compare([priorities.map((priority, i) => ({ priority, message: `line ${i}` }))], false);
  });

  it('writes lines with headers that are too long to be remembered', () => {
    const long = 'x'.repeat(200);
    compare(
      [
        [
          { dyno: long, hostname: long, message: 'm' },
          { dyno: long, message: 'm' },
          { msgid: long, source: long, message: 'm' },
        ],
      ],
      false,
    );
  });

  it('writes headers of every length, of which the pieces are remembered and what is composed of them is not', () => {
    // A quote is two bytes in JSON, and six where JSON is within JSON.
    const lengths = Array.from({ length: propertyRuns(210, 105) }, (_, i) => i + 1);
    for (const character of ['x', '"', '\\'])
      compare(
        [
          lengths.flatMap((length) => {
            const source = character.repeat(length);
            return [
              { source, message: 'm' },
              { source, structuredData: '[a b="c"]', message: 'm' },
              { source, message: '' },
            ];
          }),
        ],
        false,
      );
  });

  it('writes each time as it is, whatever the time of the line before was', () => {
    const second = '2026-11-21T08:00:00';
    const times = [
      ...['.123456+00:00', '.123457+00:00', '.123456+01:00', '.123456-00:00', '.123456Z', '.123+00:00'],
      ...[
        '.1234567+00:00',
        '.123456789+00:00',
        '.1+00:00',
        '.+00:00',
        '+00:00',
        'Z',
        '.123456',
        '.12345a+00:00',
      ],
      ...['.123456+00:0x', '.123456+0000', '.1234567890+00:00', '.12345678901234567+00:00'],
    ].map((rest) => second + rest);
    const others = [
      '2026-11-21T08:00:01.123456+00:00',
      '2026-11-21T08:01:00.123456+00:00',
      '2026-11-22T08:00:00.123456+00:00',
      '2026-11-21T08:00:60.123456+00:00',
      '2026-11-21T08:00:00,123456+00:00',
      '2026-11-21t08:00:00.123456+00:00',
      '2026-13-21T08:00:00.123456+00:00',
      '-',
    ];
    const all = [...times, ...others];
    // Each behind each.
    const pairs = all.flatMap((one) => all.flatMap((other) => [one, other]));
    compare([pairs.map((timestamp, i) => ({ timestamp, message: `line ${i}` }))], false);
  });
});
