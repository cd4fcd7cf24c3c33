/** OTLP in protobuf, held against a decoder that isn't ours and against our own intake. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decodeRejectedRecords,
  encodeOtlpProtobuf,
} from '../../../../src/logs/drains/encoders/otlp-protobuf.ts';
import { decodeOtlpLogs } from '../../../../src/logs/sources/formats/otlp-schema.ts';
import { startRawReceiver } from '../../../support/receivers/raw-receiver.ts';
import { octetCounted, postLogs, TIME } from '../../../support/senders/send-lines.ts';
import { type App, type Drain, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const add = (app: App, url: string, format: string) =>
  server.request<Drain>('POST', `/apps/${app.name}/log-drains`, { url, options: { format } });
const LINES = [
  `<190>1 ${TIME} shuttle token web.1 - - hello`,
  `<131>1 ${TIME} db1 token postgres ID47 [m@1 k="v"] Grüße\nzwei`,
  `<190>1 ${TIME} shuttle token web.1 - - level=warn ${'long '.repeat(800)}`,
];
const push = (app: App) => postLogs(server, app.token, Buffer.concat(LINES.map(octetCounted)));

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

/** Protobuf has no empty lists; and the decoder doesn't know a scope's version. */
const comparable = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, one) =>
      (Array.isArray(one) && one.length === 0) || key === 'version' ? undefined : one,
    ),
  );

describe('OTLP in protobuf', () => {
  it('encodes what its JSON form has, whatever its content', () => {
    fc.assert(
      fc.property(request, fc.integer({ min: 1, max: 500 }), (wanted, size) => {
        expect(comparable(decodeOtlpLogs(encodeOtlpProtobuf(wanted, size)))).toEqual(comparable(wanted));
      }),
      { numRuns: 200 },
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
    );
  });

  it('arrives as the JSON form does, and a partial success is counted', async () => {
    const app = await server.createApp();
    const rejecting = Buffer.concat([Buffer.from([0x0a, 11, 0x08, 1, 0x12, 7]), Buffer.from('too old')]);
    const [json, protobuf] = [
      await startRawReceiver(() => ({ status: 200, body: '{}' })),
      await startRawReceiver((attempt) => ({ status: 200, body: attempt === 0 ? rejecting : '' })),
    ];
    await add(app, json.origin, 'otlp');
    const drain = await add(app, protobuf.origin, 'otlp-protobuf');
    await push(app);
    const [[asJson], [asProtobuf]] = await until('both', () =>
      json.requests.length > 0 && protobuf.requests.length > 0
        ? [json.requests, protobuf.requests]
        : undefined,
    );
    expect(asProtobuf.path).toBe('/v1/logs');
    expect(asProtobuf.headers['content-type']).toBe('application/x-protobuf');
    const withoutClock = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(comparable(value)).replaceAll(/"observedTimeUnixNano":"\d{19}"/g, '"now":1'));
    expect(withoutClock(decodeOtlpLogs(asProtobuf.body))).toEqual(
      withoutClock(JSON.parse(asJson.body.toString())),
    );
    const { delivery } = await until('the count', async () =>
      (await server.listDrains(app)).find(({ id, delivery }) => id === drain.id && delivery.lost > 0),
    );
    expect(delivery).toMatchObject({ lost: 1, lastError: 'the destination rejected 1 lines: too old' });
  });

  it('is accepted by our own /v1/logs', async () => {
    const [from, to] = [await server.createApp(), await server.createApp()];
    const url = server.url.replace('//', `//token:${to.token}@`);
    await add(from, url, 'otlp-protobuf');
    await push(from);
    const lines = await until('the lines', async () => {
      const lines = await server.readLines(to, 'format=json');
      return lines.length === 3 && lines.map((line) => JSON.parse(line));
    });
    expect(
      lines.map(({ timestamp, hostname, dyno, level, message }) => [
        timestamp,
        hostname,
        dyno,
        level,
        message,
      ]),
    ).toEqual([
      [TIME, 'shuttle', `${from.name}.web.1`, 'info', 'hello'],
      [TIME, 'shuttle', `${from.name}.web.1`, 'warn', `level=warn ${'long '.repeat(800)}`],
      [TIME, 'db1', `${from.name}.postgres`, 'error', 'Grüße\nzwei'],
    ]);
    expect(lines[2].structured_data).toContain('syslog.msgid="ID47"');
  });
});
