/** OTLP that is none, or not what one would expect: taken whole, or rejected whole with one sentence. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeRejectedRecords } from '../../../../src/logs/drains/encoders/otlp-protobuf.ts';
import { encodeOtlpLogs } from '../../../../src/logs/sources/formats/otlp-schema.ts';
import { type BodyCase, BodySender, type ExpectedOutcome } from '../../../support/senders/body-cases.ts';
import { type Server, startServer } from '../../../support/server.ts';

const NOT_OTLP: ExpectedOutcome = [400, 'Bad request: the body is no ExportLogsServiceRequest.'];
const NOT_GZIP: ExpectedOutcome = [400, 'Bad request: the body is not valid gzip.'];
const TOO_LARGE: ExpectedOutcome = [413, 'The body is over 8000000 bytes: send it in several requests.'];
const TOO_MANY: ExpectedOutcome = [413, 'The body has over 100000 lines: send them in several requests.'];
const TOO_DEEP: ExpectedOutcome = [400, 'Bad request: the JSON is nested too deep.'];
const notOtlp = (detail: string): ExpectedOutcome => [
  400,
  `Bad request: the body is no ExportLogsServiceRequest: ${detail}.`,
];
const gzip = { 'content-encoding': 'gzip' };
const type = (name: string): [ExpectedOutcome, Record<string, string>] => [
  [415, `Content-Type ${name} isn't supported: send application/x-protobuf or application/json.`],
  { 'content-type': name },
];

const request = (...logRecords: unknown[]) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
const one = (record: unknown): string => JSON.stringify(request(record));
const whole = Buffer.from(
  encodeOtlpLogs({
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
        scopeLogs: [
          { logRecords: [{ timeUnixNano: '1355108448123456789', body: { stringValue: 'it broke' } }] },
        ],
      },
    ],
  }),
);
/** A field with its length in front, as messages and texts are written. */
const field = (number: number, content: Buffer): Buffer => {
  if (content.length > 127) throw new Error('too long for one byte');
  return Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content]);
};
/** A request with one record of these bytes. */
const record = (...bytes: number[]): Buffer => field(1, field(2, field(2, Buffer.from(bytes))));
const deepBody = `${'{"arrayValue":{"values":['.repeat(20_000)}${']}}'.repeat(20_000)}`;

function nested(depth: number): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  // AnyValue.arrayValue (5) of values (1), from the innermost out
  for (let i = 0; i < depth; i++)
    for (const number of [1, 5]) {
      const head = Buffer.from([(number << 3) | 2, ...varint(length)]);
      parts.push(head);
      length += head.length;
    }
  for (const number of [5, 2, 2, 1]) {
    const head = Buffer.from([(number << 3) | 2, ...varint(length)]);
    parts.push(head);
    length += head.length;
  }
  return Buffer.concat(parts.reverse());
}

function nestedJson(depth: number): unknown {
  let value: unknown = { stringValue: 'x' };
  for (let i = 0; i < depth; i += 3) value = { arrayValue: { values: [value] } };
  return value;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 128);
  }
}

