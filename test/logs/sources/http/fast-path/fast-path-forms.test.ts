/**
 * Requests in every form have the same answers, lines and counters, whether the fast path takes them or Node's server: there a connection is
 * as soon as something else came over it. What the fast path leaves to Node is in between.
 */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeOtlpLogs } from '../../../../../src/logs/sources/formats/otlp-schema.ts';
import { exchangeBytes } from '../../../../support/http/raw-exchange.ts';
import { FIRST_SEED } from '../../../../support/properties/property-runs.ts';
import { seededRandom } from '../../../../support/properties/seeded-random.ts';
import { randomBody } from '../../../../support/senders/random-records.ts';
import { basicAuth, logplexBody, numberedMessages } from '../../../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../../../support/server.ts';

interface Case {
  readonly title: string;
  readonly path?: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const MESSAGES = numberedMessages(5, 'line');
const LOGPLEX = logplexBody(MESSAGES);
const DRAIN = Buffer.from(
  MESSAGES.map((message) => `<190>1 2012-12-10T03:00:48.123456+00:00 host app web.1 - ${message}\n`)
    .map((line) => `${line.length} ${line}`)
    .join(''),
);
const NDJSON = Buffer.from(MESSAGES.map((msg, i) => `${JSON.stringify({ level: 30, i, msg })}\n`).join(''));
const ARRAY = Buffer.from(JSON.stringify(MESSAGES.map((message) => ({ message, dyno: 'worker.2' }))));
const OTLP = {
  resourceLogs: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] },
      scopeLogs: [{ logRecords: MESSAGES.map((text) => ({ body: { stringValue: text } })) }],
    },
  ],
};
const OTLP_JSON = Buffer.from(JSON.stringify(OTLP));
const OTLP_BYTES = Buffer.from(encodeOtlpLogs(OTLP));

const form = (type: string, body: Buffer, title = type, more: Partial<Case> = {}): Case => ({
  title,
  body,
  ...more,
  fields: { 'Content-Type': type, ...more.fields },
});
const packed = (one: Case): Case => ({
  ...one,
  title: `${one.title}, gzip`,
  body: gzipSync(one.body),
  fields: { ...one.fields, 'Content-Encoding': 'gzip' },
});
const withFields = (one: Case, title: string, fields: Readonly<Record<string, string>>): Case => ({
  ...one,
  title: `${one.title}, ${title}`,
  fields: { ...one.fields, ...fields },
});

