/** OTLP in protobuf, held against a decoder that isn't ours and against our own intake. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeOtlp } from '../../../../src/logs/sources/formats/otlp-schema.ts';
import { startRawReceiver } from '../../../support/receivers/raw-receiver.ts';
import { octetCounted, postLogs, TIME } from '../../../support/senders/send-lines.ts';
import { type App, type Drain, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';
import { comparable } from './comparable-otlp.ts';

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

describe('OTLP in protobuf', () => {
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
    expect(withoutClock(decodeOtlp(asProtobuf.body))).toEqual(
      withoutClock(JSON.parse(asJson.body.toString())),
    );
    const { delivery } = await until('the count', async () =>
      (await server.listDrains(app)).find(({ id, delivery }) => id === drain.id && delivery.lost > 0),
    );
    expect(delivery).toMatchObject({ lost: 1, lastError: 'the destination rejected 1 line: too old' });
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

  it('is, of lines that came as OTLP, what they were, field by field', async () => {
    const app = await server.createApp();
    const [json, protobuf] = [await startRawReceiver(), await startRawReceiver()];
    await add(app, json.origin, 'otlp');
    await add(app, protobuf.origin, 'otlp-protobuf');
    const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
    const scopes = [
      { name: 'shop.checkout', version: '1.2.0', attributes: [text('short_name', 'a "b" \\ ]')] },
      { name: 'shop.cart', version: '', droppedAttributesCount: 2 },
    ];
    const full = {
      timeUnixNano: '1355108448123456000',
      severityNumber: 21,
      severityText: 'fatal',
      body: { stringValue: 'error: it broke\nhere' },
      attributes: [text('user', 'Grüße "x" \\ ]'), text('retries', '3')],
      droppedAttributesCount: 4,
      flags: 1,
      traceId: '5b8efff798038103d269b633813fc60c',
      spanId: 'eee19b7ec3c1b174',
      eventName: 'order.failed',
    };
    const plain = (severityNumber: number, severityText: string) => ({
      timeUnixNano: '1355108448123457000',
      severityNumber,
      severityText,
      body: { stringValue: `error: ${severityText}` },
      attributes: [text('a', 'b')],
    });
    const records = [
      full,
      plain(1, 'trace'),
      plain(5, 'debug'),
      plain(9, 'info'),
      plain(10, 'info'),
      plain(13, 'warn'),
      plain(17, 'error'),
      plain(24, 'fatal'),
    ];
    const resource = { attributes: [text('service.instance.id', 'web.1'), text('host.name', 'box-7')] };
    const scopeLogs = scopes.map((scope) => ({ scope, logRecords: records }));
    const answer = await fetch(`${server.url}/v1/logs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${app.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs }] }),
    });
    expect(answer.status).toBe(200);
    // One that came another way is as it was, under the scope that all of these have.
    await push(app);
    type Sent = { resourceLogs: { scopeLogs: { scope: { name: string }; logRecords: object[] }[] }[] };
    const hexOf = (base64: string) => Buffer.from(base64, 'base64').toString('hex');
    for (const [receiver, isJson] of [
      [json, true],
      [protobuf, false],
    ] as const) {
      const sent = () =>
        receiver.requests
          .map(({ body }) => (isJson ? JSON.parse(body.toString()) : decodeOtlp(body)) as Sent)
          .flatMap(({ resourceLogs }) => resourceLogs)
          .flatMap(({ scopeLogs: all }) => all);
      await until('all lines', () => sent().flatMap(({ logRecords }) => logRecords).length >= 19);
      for (const scope of scopes) {
        const own = sent().filter((one) => one.scope.name === scope.name);
        // Protobuf has no empty texts.
        expect({ version: '', ...own[0].scope }).toEqual(scope);
        const found = own
          .flatMap(({ logRecords }) => logRecords)
          .map((record) => {
            const { observedTimeUnixNano, ...rest } = record as Record<string, string>;
            expect(observedTimeUnixNano).toMatch(/^\d{19}$/);
            if (isJson || rest.traceId === undefined) return rest;
            return { ...rest, traceId: hexOf(rest.traceId), spanId: hexOf(rest.spanId) };
          });
        expect(found).toEqual(records);
      }
      expect(
        sent()
          .filter(({ scope }) => scope.name === 'tailrace')
          .flatMap(({ logRecords }) => logRecords),
      ).toHaveLength(3);
    }
  });
});