const JSON_BODIES: BodyCase[] = [
  ['words', 'hello', NOT_OTLP],
  ['nothing', '', NOT_OTLP],
  ['an array', '[]', NOT_OTLP],
  ['null', 'null', NOT_OTLP],
  ['a number', '7', NOT_OTLP],
  ['a text', '"x"', NOT_OTLP],
  ['cut short', one({}).slice(0, -1), NOT_OTLP],
  ['a trailing comma', '{"resourceLogs":[],}', NOT_OTLP],
  ['two requests', `${one({})}${one({})}`, NOT_OTLP],
  ['a NUL', '\0', NOT_OTLP],
  ['UTF-16', Buffer.from(one({}), 'utf16le'), NOT_OTLP],
  ['protobuf', whole, NOT_OTLP],
  [
    'values, 20,000 deep',
    `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${deepBody}}]}]}]}`,
    TOO_DEEP,
  ],
  ['brackets, 200,000 deep', '['.repeat(200_000) + ']'.repeat(200_000), TOO_DEEP],
  ['brackets that are only opened', '['.repeat(1_000_000), TOO_DEEP],
  ['too many records', JSON.stringify(request(...Array(100_001).fill({}))), TOO_MANY],
  ['too large', `{"a":"${'x'.repeat(8_000_000)}"}`, TOO_LARGE],
  ['a gzip bomb', gzipSync(Buffer.alloc(50_000_000, 0x20)), TOO_LARGE, gzip],
  ['no gzip', '{}', NOT_GZIP, gzip],
  ['plain text', 'x', ...type('text/plain')],
  ['what /logs takes', '{}', ...type('application/x-ndjson')],
  ['logplex-1', '5 hello', ...type('application/logplex-1')],
  ['gRPC', whole, ...type('application/grpc')],
  // Odd, but read as far as it goes.
  ['an empty object', '{}', 0],
  ['empty lists', '{"resourceLogs":[{"resource":{},"schemaUrl":"x","scopeLogs":[{"scope":{}}]}]}', 0],
  ['null for lists', '{"resourceLogs":null}', 0],
  ['fields of a later version beside the list', '{"resourceLogs":[],"later":[1]}', 0],
  // Nothing of these would be stored: they are refused.
  [
    'traces',
    '{"resourceSpans":[{"scopeSpans":[]}]}',
    notOtlp('instead of resourceLogs it has "resourceSpans"'),
  ],
  [
    'metrics',
    '{"resource_metrics":[{"scope_metrics":[]}]}',
    notOtlp('instead of resourceLogs it has "resource_metrics"'),
  ],
  ['a line', '{"timestamp":1,"body":"x"}', notOtlp('instead of resourceLogs it has "timestamp"')],
  ['lines', '{"logs":[{"body":"x"}]}', notOtlp('instead of resourceLogs it has "logs"')],
  [
    'a record right in a resource',
    '{"resourceLogs":[{"logRecords":[{}]}]}',
    notOtlp('instead of scopeLogs it has "logRecords"'),
  ],
  [
    'a scope with spans',
    '{"resourceLogs":[{"scopeLogs":[{"spans":[{}]}]}]}',
    notOtlp('instead of logRecords it has "spans"'),
  ],
  ['lists that are none', '{"resourceLogs":{"a":1}}', notOtlp('resourceLogs is no list')],
  [
    'lists of nothing',
    '{"resourceLogs":[null,7,"x",[]]}',
    notOtlp('resourceLogs has an entry that is no object'),
  ],
  ['scopes that are none', '{"resourceLogs":[{"scopeLogs":"x"}]}', notOtlp('scopeLogs is no list')],
  [
    'records that are none',
    JSON.stringify(request(7, null, 'x')),
    notOtlp('logRecords has an entry that is no object'),
  ],
  ['an empty record', one({}), 1],
  ['a body that is no value', one({ body: 7 }), 1],
  ['a body of no kind', one({ body: {} }), 1],
  ['a body of two kinds', one({ body: { stringValue: 'a', intValue: '1' } }), 1],
  ['a body of a kind that isn’t there', one({ body: { dateValue: 'a' } }), 1],
  ['an int that is none', one({ body: { intValue: 'x' } }), 1],
  ['an int beyond 2^63', one({ body: { intValue: '99999999999999999999' } }), 1],
  ['bytes that are no base64', one({ body: { bytesValue: '%%%' } }), 1],
  ['attributes that are none', one({ attributes: 7 }), 1],
  ['attributes without keys', one({ attributes: [{ value: { stringValue: 'a' } }, null, 7] }), 1],
  [
    'an attribute that breaks out',
    one({ attributes: [{ key: 'a"] x', value: { stringValue: '"] x' } }] }),
    1,
  ],
  ['a key that is __proto__', one({ attributes: [{ key: '__proto__', value: { stringValue: 'a' } }] }), 1],
  ['an absurd severity', one({ severityNumber: 1e9 }), 1],
  ['a negative severity', one({ severityNumber: -1 }), 1],
  ['a severity that is a word', one({ severityNumber: 'SEVERITY_NUMBER_WARN' }), 1],
  ['a time that is none', one({ timeUnixNano: 'yesterday' }), 1],
  ['a negative time', one({ timeUnixNano: '-1' }), 1],
  ['a time beyond all clocks', one({ timeUnixNano: '99999999999999999999999' }), 1],
  ['a trace id that is none', one({ traceId: 7, spanId: {} }), 1],
  ['an event name of several words', one({ eventName: 'a b - - <0>' }), 1],
  ['a resource that is none', '{"resourceLogs":[{"resource":7,"scopeLogs":[{"logRecords":[{}]}]}]}', 1],
];

