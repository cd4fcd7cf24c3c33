/** Lines in JSON and OTLP, and in the format of Heroku's drains. */
import { gzipSync } from 'node:zlib';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeOtlpLogs } from '../../../../src/logs/sources/formats/otlp-schema.ts';
import {
  basicAuth,
  numberedMessages,
  octetCounted,
  postLogs,
  pushLines,
  TIME,
} from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const lines = async (app: App): Promise<Record<string, unknown>[]> =>
  (await server.readLines(app, 'format=json&lines=1000')).map((line) => JSON.parse(line));
const ndjson = { 'content-type': 'application/x-ndjson' };
const json = { 'content-type': 'application/json' };

describe('JSON', () => {
  it.each([
    ['seconds', 1355108448.123456, '2012-12-10T03:00:48.123456+00:00'],
    ['milliseconds', 1355108448123, '2012-12-10T03:00:48.123000+00:00'],
    ['microseconds', 1355108448123456, '2012-12-10T03:00:48.123456+00:00'],
    ['seconds that no number holds exactly', 1355108448.290001, '2012-12-10T03:00:48.290001+00:00'],
    ['nanoseconds that no number holds exactly', '1355108448130000000', '2012-12-10T03:00:48.130000+00:00'],
    ['nanoseconds, as text', '1355108448123456789', '2012-12-10T03:00:48.123456+00:00'],
    ['an offset', '2012-12-10 03:00:48.123456789+0100', '2012-12-10T03:00:48.123456+01:00'],
    ['a date as mail has it', 'Mon, 10 Dec 2012 03:00:48 GMT', '2012-12-10T03:00:48.000000+00:00'],
  ])('a time in %s', async (_name, time, expected) => {
    const app = await server.createApp();
    for (const field of ['time', 'timestamp', 'ts'])
      await postLogs(server, app.token, JSON.stringify({ msg: 'm', [field]: time }), json);
    expect((await lines(app)).map(({ timestamp }) => timestamp)).toEqual([expected, expected, expected]);
  });

  it('arrays, single objects, values, other levels, dynos, quotes and brackets', async () => {
    const app = await server.createApp();
    const values = [
      { message: 'a', level: 'WARNING', dyno: 'web.7', 'na me="]': 'q"\\]' },
      { msg: 'b', severity: 2 },
      { other: 1 },
      'text',
      7,
      null,
      { message: { nested: true } },
    ];
    const answer = await request(`${server.url}/logs?dyno=api.1`, {
      method: 'POST',
      headers: { authorization: `Bearer ${app.token}`, ...json, 'content-encoding': 'gzip' },
      body: gzipSync(JSON.stringify(values)),
    });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
    expect(await lines(app)).toMatchObject([
      { message: 'a', severity: 4, dyno: 'web.7', structured_data: '[json@32473 na_me___="q\\"\\\\\\]"]' },
      { message: 'b', severity: 2, dyno: 'api.1' },
      { message: '{"other":1}' },
      { message: 'text' },
      { message: '7' },
      { message: 'null' },
      { message: '{"nested":true}' },
    ]);
  });

  it('is taken whole or not at all; the same Logplex-Frame-Id again stores nothing', async () => {
    const app = await server.createApp();
    expect(await postLogs(server, app.token, '{"msg":"a"}\n{"msg":\n', ndjson)).toMatchObject({
      status: 400,
      text: 'Bad request: line 2 of the body is not valid JSON.',
    });
    for (let i = 0; i < 2; i++)
      expect(
        (await postLogs(server, app.token, '{"msg":"once"}', { ...ndjson, 'logplex-frame-id': 'f1' })).status,
      ).toBe(204);
    expect(await server.readMessages(app)).toEqual(['once']);
  });

  it('a list of lines under a name is these lines, with what is beside it in each of them', async () => {
    const app = await server.createApp();
    const body = { service: 'shop', level: 'warn', logs: [{ message: 'a', service: 'own' }, 'b'] };
    expect((await postLogs(server, app.token, JSON.stringify(body), json)).status).toBe(200);
    expect(await lines(app)).toMatchObject([
      { message: 'a', severity: 4, structured_data: '[json@32473 service="own"]' },
      { message: 'b', severity: 4, structured_data: '[json@32473 service="shop"]' },
    ]);
  });

  it('whole numbers keep their digits where no number holds them', async () => {
    const app = await server.createApp();
    const fields = '"id":1234567890123456789,"at":{"id":[-9007199254740993]},"n":1.50';
    const records = [
      `{"msg":"a 1234567890123456789","t":"\\\\\\"1234567890123456789",${fields}}`,
      `{${fields}}`,
    ];
    await postLogs(server, app.token, `${records.join('\n')}\n`, ndjson);
    await postLogs(server, app.token, `[${records.join(', ')},\n 12345678901234567890]`, json);
    const attribute = '{"key":"id","value":{"intValue":1234567890123456789}}';
    const record = `{"timeUnixNano":1355108448123456789,"body":"c","attributes":[${attribute}]}`;
    const otlp = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${record}]}]}]}`;
    const answer = await request(`${server.url}/v1/logs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${app.token}`, ...json },
      body: otlp,
    });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
    const data = 'id="1234567890123456789" at="{\\"id\\":[\\"-9007199254740993\\"\\]}" n="1.5"';
    const two = [
      {
        message: 'a 1234567890123456789',
        structured_data: `[json@32473 t="\\\\\\"1234567890123456789" ${data}]`,
      },
      { message: '{"id":"1234567890123456789","at":{"id":["-9007199254740993"]},"n":1.5}' },
    ];
    expect(await lines(app)).toMatchObject([
      ...two,
      ...two,
      { message: '12345678901234567890' },
      {
        message: 'c',
        timestamp: '2012-12-10T03:00:48.123456+00:00',
        structured_data: '[otlp@32473 id="1234567890123456789"]',
      },
    ]);
  });

  it('numbers that no double holds keep how they are written, and are no level and no time by chance', async () => {
    const app = await server.createApp();
    const records = [
      '{"msg":"a","n":1e400,"at":[-1E+400,1e-400],"pi":3.141592653589793238,"long":100000000000000000000000,"x":12345678.9012345678,"id":"x1e400"}',
      '{"msg":"b","level":1e400,"time":1e400,"as":[1e22,1.50,0.30000000000000004,1.7976931348623157e308,5e-7]}',
      '{"msg":1e400,"ts":1.355108448123456789e9}',
      '{"event":1e400}',
    ];
    await postLogs(server, app.token, `${records.join('\n')}\n`, ndjson);
    await postLogs(server, app.token, `[${records.join(', ')}]`, json);
    const four = [
      {
        message: 'a',
        structured_data:
          '[json@32473 n="1e400" at="[\\"-1E+400\\",\\"1e-400\\"\\]" pi="3.141592653589793238" long="100000000000000000000000" x="12345678.9012345678" id="x1e400"]',
      },
      {
        message: 'b',
        severity: 6,
        structured_data:
          '[json@32473 as="[1e+22,1.5,0.30000000000000004,1.7976931348623157e+308,5e-7\\]" level="1e400" time="1e400"]',
      },
      { message: '1e400', timestamp: '2012-12-10T03:00:48.123457+00:00' },
      { message: '1e400' },
    ];
    expect(await lines(app)).toMatchObject([...four, ...four]);
  });

  it('fields that don’t fit into a header are appended to the message', async () => {
    const app = await server.createApp();
    const big = 'x'.repeat(7_000);
    await postLogs(server, app.token, JSON.stringify({ msg: 'm', big }), json);
    expect(await server.readMessages(app)).toEqual([`m {"big":"${big}"}`]);
  });
});