const TEXT_TYPE = 'text/plain';
const GOOD = [
  form('application/logplex-1', LOGPLEX),
  form('application/x-logplex-1', LOGPLEX),
  form('application/logplex-1', DRAIN, 'drain form', { fields: { 'Logplex-Drain-Token': 'd.1' } }),
  form(TEXT_TYPE, Buffer.from(MESSAGES.join('\n'))),
  form('application/x-www-form-urlencoded', Buffer.from(MESSAGES.join('\r\n'))),
  form('application/x-ndjson', NDJSON),
  form('application/jsonl', NDJSON),
  form('application/json', ARRAY),
  form('application/json; charset=utf-8', ARRAY),
  form('application/json', OTLP_JSON, 'OTLP, JSON', { path: '/v1/logs' }),
  form('application/x-protobuf', OTLP_BYTES, 'OTLP, protobuf', { path: '/v1/logs' }),
  form('application/protobuf', OTLP_BYTES, 'OTLP, protobuf too', { path: '/v1/logs' }),
];
/** The server closes each connection, in the end. */
const CLOSED_MS = 40_000;
const LONG = 'x'.repeat(900);
const ODD: Case[] = [
  form(TEXT_TYPE, Buffer.from('a\n\nb\n'), 'text for a dyno', { path: '/logs?dyno=web.7' }),
  form('application/json', ARRAY.subarray(0, -1), 'JSON cut off'),
  form('application/json', Buffer.alloc(0), 'no JSON'),
  form('application/x-ndjson', Buffer.from('{"msg":"a"}\nnothing\n'), 'a line that is no JSON'),
  form('application/x-ndjson', Buffer.from('\n\n'), 'empty lines'),
  form(TEXT_TYPE, Buffer.from('\ufeffäöü\n€', 'utf16le'), 'UTF-16'),
  form(`${TEXT_TYPE}; charset=iso-8859-1`, Buffer.from('\xe4\xf6\xfc', 'latin1'), 'latin-1'),
  form(`${TEXT_TYPE}; charset=utf-9`, Buffer.from('x'), 'an unknown charset'),
  form('application/json', Buffer.from(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`), 'deep'),
  form('application/x-protobuf', OTLP_BYTES.subarray(0, -3), 'protobuf cut off', { path: '/v1/logs' }),
  form('application/json', Buffer.from('{"logs":1}'), 'no OTLP', { path: '/v1/logs' }),
  form('application/xml', Buffer.from('<x/>'), 'another type'),
  form('application/xml', Buffer.from('<x/>'), 'another type of OTLP', { path: '/v1/logs' }),
  form('application/logplex-1', Buffer.from('12 <190>1 - - x\nabc'), 'broken frames'),
  packed(form('application/logplex-1', Buffer.from('12 <190>1 - - x\nabc'), 'broken frames')),
  form('application/logplex-1', LOGPLEX, 'a wrong count', { fields: { 'Logplex-Msg-Count': '7' } }),
  form('application/json', ARRAY, 'no gzip', { fields: { 'Content-Encoding': 'gzip' } }),
  form('application/json', ARRAY, 'deflate', { fields: { 'Content-Encoding': 'deflate' } }),
  form('application/json', gzipSync(ARRAY).subarray(0, -9), 'gzip cut off', {
    fields: { 'Content-Encoding': 'gzip' },
  }),
  form('application/json', Buffer.concat([gzipSync('['), gzipSync('{"msg":"two"}]')]), 'two members', {
    fields: { 'Content-Encoding': 'x-gzip' },
  }),
  packed(form(TEXT_TYPE, Buffer.from(`${LONG}\n`.repeat(300)), 'much text')),
  packed(form(TEXT_TYPE, Buffer.alloc(9_000_000, 'x'), 'a bomb')),
  form(TEXT_TYPE, Buffer.from(`${LONG}\n`.repeat(250)), 'more than a read, and a long batch'),
  form('application/x-ndjson', Buffer.from(`{"msg":"${LONG}"}\n`.repeat(280)), 'much NDJSON'),
  form('application/x-ndjson', Buffer.from('{"msg":1e400}\n'.repeat(2_500)), 'much that has to be parsed'),
  ...['Authorization', 'Content-Type', 'Content-Encoding', 'Logplex-Drain-Token', 'Logplex-Frame-Id'].map(
    (name) => withFields(GOOD[4], `${name} twice`, { [name.toUpperCase()]: 'x' }),
  ),
];

/** Records of random senders, in their format and packed. */
function randomCases(count: number, firstSeed: number): Case[] {
  const types = {
    json: 'application/json',
    ndjson: 'application/x-ndjson',
    'otlp-json': 'application/json',
    'otlp-protobuf': 'application/x-protobuf',
  };
  return Array.from({ length: count }, (_, i) => {
    const { format, body } = randomBody(firstSeed + i);
    const path = format.startsWith('otlp') ? '/v1/logs' : '/logs';
    const one = form(types[format], body, `${format} of seed ${firstSeed + i}`, { path });
    return i % 3 === 0 ? packed(one) : one;
  });
}

let server: Server;
let port: number;
beforeAll(async () => {
  server = await startServer();
  port = Number(new URL(server.url).port);
});
afterAll(() => server.close());

const get = (connection: string): string =>
  `GET /healthcheck HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\n\r\n`;

function written({ token }: App, { path = '/logs', fields, body }: Case): string {
  const all = {
    Host: 'localhost',
    Authorization: basicAuth(token),
    'Content-Length': body.length,
    ...fields,
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${head.join('')}\r\n${body.toString('latin1')}`;
}

/** The answers that came, without what depends on the moment. */
function answersIn(received: string): string[] {
  const answers: string[] = [];
  for (let at = 0; at < received.length; ) {
    const headEnd = received.indexOf('\r\n\r\n', at) + 4;
    const [status, ...fields] = received.slice(at, headEnd - 4).split('\r\n');
    const named = fields
      .map((field) => field.replace(/^[^:]+/, (name) => name.toLowerCase()))
      .filter((field) => !field.startsWith('date:'));
    const length = Number(named.find((field) => field.startsWith('content-length:'))?.slice(15) ?? 0);
    at = headEnd + length;
    answers.push([status, ...named.sort(), received.slice(headEnd, at)].join('\n'));
  }
  return answers;
}

/** Lines as they are shown; what was stamped now isn't the same twice. */
async function linesOf(app: App): Promise<string[]> {
  const lines = await server.readLines(app);
  return lines.map((line) => {
    const [time] = line.split(' ', 1);
    return Math.abs(Date.parse(time) - Date.now()) < 600_000 ? `now${line.slice(time.length)}` : line;
  });
}

async function countersNow(): Promise<Record<string, number>> {
  const { sources } = await server.request<{ sources: Record<string, string | number>[] }>('GET', '/status');
  return Object.fromEntries(
    sources.flatMap((counters) =>
      Object.entries(counters)
        .filter(([name]) => name !== 'connections' && name !== 'protocol')
        .map(([name, value]) => [`${counters.protocol} ${name}`, Number(value)]),
    ),
  );
}

/** What the last request left. */
let counted: Record<string, number> | undefined;

interface Outcome {
  /** As it came. */
  readonly received: string;
  readonly answer: string;
  readonly counted: Record<string, number>;
}

/** What becomes of a request that comes behind these. */
async function outcomeOf(app: App, one: Case, before: string, position: number): Promise<Outcome> {
  counted ??= await countersNow();
  const received = await exchangeBytes(port, before + written(app, one) + get('close'), CLOSED_MS);
  const after = await countersNow();
  const more = Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - counted![name]]),
  );
  counted = after;
  return { received, answer: answersIn(received)[position], counted: more };
}

