/** A request in protobuf is refused before protobufjs makes an object of two bytes. */
import { describe, expect, it } from 'vitest';
import {
  assertOtlpWithinLimits,
  hasFewOtlpMessages,
} from '../../../../src/logs/sources/formats/otlp-scanner.ts';
import { encodeOtlpLogs } from '../../../../src/logs/sources/formats/otlp-schema.ts';

const REQUEST = {
  resourceLogs: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
      scopeLogs: [
        {
          scope: { name: 's' },
          logRecords: [
            { timeUnixNano: '1355108448123456789', severityNumber: 9, body: { stringValue: 'a' } },
            { body: { kvlistValue: { values: [{ key: 'k', value: { doubleValue: 1.5 } }] } } },
          ],
        },
      ],
    },
  ],
};

/** A field with a length. */
function field(number: number, content: Buffer): Buffer {
  const length: number[] = [];
  for (let left = content.length; ; left = Math.floor(left / 128)) {
    length.push(left < 128 ? left : (left % 128) | 128);
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
}

/** Bytes that count how many of them are read. */
function counting(bytes: Buffer): { bytes: Buffer; reads: () => number } {
  let reads = 0;
  const counted = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === 'string' && Number(key) >= 0) reads++;
      return Reflect.get(target, key, target);
    },
  });
  return { bytes: counted, reads: () => reads };
}

const empty = (number: number, count: number): Buffer =>
  Buffer.alloc(count * 2, Buffer.from([(number << 3) | 2, 0]));

describe('a request', () => {
  it('as it should be is within the limits, and has few messages', () => {
    const bytes = encodeOtlpLogs(REQUEST);
    expect(() => assertOtlpWithinLimits(bytes)).not.toThrow();
    expect(hasFewOtlpMessages(bytes, 20)).toBe(true);
    expect(hasFewOtlpMessages(bytes, 5)).toBe(false);
  });

  it.each([
    ['records', 4, field(1, field(2, empty(2, 1_300_000))), 'over 100000 lines'],
    ['resources', 2, empty(1, 1_300_000), 'over 1000000 values'],
    [
      'attributes of one record',
      4,
      field(1, field(2, field(2, empty(6, 1_300_000)))),
      'over 20000 attributes',
    ],
    [
      'values of a list',
      4,
      field(1, field(2, field(2, field(5, field(5, empty(1, 1_300_000)))))),
      'over 1000000 values',
    ],
  ])('of 1.3 million empty %s is refused', (_name, _depth, bytes, why) => {
    expect(() => assertOtlpWithinLimits(bytes)).toThrow(why);
    expect(hasFewOtlpMessages(bytes, 1_000)).toBe(false);
  });

  it('is looked at only as far as it takes', () => {
    const many = counting(field(1, field(2, empty(2, 1_300_000))));
    expect(() => assertOtlpWithinLimits(many.bytes)).toThrow('over 100000 lines');
    expect(many.reads()).toBeLessThan(220_000);
    const quick = counting(field(1, field(2, empty(2, 1_300_000))));
    expect(hasFewOtlpMessages(quick.bytes, 1_000)).toBe(false);
    expect(quick.reads()).toBeLessThan(3_000);
  });

  it.each([
    ['lists', [1, 5]],
    ['maps', [2, 1, 6]],
    ['both', [2, 1, 6, 1, 5]],
  ])('with %s that are nested too deep is refused there', (_name, numbers) => {
    let value: Buffer = Buffer.alloc(0);
    for (let level = 0; level < 400; level++) for (const number of numbers) value = field(number, value);
    const { bytes, reads } = counting(field(1, field(2, field(2, field(5, value)))));
    expect(() => assertOtlpWithinLimits(bytes)).toThrow('nested too deep');
    expect(reads()).toBeLessThan(1_000);
  });

  it.each([
    ['groups', Buffer.alloc(1_000, 0x7b)],
    ['a tag beyond 32 bits', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0])],
    ['varints without end', Buffer.alloc(1_000, 0xff)],
    ['field number zero', Buffer.from([2, 0])],
    ['a length beyond the end', Buffer.from([0x0a, 5, 0])],
    ['a length beyond its message', field(1, Buffer.from([0x12, 9, 0]))],
  ])('of %s is refused', (_name, bytes) =>
    expect(() => assertOtlpWithinLimits(bytes)).toThrow('no ExportLogsServiceRequest'),
  );
});
