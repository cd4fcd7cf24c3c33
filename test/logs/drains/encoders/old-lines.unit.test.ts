/** Lines that an older version stored, with times that aren't any and odd fields: every format makes something of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../../../src/common/buffers/buffer-pool.ts';
import { elasticsearchFormat } from '../../../../src/logs/drains/encoders/elasticsearch.ts';
import { logplexFormat } from '../../../../src/logs/drains/encoders/logplex.ts';
import { lokiFormat } from '../../../../src/logs/drains/encoders/loki.ts';
import { otlpFormat } from '../../../../src/logs/drains/encoders/otlp.ts';
import {
  jsonLinesFormat,
  rfc5424Format,
  webhookFormat,
} from '../../../../src/logs/drains/encoders/text-formats.ts';
import { buildShipment } from '../../../../src/logs/drains/shipment.ts';
import { decodeOtlp } from '../../../../src/logs/sources/formats/otlp-schema.ts';
import { LineFilter } from '../../../../src/logs/syslog/line-filter.ts';
import {
  PLAIN_TEXT_ENCODINGS,
  SSE_ENCODINGS,
  STRING_ENCODING,
  WEBSOCKET_ENCODINGS,
} from '../../../../src/logs/tails/output/encodings.ts';
import { batchOfOldLines, type OldLine } from '../../../support/old-lines.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { anyField, anyTimestamp } from '../../../support/senders/odd-fields.ts';

const STORED_AT_MS = Date.UTC(2026, 10, 28, 9, 21);
const STORED_AT = '2026-11-28T09:21:00.000000+00:00';
const IMPOSSIBLE = [
  '2026-11-28T09:20:60Z',
  '2026-11-28T09:20:00+99:99',
  '2026-02-30T09:20:00Z',
  '0000-01-01T00:00:00Z',
  'x',
  '-',
  '',
];

function stored(lines: readonly OldLine[]) {
  const batch = batchOfOldLines(lines);
  return { ...batch, first: 1, last: batch.count, storedAtMs: STORED_AT_MS };
}

async function encodeAll(lines: readonly OldLine[]): Promise<Record<string, Buffer>> {
  const shipment = buildShipment([stored(lines)], 0, 1e6)!;
  const formats = {
    logplex: logplexFormat(),
    rfc5424: rfc5424Format(),
    json: jsonLinesFormat('shop'),
    webhook: webhookFormat('shop'),
    loki: lokiFormat('shop'),
    elasticsearch: elasticsearchFormat(() => 'd.1', 'shop'),
    otlp: otlpFormat('shop', '1', 'json'),
    protobuf: otlpFormat('shop', '1', 'protobuf'),
  };
  const bodies: Record<string, Buffer> = {};
  for (const [name, format] of Object.entries(formats))
    bodies[name] = (await format.encode(shipment, undefined, new BufferPool({ buffersMax: 0 }))).body;
  return bodies;
}

describe('old lines', () => {
  it('have the time at which they were stored instead of one that isn’t any', async () => {
    const bodies = await encodeAll(IMPOSSIBLE.map((timestamp) => ({ timestamp, message: 'm' })));
    const nanos = `${STORED_AT_MS}000000`;
    const times = {
      webhook: JSON.parse(String(bodies.webhook)).map(({ timestamp }: { timestamp: string }) => timestamp),
      json: String(bodies.json)
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).timestamp),
      rfc5424: [...String(bodies.rfc5424).matchAll(/<190>1 (\S+)/g)].map(([, time]) => time),
      elasticsearch: String(bodies.elasticsearch)
        .trimEnd()
        .split('\n')
        .flatMap((line) => JSON.parse(line)['@timestamp'] ?? []),
    };
    for (const found of Object.values(times)) expect(found).toEqual(IMPOSSIBLE.map(() => STORED_AT));
    expect(JSON.parse(String(bodies.loki)).streams[0].values).toEqual(IMPOSSIBLE.map(() => [nanos, 'm']));
    const records = JSON.parse(String(bodies.otlp)).resourceLogs[0].scopeLogs[0].logRecords;
    expect(records.map(({ timeUnixNano }: { timeUnixNano: string }) => timeUnixNano)).toEqual(
      IMPOSSIBLE.map(() => nanos),
    );
    expect(JSON.stringify(decodeOtlp(bodies.protobuf))).toContain(nanos);
  });

  it('of a strict format have six digits of a second at the most', async () => {
    const { rfc5424, json } = await encodeAll([
      { timestamp: '2012-12-10T03:00:48.123456789Z', message: 'm' },
    ]);
    expect(String(rfc5424)).toContain(' 2012-12-10T03:00:48.123456Z ');
    expect(String(json)).toContain('2012-12-10T03:00:48.123456789Z');
  });

  it('are written in every format and shown by every tail, whatever is in them', async () => {
    const field = anyField.map((text) => text.replaceAll(' ', ''));
    const line = fc.record({
      timestamp: fc.oneof(anyTimestamp, field).map((text) => text.replaceAll(' ', '_').slice(0, 60)),
      hostname: field,
      source: field,
      dyno: field,
      msgid: field,
      structuredData: anyField,
      message: fc.string({ unit: 'binary', maxLength: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 3 }), async (lines) => {
        const bodies = await encodeAll(lines);
        for (const { timestamp } of JSON.parse(String(bodies.webhook)))
          expect(Date.parse(timestamp)).not.toBeNaN();
        expect(JSON.parse(String(bodies.otlp)).resourceLogs.length).toBeGreaterThan(0);
        decodeOtlp(bodies.protobuf);
        const range = { after: 0, through: Number.MAX_SAFE_INTEGER, count: Number.POSITIVE_INFINITY };
        for (const filter of [new LineFilter(), new LineFilter({ level: 'info' })])
          for (const encodings of [PLAIN_TEXT_ENCODINGS, SSE_ENCODINGS, WEBSOCKET_ENCODINGS]) {
            const text = String(encodings.text.encode([stored(lines)], range, filter).lines);
            // Behind the header of a WebSocket frame.
            const shown = text.slice(Math.max(0, text.indexOf('{"position')));
            expect(shown.replace(/\x1b\[[0-9;:]*m/g, '')).not.toMatch(/[\x0b-\x1f\x7f\u202e]/);
            encodings.json.encode([stored(lines)], range, filter);
          }
        expect(STRING_ENCODING.encode([stored(lines)], range, new LineFilter()).lines).toHaveLength(
          lines.length,
        );
      }),
      { numRuns: propertyRuns(300) },
    );
  });
});
