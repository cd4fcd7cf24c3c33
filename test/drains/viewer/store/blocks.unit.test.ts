import fc from 'fast-check';
import { expect, it } from 'vitest';
import { batchOfLines, LogLines } from '../../../../bench/viewer/log-lines.ts';
import { decodeBlock, encodeBlock } from '../../../../drains/viewer/store/blocks/block-format.ts';
import { LineTimes } from '../../../../drains/viewer/store/blocks/line-time.ts';
import { putIds, takeIds } from '../../../../drains/viewer/store/blocks/message-ids.ts';
import { joinRecords, splitRecords } from '../../../../drains/viewer/store/blocks/record-columns.ts';
import { HEADROOM, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { batchOf } from '../../../support/batches.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

const TIMES = [
  '2026-11-01T12:00:00.000000+00:00',
  '2026-11-01T12:00:00.123Z',
  '2026-11-01T12:00:00Z',
  '2026-11-01T12:59:59.999999-03:30',
  '1999-12-31T23:59:59.5+01:00',
  '2024-02-29T00:00:00.123456789Z',
  '2026-02-30T00:00:00Z',
  '2026-11-01T24:00:00Z',
  '-',
  'tomorrow',
];

it('blocks give back what was put into them, byte for byte, whatever lines look like', () => {
  const line = fc
    .tuple(
      fc.constantFrom('<14>1', '<191>1', '<0>1'),
      fc.constantFrom(...TIMES),
      fc.constantFrom('host', '-', 'a-b.example.com'),
      fc.constantFrom('app web.1 - -', 'heroku router - [x@1 a="b \\] c"]', 'a - id -'),
      fc.string({ unit: 'binary', maxLength: 60 }),
    )
    .map((fields) => fields.join(' ').replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 40 }), (lines) => {
      const { bytes, count } = batchOfLines(lines);
      const records = bytes.subarray(HEADROOM);
      const block = encodeBlock({
        first: 7,
        count,
        minMs: 1,
        maxMs: 2,
        records,
        runs: [{ count, receivedAtMs: 5 }],
      });
      expect(decodeBlock(block).bytes.equals(records)).toBe(true);
    }),
    { numRuns: propertyRuns(200) },
  );
  // What is no line at all.
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 10 }), (texts) => {
      const records = Buffer.from(batchOf(...texts).bytes).subarray(HEADROOM);
      expect(joinRecords(splitRecords(records), texts.length, records.length).equals(records)).toBe(true);
    }),
    { numRuns: propertyRuns(200) },
  );
});

it('blocks of real lines take less than a quarter', () => {
  const source = new LogLines(1, Date.UTC(2026, 10, 1), 3);
  const lines = Array.from({ length: 1_000 }, () => source.next());
  const { bytes, count } = batchOfLines(lines);
  const records = bytes.subarray(HEADROOM);
  const block = encodeBlock({ first: 1, count, minMs: 0, maxMs: 0, records, runs: [] });
  expect(block.length / lines.join('\n').length).toBeLessThan(0.24);
});

it('times of lines are read in every form that is stored', () => {
  for (const time of TIMES.slice(0, 6)) {
    const { bytes } = batchOfLines([`<14>1 ${time} host app web.1 - - x`]);
    const line = new RecordCursor(bytes);
    line.advance();
    expect([time, new LineTimes().read(line, bytes)]).toEqual([time, Math.floor(Date.parse(time))]);
  }
});

it('ids come back as they were, wherever they are in messages', () => {
  const uuid = '01234567-89ab-cdef-0123-456789abcdef';
  const piece = fc.oneof(
    fc.constantFrom(
      uuid,
      uuid.toUpperCase(),
      uuid.slice(1),
      `${uuid}a`,
      `a${uuid}`,
      'f'.repeat(16),
      '-',
      ' ',
      '=',
    ),
    fc.constantFrom('0'.repeat(15), 'a1'.repeat(127), 'b'.repeat(300), '\x01', '\x02', '\x10', 'x', 'é'),
    fc.integer({ min: 0, max: 40 }).map((length) => 'c7'.repeat(length)),
  );
  const message = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), (messages) => {
      const bytes = Buffer.from(messages.join(''));
      const marked = takeIds(bytes);
      expect(putIds(marked, bytes.length).equals(bytes)).toBe(true);
    }),
    { numRuns: propertyRuns(300) },
  );
  expect(takeIds(Buffer.from(`id=${uuid} trace=${'ab'.repeat(16)}`)).ids).toHaveLength(32);
});

it('records that were taken apart by the first version are put together', () => {
  const texts = [
    '<14>1 2026-11-01T12:00:00Z host app web.1 - - one',
    '<14>1 2026-11-01T12:00:01Z host app web.2 - - two',
  ];
  const records = batchOfLines(texts).bytes.subarray(HEADROOM);
  const apart = splitRecords(records);
  const first = Buffer.concat([apart.subarray(0, 12), apart.subarray(24)]);
  expect(joinRecords(first, texts.length, records.length, 0).equals(records)).toBe(true);
});