it(`requests in every form are answered, stored and counted as on Node's path (seed ${FIRST_SEED})`, async () => {
  const random = seededRandom(FIRST_SEED);
  const cases = [
    ...GOOD,
    ...GOOD.map(packed),
    ...GOOD.map((one) => withFields(one, 'with a name', { 'Logplex-Frame-Id': `f${random()}` })),
    ...ODD,
    ...ODD.slice(1, 6).map((one) => withFields(one, 'in JSON', { Accept: 'application/json' })),
    ...randomCases(25, FIRST_SEED),
  ];
  const [ofFast, ofSlow] = [await server.createApp(), await server.createApp()];
  for (const one of cases) {
    const fast = await outcomeOf(ofFast, one, '', 0);
    const slow = await outcomeOf(ofSlow, one, get('keep-alive'), 1);
    expect({ ...fast, received: '' }, one.title).toEqual({ ...slow, received: '' });
    expect(fast.answer, one.title).toMatch(/^HTTP\/1\.1 [2-5]/);
    if (GOOD.some(({ title }) => one.title.startsWith(title) && !ODD.includes(one))) {
      expect(fast.answer, one.title).toMatch(/^HTTP\/1\.1 20[04] /);
      expect(fast.counted['http lines'] + fast.counted['otlp lines'], one.title).toBe(MESSAGES.length);
      // Fastify has names in small letters: so it is seen who has answered.
      if (fast.answer.includes(' 200 ')) expect(fast.received, one.title).toContain('\r\nContent-Type: ');
    }
  }
  expect(await linesOf(ofFast)).toEqual(await linesOf(ofSlow));
}, 240_000);

it('requests in all forms, one behind the other over one connection, are all answered and stored in their order', async () => {
  const app = await server.createApp();
  const all = [...GOOD, ...GOOD.map(packed)];
  const received = await exchangeBytes(
    port,
    all.map((one) => written(app, one)).join('') + get('close'),
    CLOSED_MS,
  );
  const statuses = answersIn(received).map((answer) => Number(answer.slice(9, 12)));
  expect(statuses).toEqual([
    ...all.map(({ title, path }) => (/^application\/json\b/.test(title) || path ? 200 : 204)),
    200,
  ]);
  const messages = await server.readMessages(app);
  expect(messages).toEqual(all.flatMap(() => MESSAGES));
});