const PROTOBUF_BODIES: BodyCase[] = [
  ['words', 'hello world', NOT_OTLP],
  ['JSON', one({}), NOT_OTLP],
  ['a wire type that isn’t there', Buffer.from([0x0f, 1, 2]), NOT_OTLP],
  ['a length beyond the end', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]), NOT_OTLP],
  ['a length beyond 2^32', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x1f]), NOT_OTLP],
  ['a varint without an end', Buffer.alloc(20, 0xff), NOT_OTLP],
  ['field number zero', Buffer.from([0x02, 1, 0]), NOT_OTLP],
  ['the end of a group that never began', Buffer.from([0x0c]), NOT_OTLP],
  ['a group that never ends', Buffer.from([0x7b, 0x08, 1]), NOT_OTLP],
  ['a record cut short', record(0x09, 1, 2, 3), NOT_OTLP],
  ['a text longer than its record', record(0x1a, 50, 0x61), NOT_OTLP],
  ['a body longer than its record', record(0x2a, 50, 0x0a), NOT_OTLP],
  ['a megabyte of ones', Buffer.alloc(1_000_000, 0xff), NOT_OTLP],
  ['values, 50,000 deep', nested(50_000), [400, 'Bad request: the values are nested too deep.']],
  [
    'traces',
    field(1, field(2, field(2, field(1, Buffer.alloc(16, 7))))),
    notOtlp('its fields are those of something else, such as traces or metrics'),
  ],
  [
    'metrics',
    field(1, field(2, field(2, field(1, Buffer.from('requests'))))),
    notOtlp('its fields are those of something else, such as traces or metrics'),
  ],
  ['gzip without Content-Encoding', gzipSync(whole), NOT_OTLP],
  ['gzip cut short', gzipSync(whole).subarray(0, 20), NOT_GZIP, gzip],
  ...[1, 2, 5, 20, 40].map(
    (left): BodyCase => [`without its last ${left} bytes`, whole.subarray(0, whole.length - left), NOT_OTLP],
  ),
  // Odd, but protobuf.
  ['nothing', '', 0],
  ['an empty record', record(), 1],
  ['fields that nobody knows', record(0x78, 1, 0xf8, 0x07, 1), 1],
  ['the same field twice', record(0x10, 1, 0x10, 17), 1],
  ['a trace id of one byte', record(0x4a, 1, 7), 1],
  ['a megabyte of empty requests', Buffer.alloc(1_000_000, Buffer.from([0x0a, 0])), 0],
];

let server: Server;
let sender: BodySender;
beforeAll(async () => {
  server = await startServer();
  sender = new BodySender(server, await server.createApp(), '/v1/logs');
});
afterAll(async () => {
  await sender.close();
  await server.close();
});