const REQUEST = {
  resourceLogs: [
    {
      resource: {
        attributes: [
          { key: 'service.name', value: { stringValue: 'checkout' } },
          { key: 'service.instance.id', value: { stringValue: 'i-1' } },
          { key: 'host.name', value: { stringValue: 'box-7' } },
        ],
      },
      scopeLogs: [
        {
          logRecords: [
            {
              timeUnixNano: '1355108448123456789',
              severityNumber: 17,
              body: { stringValue: 'it broke' },
              attributes: [
                { key: 'retries', value: { intValue: '3' } },
                {
                  key: 'tags',
                  value: { arrayValue: { values: [{ stringValue: 'a' }, { boolValue: true }] } },
                },
              ],
              traceId: '5b8efff798038103d269b633813fc60c',
            },
            {
              severityNumber: 9,
              body: { kvlistValue: { values: [{ key: 'k', value: { doubleValue: 1.5 } }] } },
            },
          ],
        },
      ],
    },
  ],
};

async function otlp(token: string, body: Uint8Array | string, headers: Record<string, string>) {
  const answer = await request(`${server.url}/v1/logs`, {
    method: 'POST',
    headers: { authorization: basicAuth(token), ...headers },
    body,
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

describe('OTLP', () => {
  const protobuf = { 'content-type': 'application/x-protobuf' };

  it.each(['JSON', 'protobuf'])('as %s', async (form) => {
    const app = await server.createApp();
    const withBytes = structuredClone(REQUEST);
    withBytes.resourceLogs[0].scopeLogs[0].logRecords[0].traceId = Buffer.from(
      '5b8efff798038103d269b633813fc60c',
      'hex',
    ).toString('base64');
    const answer =
      form === 'JSON'
        ? await otlp(app.token, JSON.stringify(REQUEST), json)
        : await otlp(app.token, encodeOtlpLogs(withBytes), protobuf);
    expect(answer).toEqual({ status: 200, text: form === 'JSON' ? '{}' : '' });
    const [broke, other] = await lines(app);
    expect(broke).toMatchObject({
      timestamp: '2012-12-10T03:00:48.123456+00:00',
      severity: 3,
      hostname: 'box-7',
      source: 'app',
      dyno: 'checkout.i-1',
      message: 'it broke',
      structured_data:
        '[otlp@32473 retries="3" tags="[\\"a\\",true\\]" trace_id="5b8efff798038103d269b633813fc60c"]',
    });
    expect(other).toMatchObject({ severity: 6, message: '{"k":1.5}' });
  });

  it('numbers that JSON doesn’t have, and bytes that are no UTF-8, are in protobuf what they are in JSON', async () => {
    const app = await server.createApp();
    const attributes = ['NaN', 'Infinity', '-Infinity'].map((text) => ({
      key: text,
      value: { doubleValue: text },
    }));
    const list = { key: 'list', value: { arrayValue: { values: attributes.map(({ value }) => value) } } };
    const message = (logRecords: unknown[]) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
    const odd = message([
      { body: { stringValue: 'a?c' }, attributes: [...attributes, list] },
      { body: { stringValue: 'beside it' } },
    ]);
    const broken = (bytes: Uint8Array): Buffer =>
      Buffer.from(Buffer.from(bytes).toString('latin1').replace('a?c', 'a\xffc'), 'latin1');
    expect((await otlp(app.token, broken(encodeOtlpLogs(odd)), protobuf)).status).toBe(200);
    expect((await otlp(app.token, broken(Buffer.from(JSON.stringify(odd))), json)).status).toBe(200);
    const two = [
      {
        message: 'a\ufffdc',
        structured_data:
          '[otlp@32473 NaN="NaN" Infinity="Infinity" -Infinity="-Infinity" list="[\\"NaN\\",\\"Infinity\\",\\"-Infinity\\"\\]"]',
      },
      { message: 'beside it' },
    ];
    expect(await lines(app)).toMatchObject([...two, ...two]);
  });

  it('with the names of the .proto file, as every parser of its JSON has to take them', async () => {
    const app = await server.createApp();
    const snake = JSON.stringify(REQUEST).replace(
      /"([a-z]+[A-Z]\w*)":/g,
      (_, name: string) => `"${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}":`,
    );
    for (const name of ['resource_logs', 'scope_logs', 'log_records', 'time_unix_nano', 'severity_number'])
      expect(snake).toContain(`"${name}":`);
    expect((await otlp(app.token, snake, json)).status).toBe(200);
    expect((await otlp(app.token, JSON.stringify(REQUEST), json)).status).toBe(200);
    const found = (await lines(app)).map(({ id, position, timestamp, ...line }) => line);
    expect((await lines(app))[0].timestamp).toBe('2012-12-10T03:00:48.123456+00:00');
    expect(found.slice(0, 2)).toEqual(found.slice(2));
    expect(found[0]).toMatchObject({ message: 'it broke', severity: 3, hostname: 'box-7' });
  });

  it.each([
    ['a text', 'plain', 'plain'],
    ['a number', 7, '7'],
    ['an object', { a: 1 }, '{"a":1}'],
    ['a list', ['a', 1], '["a",1]'],
    ['a value of no kind that is known', { dateValue: 'a' }, '{"dateValue":"a"}'],
    ['nothing', null, ''],
  ])('a body that is %s is stored', async (_name, body, expected) => {
    const app = await server.createApp();
    const request = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body }] }] }] };
    expect((await otlp(app.token, JSON.stringify(request), json)).status).toBe(200);
    expect(await server.readMessages(app)).toEqual([expected]);
  });

  it('attributes, severities and times in other forms are stored', async () => {
    const app = await server.createApp();
    const logRecords = [
      { attributes: { plain: 'x', n: { intValue: '3' } } },
      { attributes: [{ value: { stringValue: 'no key' } }, { key: 'k', value: 'unwrapped' }] },
      { severityText: 'ERROR' },
      { severityText: 'SEVERE2' },
      { severityNumber: 'SEVERITY_NUMBER_WARN2' },
      { timeUnixNano: 'yesterday' },
      { attributes: [{ key: '__proto__', value: { stringValue: 'p' } }] },
    ];
    const request = { resourceLogs: [{ scopeLogs: [{ logRecords }] }] };
    expect((await otlp(app.token, JSON.stringify(request), json)).status).toBe(200);
    expect((await lines(app)).map(({ severity, structured_data }) => [severity, structured_data])).toEqual([
      [6, '[otlp@32473 plain="x" n="3"]'],
      [6, '[otlp@32473 k="unwrapped" attributes="[{\\"value\\":{\\"stringValue\\":\\"no key\\"}}\\]"]'],
      [3, undefined],
      [6, '[otlp@32473 severity_text="SEVERE2"]'],
      [4, '[otlp@32473 severity_number="14"]'],
      [6, '[otlp@32473 time_unix_nano="yesterday"]'],
      [6, '[otlp@32473 __proto__="p"]'],
    ]);
  });

  it('a token for any source: the service is the source', async () => {
    const app = await server.createApp();
    const token = await server.addToken(app, '*');
    expect((await otlp(token, JSON.stringify(REQUEST), json)).status).toBe(200);
    expect((await lines(app))[0]).toMatchObject({ source: 'checkout', dyno: 'i-1' });
  });
});

