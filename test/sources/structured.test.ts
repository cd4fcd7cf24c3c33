/** Lines in JSON and OTLP, and in the form of Heroku's drains. */
import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeLogs } from '../../src/sources/otlp-schema.ts';
import { basic, counted, numbered, post, pushLines, TIME } from '../support/push.ts';
import { type App, type Server, serve, serveForTest } from '../support/server.ts';
import { until } from '../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await serve();
});
afterAll(() => server.close());

const lines = async (app: App): Promise<Record<string, unknown>[]> =>
  (await server.lines(app, 'format=json&lines=1000')).map((line) => JSON.parse(line));
const ndjson = { 'content-type': 'application/x-ndjson' };
const json = { 'content-type': 'application/json' };

describe('JSON', () => {
  it('lines of pino and bunyan, as they are', async () => {
    const app = await server.createApp();
    const pino = execFileSync(process.execPath, [
      '--input-type=module',
      '-e',
      'import pino from "pino"; const log = pino(); log.info({ user: "ada", n: 7 }, "signed in"); log.error(new Error("no")); log.debug("unseen")',
    ]);
    const bunyan =
      '{"name":"shop","hostname":"box","pid":7,"level":40,"msg":"low stock","time":"2012-12-10T03:00:48.123Z","v":0}\n';
    expect((await post(server, app.token, Buffer.concat([pino, Buffer.from(bunyan)]), ndjson)).status).toBe(
      204,
    );
    const [signedIn, failed, stock] = await lines(app);
    expect(signedIn).toMatchObject({ severity: 6, source: 'app', message: 'signed in' });
    expect(signedIn.structured_data).toMatch(/^\[json@32473 pid="\d+" user="ada" n="7"\]$/);
    expect(failed).toMatchObject({ severity: 3, message: 'no' });
    expect(failed.structured_data).toContain('err="{\\"type\\":\\"Error\\"');
    expect(stock).toMatchObject({
      severity: 4,
      hostname: 'box',
      timestamp: '2012-12-10T03:00:48.123Z',
      message: 'low stock',
      structured_data: '[json@32473 name="shop" pid="7" v="0"]',
    });
  });

  it.each([
    ['seconds', 1355108448.123456, '2012-12-10T03:00:48.123456+00:00'],
    ['milliseconds', 1355108448123, '2012-12-10T03:00:48.123000+00:00'],
    ['microseconds', 1355108448123456, '2012-12-10T03:00:48.123456+00:00'],
    ['nanoseconds, as text', '1355108448123456789', '2012-12-10T03:00:48.123456+00:00'],
    ['an offset', '2012-12-10 03:00:48.123456789+0100', '2012-12-10T03:00:48.123456+01:00'],
    ['a date as mail has it', 'Mon, 10 Dec 2012 03:00:48 GMT', '2012-12-10T03:00:48.000000+00:00'],
  ])('a time in %s', async (_name, time, expected) => {
    const app = await server.createApp();
    for (const field of ['time', 'timestamp', 'ts'])
      await post(server, app.token, JSON.stringify({ msg: 'm', [field]: time }), json);
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
    expect(answer.statusCode).toBe(204);
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
    expect(await post(server, app.token, '{"msg":"a"}\n{"msg":\n', ndjson)).toMatchObject({
      status: 400,
      text: 'Bad request: line 2 of the body is not valid JSON.',
    });
    for (let i = 0; i < 2; i++)
      expect(
        (await post(server, app.token, '{"msg":"once"}', { ...ndjson, 'logplex-frame-id': 'f1' })).status,
      ).toBe(204);
    expect(await server.messages(app)).toEqual(['once']);
  });

  it('fields that don’t fit into a header are put behind the message', async () => {
    const app = await server.createApp();
    const big = 'x'.repeat(7_000);
    await post(server, app.token, JSON.stringify({ msg: 'm', big }), json);
    expect(await server.messages(app)).toEqual([`m {"big":"${big}"}`]);
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
    headers: { authorization: basic(token), ...headers },
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
        : await otlp(app.token, encodeLogs(withBytes), protobuf);
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

  it('a token for any source: the service is the source', async () => {
    const app = await server.createApp();
    const token = await server.addToken(app, '*');
    expect((await otlp(token, JSON.stringify(REQUEST), json)).status).toBe(200);
    expect((await lines(app))[0]).toMatchObject({ source: 'checkout', dyno: 'i-1' });
  });
});

describe('the form of Heroku’s HTTPS drains', () => {
  it('has no structured data: brackets and dashes belong to the message', async () => {
    const app = await server.createApp();
    const messages = ['- item', '[a@1 k="v"] text', '[info] started', '-', '\ufeffmark'];
    const bytes = Buffer.concat(
      messages.map((message) => counted(`<190>1 ${TIME} host app web.1 - ${message}\n`)),
    );
    const drain = { 'logplex-drain-token': 'd.1', 'logplex-msg-count': String(messages.length) };
    expect((await post(server, app.token, bytes, drain)).status).toBe(204);
    expect(await server.messages(app)).toEqual(messages);
  });

  it('a tailrace is the drain of another one: every line, in order, with its source, dyno, time and message', async () => {
    const upstream = await serveForTest();
    const from = await upstream.createApp();
    const to = await server.createApp();
    const token = await server.addToken(to, '*');
    const url = new URL(`${server.url}/logs`);
    url.username = 'token';
    url.password = token;
    await upstream.addDrain(from, url.href);
    const heroku = await upstream.tokenOf(from.name, 'heroku');
    const texts = [...numbered(700), '- dash', '[x@1 a="b"] bracket', 'ünï', 'two\nlines'];
    await pushLines(upstream, from.token, texts);
    await pushLines(upstream, heroku, ['State changed from starting to up']);
    await until('all lines', async () => (await server.lines(to)).length >= texts.length + 2);
    expect(await server.lines(to)).toEqual(await upstream.lines(from));
    expect((await server.lines(to)).at(-1)).toContain(' heroku[web.1]: State changed');
  });
});

describe('bodies that can’t be read', () => {
  const deep = '['.repeat(200_000) + ']'.repeat(200_000);
  const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20));
  const whole = Buffer.from(encodeLogs(REQUEST as unknown as Record<string, unknown>));
  const cases: [string, string, Record<string, string>, Buffer | string, number][] = [
    // --- JSON ---
    ['/logs', 'no JSON', json, 'hello', 400],
    ['/logs', 'an object cut short', json, '{"msg":"a"', 400],
    ['/logs', 'an array cut short', json, '[{"msg":"a"},', 400],
    ['/logs', 'a trailing comma', json, '[{"msg":"a"},]', 400],
    ['/logs', 'single quotes', json, "{'msg':'a'}", 400],
    ['/logs', 'a comment', json, '{"msg":"a"} // b', 400],
    ['/logs', 'NaN', json, '{"n":NaN}', 400],
    ['/logs', 'a control character in a text', json, '{"msg":"a\u0001"}', 400],
    ['/logs', 'a bad escape', json, '{"msg":"\\x"}', 400],
    ['/logs', 'a NUL', json, '\u0000', 400],
    ['/logs', 'brackets, 200,000 deep', json, deep, 400],
    ['/logs', 'too many elements', json, `[${'1,'.repeat(100_000)}1]`, 413],
    ['/logs', 'too many lines', ndjson, '1\n'.repeat(100_001), 413],
    ['/logs', 'a bad line among good ones', ndjson, '{"msg":"a"}\n{\n{"msg":"b"}\n', 400],
    ['/logs', 'an array over lines', ndjson, '[\n1\n]', 400],
    ['/logs', 'UTF-16', json, Buffer.from('{"msg":"a"}', 'utf16le'), 400],
    ['/logs', 'an empty array', json, '[]', 204],
    ['/logs', 'nothing', json, '', 204],
    ['/logs', 'blank lines', ndjson, '\n\r\n \n', 204],
    ['/logs', 'a lone surrogate', json, '{"msg":"\\ud800"}', 204],
    ['/logs', 'invalid UTF-8', json, Buffer.from([0x22, 0xff, 0xfe, 0x22]), 204],
    ['/logs', 'a key that is __proto__', json, '{"msg":"a","__proto__":{"x":1}}', 204],
    ['/logs', 'a time that is none', json, '{"msg":"a","time":"yesterday"}', 204],
    ['/logs', 'a time beyond all clocks', json, '{"msg":"a","time":1e300}', 204],
    ['/logs', 'a level that is none', json, '{"msg":"a","level":{"x":1}}', 204],
    ['/logs', 'a number of a million digits', json, `{"msg":"a","n":${'1'.repeat(1_000_000)}}`, 204],
    ['/logs', 'a hostname of several words', json, '{"msg":"a","hostname":"a b\\nc"}', 204],
    ['/logs', 'a dyno that breaks out', json, '{"msg":"a","dyno":"x - - <0>1 evil"}', 204],
    ['/logs', 'a value that breaks out', json, '{"msg":"a","k":"\\"] evil"}', 204],
    // --- OTLP ---
    ['/v1/logs', 'no JSON', json, 'hello', 400],
    ['/v1/logs', 'an array', json, '[]', 400],
    ['/v1/logs', 'null', json, 'null', 400],
    ['/v1/logs', 'nothing', json, '', 400],
    ['/v1/logs', 'an empty object', json, '{}', 200],
    ['/v1/logs', 'lists that are none', json, '{"resourceLogs":{"a":1}}', 200],
    [
      '/v1/logs',
      'records that are none',
      json,
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[7,null,"x"]}]}]}',
      200,
    ],
    [
      '/v1/logs',
      'attributes that are none',
      json,
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":7,"body":7}]}]}]}',
      200,
    ],
    [
      '/v1/logs',
      'values, 20,000 deep',
      json,
      `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${'{"arrayValue":{"values":['.repeat(20_000)}${']}}'.repeat(20_000)}}]}]}]}`,
      400,
    ],
    [
      '/v1/logs',
      'an absurd severity',
      json,
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":1e9}]}]}]}',
      200,
    ],
    ['/v1/logs', 'nothing in protobuf', { 'content-type': 'application/x-protobuf' }, '', 200],
    ['/v1/logs', 'text as protobuf', { 'content-type': 'application/x-protobuf' }, 'hello world', 400],
    [
      '/v1/logs',
      'a wire type that isn’t there',
      { 'content-type': 'application/x-protobuf' },
      Buffer.from([0x0f, 1, 2]),
      400,
    ],
    [
      '/v1/logs',
      'a length beyond the end',
      { 'content-type': 'application/x-protobuf' },
      Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]),
      400,
    ],
    [
      '/v1/logs',
      'a varint without an end',
      { 'content-type': 'application/x-protobuf' },
      Buffer.alloc(20, 0xff),
      400,
    ],
    [
      '/v1/logs',
      'JSON that says it is protobuf',
      { 'content-type': 'application/x-protobuf' },
      JSON.stringify(REQUEST),
      400,
    ],
    ['/v1/logs', 'protobuf that says it is JSON', json, whole, 400],
    ['/v1/logs', 'plain text', { 'content-type': 'text/plain' }, 'x', 415],
    ...[1, 2, 5, 20, 50, 100].map((left): [string, string, Record<string, string>, Buffer, number] => [
      '/v1/logs',
      `protobuf without its last ${left} bytes`,
      { 'content-type': 'application/x-protobuf' },
      whole.subarray(0, whole.length - left),
      400,
    ]),
    // --- both: packed ---
    ['/logs', 'a gzip bomb', { ...json, 'content-encoding': 'gzip' }, bomb, 413],
    ['/v1/logs', 'a gzip bomb', { ...json, 'content-encoding': 'gzip' }, bomb, 413],
    ['/logs', 'no gzip', { ...json, 'content-encoding': 'gzip' }, '{}', 400],
    [
      '/logs',
      'gzip cut short',
      { ...json, 'content-encoding': 'gzip' },
      gzipSync('{"msg":"a"}').subarray(0, 15),
      400,
    ],
    [
      '/logs',
      'gzip with a wrong checksum',
      { ...json, 'content-encoding': 'gzip' },
      Buffer.concat([gzipSync('{}').subarray(0, -8), Buffer.alloc(8)]),
      400,
    ],
    ['/logs', 'gzip that isn’t said', json, gzipSync('{"msg":"a"}'), 400],
    ['/logs', 'an unknown encoding', { ...json, 'content-encoding': 'lzma' }, '{}', 415],
    ['/logs', 'two encodings', { ...json, 'content-encoding': 'gzip, gzip' }, '{}', 415],
    ['/logs', 'no content type', {}, 'x', 415],
    ['/logs', 'XML', { 'content-type': 'application/xml' }, '<a/>', 415],
  ];

  it(`are at least sixty in this table`, () => expect(cases.length).toBeGreaterThanOrEqual(60));

  it.each(cases)('%s: %s', async (path, _name, headers, bytes, status) => {
    const app = await server.createApp();
    const answer = await request(server.url + path, {
      method: 'POST',
      headers: { authorization: basic(app.token), ...headers },
      body: bytes,
    });
    const text = await answer.body.text();
    expect(answer.statusCode).toBe(status);
    if (status >= 400) {
      expect(text).toMatch(/^[{A-Z].*[.}]$/s);
      expect(text).not.toContain('    at ');
      expect(await server.messages(app)).toEqual([]);
    }
    for (const line of await server.lines(app, 'format=json'))
      expect(JSON.parse(line)).toMatchObject({ source: 'app' });
    expect((await post(server, app.token, 'after\n', { 'content-type': 'text/plain' })).status).toBe(204);
  });
});
