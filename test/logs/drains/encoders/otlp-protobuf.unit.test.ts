/** OTLP in protobuf, held against a decoder that isn't ours. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRejectedRecords } from '../../../../src/logs/drains/encoders/otlp-protobuf.ts';
import { decodeOtlp } from '../../../../src/logs/sources/formats/otlp-schema.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { comparable } from './comparable-otlp.ts';
import { encodeOtlpProtobuf } from './simple-otlp-protobuf.ts';

const attribute = fc.record({
  key: fc.string({ unit: 'grapheme', minLength: 1 }),
  value: fc.oneof(
    fc.record({ stringValue: fc.string({ unit: 'grapheme', maxLength: 300 }) }),
    fc.record({ intValue: fc.nat().map(String) }),
  ),
});
const attributes = fc.array(attribute, { maxLength: 3 });
const nano = fc.bigInt({ min: 1n, max: 2n ** 63n }).map(String);
const record = fc.record({
  timeUnixNano: nano,
  observedTimeUnixNano: nano,
  severityNumber: fc.integer({ min: 1, max: 24 }),
  severityText: fc.constantFrom('error', 'info'),
  body: fc.record({ stringValue: fc.string({ unit: 'grapheme', maxLength: 20_000 }) }),
  attributes,
});
const request = fc.record({
  resourceLogs: fc.array(
    fc.record({
      resource: fc.record({ attributes }),
      scopeLogs: fc.array(
        fc.record({
          scope: fc.constant({ name: 'tailrace', version: '1' }),
          logRecords: fc.array(record, { maxLength: 3 }),
        }),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 3 },
  ),
});

describe('OTLP in protobuf', () => {
  it('encodes what its JSON form has, whatever its content', () => {
    fc.assert(
      fc.property(request, fc.integer({ min: 1, max: 500 }), (wanted, size) => {
        expect(comparable(decodeOtlp(encodeOtlpProtobuf(wanted, size)))).toEqual(comparable(wanted));
      }),
      { numRuns: propertyRuns(200) },
    );
  });

  it('decodes how many records were rejected; what can’t be parsed rejects none', () => {
    const partial = Buffer.concat([Buffer.from([0x08, 0xac, 0x02, 0x12, 7]), Buffer.from('too old')]);
    const answer = Buffer.concat([Buffer.from([0x0a, partial.length]), partial]);
    expect(decodeRejectedRecords(answer)).toEqual({ count: 300, message: 'too old' });
    for (let i = 0; i < answer.length; i++)
      expect(decodeRejectedRecords(answer.subarray(0, i)).count).toBe(0);
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeRejectedRecords(Buffer.from(bytes)).count).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: propertyRuns(100, 20) },
    );
  });
});