describe('the format of Heroku’s HTTPS drains', () => {
  it('has no structured data: brackets and dashes belong to the message', async () => {
    const app = await server.createApp();
    const messages = ['- item', '[a@1 k="v"] text', '[info] started', '-', '\ufeffmark'];
    const bytes = Buffer.concat(
      messages.map((message) => octetCounted(`<190>1 ${TIME} host app web.1 - ${message}\n`)),
    );
    const drain = { 'logplex-drain-token': 'd.1', 'logplex-msg-count': String(messages.length) };
    expect((await postLogs(server, app.token, bytes, drain)).status).toBe(204);
    expect(await server.readMessages(app)).toEqual(messages);
  });

  it('a tailrace is the drain of another one: every line, in order, with its source, dyno, time and message', async () => {
    const upstream = await startServerForTest();
    const from = await upstream.createApp();
    const to = await server.createApp();
    const token = await server.addToken(to, '*');
    const url = new URL(`${server.url}/logs`);
    url.username = 'token';
    url.password = token;
    url.searchParams.set('tailrace-multiline', 'keep');
    await upstream.createDrain(from, url.href);
    const heroku = await upstream.tokenOf(from.name, 'heroku');
    const texts = [...numberedMessages(700), '- dash', '[x@1 a="b"] bracket', 'ünï', 'two\nlines'];
    await pushLines(upstream, from.token, texts);
    await pushLines(upstream, heroku, ['State changed from starting to up']);
    await until('all lines', async () => (await server.readLines(to)).length >= texts.length + 2);
    expect(await server.readLines(to)).toEqual(await upstream.readLines(from));
    expect((await server.readLines(to)).at(-1)).toContain(' heroku[web.1]: State changed');
  });
});