describe('OTLP', () => {
  it('at least sixty', () => expect(JSON_BODIES.length + PROTOBUF_BODIES.length).toBeGreaterThanOrEqual(60));
  for (const one of JSON_BODIES) it(`JSON: ${one[0]}`, () => sender.check('otlp', 'application/json', one));
  for (const one of PROTOBUF_BODIES)
    it(`protobuf: ${one[0]}`, () => sender.check('otlp', 'application/x-protobuf', one));

  const post = async (
    type: string,
    body: string | Buffer,
    headers: object = {},
  ): Promise<{ status: number; type: string | null; body: Buffer }> => {
    const response = await fetch(`${server.url}/v1/logs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${sender.app.token}`, 'content-type': type, ...headers },
      body: new Uint8Array(Buffer.from(body)),
    });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: Buffer.from(await response.arrayBuffer()),
    };
  };
  const malformed = async (): Promise<number> => (await server.sourceCounters('otlp')).malformed;

  it.each([
    ['no objects', [7, null], 'logRecords has an entry that is no object'],
    ['objects with too many attributes', [{ attributes: Array(20_001).fill({}) }], '20000 attributes'],
    [
      'values that are nested too deep',
      [{ body: nestedJson(200) }, { attributes: nestedJson(99) }],
      'too deep',
    ],
    ['numbers that aren’t JSON', [{ body: { doubleValue: 'NaN' } }], 'a record is not valid JSON'],
    ['too deep ones and no objects', [{ body: nestedJson(150) }, 7, [0], [[1]]], 'too deep'],
  ])('takes the other records beside %s, and says how many it didn’t', async (name, odd, reason) => {
    const good = (text: string) => ({ body: { stringValue: `${text} ${name}` } });
    const request = JSON.stringify({
      resourceLogs: [
        { scopeLogs: [{ logRecords: [good('before'), odd[0], good('behind')] }] },
        { scopeLogs: [{ logRecords: odd.slice(1) }, { logRecords: [good('far behind')] }] },
      ],
    });
    // As Python and others write it.
    const body = request.replaceAll('"NaN"', 'NaN');
    const before = await malformed();
    const plain = await post('application/json', body);
    const packed = await post('application/json', gzipSync(body), gzip);
    for (const { status, body: answer } of [plain, packed]) {
      expect(status).toBe(200);
      const { partialSuccess } = JSON.parse(answer.toString());
      expect(partialSuccess.rejectedLogRecords).toBe(String(odd.length));
      expect(partialSuccess.errorMessage).toContain(reason);
    }
    expect((await malformed()) - before).toBe(2 * odd.length);
    const lines = (await server.readMessages(sender.app)).filter((line) => line.endsWith(name));
    expect(lines).toEqual(
      ['before', 'behind', 'far behind', 'before', 'behind', 'far behind'].map((text) => `${text} ${name}`),
    );
  });

  it('in protobuf, too, answers what it has left out of a request, large or small', async () => {
    const good = (text: string): Buffer => field(2, field(5, field(1, Buffer.from(text))));
    const odd = field(2, Buffer.from([0x1a, 50, 0x61]));
    const long = (number: number, content: Buffer): Buffer =>
      Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(content.length)]), content]);
    const scope = (...records: Buffer[]): Buffer => long(1, long(2, Buffer.concat(records)));
    const small = await post('application/x-protobuf', scope(good('one'), odd, good('two'), odd));
    expect([small.status, small.type]).toEqual([200, 'application/x-protobuf']);
    // As the drains of another server understand it.
    expect(decodeRejectedRecords(small.body)).toEqual({ count: 2, message: NOT_OTLP[1] });
    // On a thread.
    const many = Array.from({ length: 6_000 }, (_, i) => good(`of many ${i}`));
    const large = await post('application/x-protobuf', scope(odd, ...many, odd, odd));
    expect([large.status, decodeRejectedRecords(large.body).count]).toEqual([200, 3]);
    const lines = await server.readMessages(sender.app);
    expect(lines.filter((line) => /^(?:one|two)$/.test(line))).toEqual(['one', 'two']);
    expect(lines.filter((line) => line.startsWith('of many'))).toHaveLength(6_000);
    // All is taken: not a byte, or an empty object.
    const whole = await post('application/x-protobuf', scope(good('all')));
    expect([whole.status, whole.body.length]).toEqual([200, 0]);
    expect((await post('application/json', one({}))).body.toString()).toBe('{}');
  });

  it('is refused in the form that it came in, or in JSON where that is asked for', async () => {
    const refuse = async (token: string, type: string, headers: object = {}): Promise<unknown> => {
      const { status, headers: answered } = await fetch(`${server.url}/v1/logs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': type, ...headers },
        body: 'none',
      });
      return [status, answered.get('content-type')?.split(';')[0]];
    };
    const { token } = sender.app;
    const [protobuf, json] = ['application/x-protobuf', 'application/json'];
    expect(await refuse(token, protobuf)).toEqual([400, protobuf]);
    expect(await refuse(token, 'application/protobuf')).toEqual([400, protobuf]);
    expect(await refuse('t.none', protobuf)).toEqual([401, protobuf]);
    expect(await refuse(token, protobuf, { 'content-encoding': 'br' })).toEqual([415, protobuf]);
    expect(await refuse(token, protobuf, { accept: `${json}, */*` })).toEqual([400, json]);
    expect(await refuse('t.none', protobuf, { accept: json })).toEqual([401, json]);
    expect(await refuse(token, json)).toEqual([400, json]);
    expect(await refuse(token, 'text/plain')).toEqual([415, json]);
  });

  it('after all of that every line has its source, and the next request is taken', async () => {
    expect((await sender.send('application/x-protobuf', whole)).statusCode).toBe(200);
    const lines = (await server.readLines(sender.app, 'format=json&lines=1000')).map((text) =>
      JSON.parse(text),
    );
    expect(lines.at(-1)).toMatchObject({ source: 'app', dyno: 'shop', message: 'it broke' });
    expect(lines.filter(({ source }) => source !== 'app')).toEqual([]);
  });
});
