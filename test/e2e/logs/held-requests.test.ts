/**
 * Requests over HTTP that would get 503 are held for a while: log-shuttle never sends again what got one. Over every way in, with
 * either store; what is refused in the end is never stored.
 */
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeOtlpLogs } from '../../../src/logs/sources/formats/otlp-schema.ts';
import { missing, runProgram } from '../../support/program.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import {
  basicAuth,
  connectTcp,
  logplexBody,
  logplexLine,
  octetCounted,
} from '../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface Way {
  readonly type: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: (text: string, app: App) => string | Buffer;
}

const otlp = (text: string) => ({
  resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: text } }] }] }],
});
const LOGPLEX = 'application/logplex-1';

/** Every way in, by name; each sends one line. */
const WAYS: Readonly<Record<string, Way>> = {
  'the fast path': { type: LOGPLEX, body: (text) => logplexBody([text]) },
  'the fast path, named': {
    type: LOGPLEX,
    headers: { 'logplex-frame-id': 'of the text' },
    body: (text) => logplexBody([text]),
  },
  'Node’s server': { type: `${LOGPLEX}; charset=utf-8`, body: (text) => logplexBody([text]) },
  'an API key': {
    type: LOGPLEX,
    headers: { authorization: 'key' },
    body: (text, app) => octetCounted(logplexLine(text, app.token)),
  },
  gzip: {
    type: LOGPLEX,
    headers: { 'content-encoding': 'gzip' },
    body: (text) => gzipSync(logplexBody([text])),
  },
  text: { type: 'text/plain', body: (text) => text },
  'a form': { type: 'application/x-www-form-urlencoded', body: (text) => text },
  JSON: { type: 'application/json', body: (text) => JSON.stringify({ message: text }) },
  NDJSON: { type: 'application/x-ndjson', body: (text) => JSON.stringify({ message: text }) },
  'large JSON': {
    type: 'application/json',
    // So large that it is parsed on the thread.
    body: (text) => JSON.stringify({ message: text }) + ' '.repeat(100_000),
  },
  'OTLP in JSON': {
    type: 'application/json',
    path: '/v1/logs',
    body: (text) => JSON.stringify(otlp(text)),
  },
  OTLP: {
    type: 'application/x-protobuf',
    path: '/v1/logs',
    body: (text) => Buffer.from(encodeOtlpLogs(otlp(text))),
  },
};
const NAMES = Object.keys(WAYS);

interface Answer {
  readonly status: number;
  readonly retryAfter: unknown;
}

async function send(server: Server, app: App, name: string, text: string): Promise<Answer> {
  const { type, path = '/logs', headers = {}, body } = WAYS[name];
  const authorization = headers.authorization === 'key' ? `Bearer ${server.key}` : basicAuth(app.token);
  const answer = await request(server.url + path, {
    method: 'POST',
    headers: {
      'content-type': type,
      ...headers,
      ...(headers['logplex-frame-id'] ? { 'logplex-frame-id': text } : {}),
      authorization,
    },
    body: body(text, app),
  });
  await answer.body.dump();
  return { status: answer.statusCode, retryAfter: answer.headers['retry-after'] };
}

/** Sends over all ways at once; the answers as they come. */
function sendAll(server: Server, app: App, prefix: string) {
  const answers = new Map<string, Answer>();
  const sent = Promise.all(
    NAMES.map(async (name) => answers.set(name, await send(server, app, name, `${prefix} ${name}`))),
  );
  return { answers, sent };
}

const named = (prefix: string): string[] => NAMES.map((name) => `${prefix} ${name}`);

/** Sends over all ways while the store is away, lets it come back, and looks at what is stored. */
async function expectHeld(
  server: Server,
  app: App,
  takeAway: () => Promise<unknown>,
  bringBack: () => Promise<unknown>,
): Promise<void> {
  const before = sendAll(server, app, 'before');
  await before.sent;
  await takeAway();
  const { answers, sent } = sendAll(server, app, 'while');
  const failed = await until(
    'an append to fail',
    async () => server.program.stderr.includes('can not be stored') || server.program.stderr.includes('lost'),
  );
  expect(failed).toBe(true);
  expect([...answers]).toEqual([]);
  await bringBack();
  await sent;
  expect([...answers.values()].map(({ status }) => status).filter((status) => status >= 300)).toEqual([]);
  const messages = await server.readMessages(app);
  expect(messages.sort()).toEqual([...named('before'), ...named('while')].sort());
}

/** Sends over all ways while the store stays away: refused, and never stored. */
async function expectRefused(server: Server, app: App, bringBack: () => Promise<unknown>): Promise<void> {
  const startMs = performance.now();
  const { answers, sent } = sendAll(server, app, 'refused');
  await sent;
  // Not at once.
  expect(performance.now() - startMs).toBeGreaterThan(4_500);
  for (const [name, answer] of answers) expect(answer, name).toEqual({ status: 503, retryAfter: '1' });
  await bringBack();
  await until('a line to be taken', async () => (await send(server, app, 'text', 'after')).status === 204);
  expect(await server.readMessages(app)).not.toContainEqual(expect.stringMatching(/^refused/));
}

describe.runIf(hasRedis)('while Redis is away', () => {
  it('requests wait for it, are stored once, and are refused when it stays away', {}, async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
    onTestFinished(() => redis.remove());
    const server = await startServerForTest({ env: { REDIS_URL: redis.url } });
    const app = await server.createApp();
    const kill = () => redis.signal('SIGKILL');
    await expectHeld(server, app, kill, () => redis.start());
    await kill();
    await expectRefused(server, app, () => redis.start());
  });

  it('a sender that goes takes its request along, and a server that stops answers', {}, async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
    onTestFinished(() => redis.remove());
    const server = await startServerForTest({ env: { REDIS_URL: redis.url } });
    const app = await server.createApp();
    expect((await send(server, app, 'text', 'first')).status).toBe(204);
    await redis.signal('SIGKILL');
    const port = Number(new URL(server.url).port);
    for (const type of [LOGPLEX, `${LOGPLEX}; charset=utf-8`]) {
      const body = logplexBody([`gone ${type}`]);
      const socket = await connectTcp(port);
      const head = [
        'POST /logs HTTP/1.1',
        'Host: localhost',
        `Authorization: ${basicAuth(app.token)}`,
        `Content-Type: ${type}`,
        `Content-Length: ${body.length}`,
      ];
      socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
      await until('an append to fail', () => server.program.stderr.includes('can not be stored'));
      socket.destroy();
      await once(socket, 'close');
    }
    const { answers, sent } = sendAll(server, app, 'stopped');
    // Behind those that have gone.
    const last = await send(server, app, 'text', 'refused');
    expect(last.status).toBe(503);
    await sent;
    expect([...answers.values()].map(({ status }) => status)).toEqual(NAMES.map(() => 503));
    await redis.start();
    await until('a line to be taken', async () => (await send(server, app, 'text', 'after')).status === 204);
    expect((await server.readMessages(app)).filter((text) => text !== 'after')).toEqual(['first']);

    await redis.signal('SIGKILL');
    const ended = sendAll(server, app, 'ended');
    await until('an answer to be held', () => ended.answers.size === 0);
    const startMs = performance.now();
    const closing = server.close();
    await Promise.allSettled([ended.sent]);
    // Long before the server would lose its patience.
    expect(performance.now() - startMs).toBeLessThan(9_000 + server.startTookMs);
    await closing;
  });
});

describe.skipIf(missing('prlimit'))('while the disk is full', () => {
  it('requests wait for space, and are stored once', async () => {
    const server = await startServerForTest({ data: dataFolderForTest() });
    const app = await server.createApp();
    const limit = (size: string) =>
      runProgram('prlimit', [`--pid=${server.program.pid}`, `--fsize=${size}:`]);
    await expectHeld(
      server,
      app,
      () => limit('1'),
      () => limit('unlimited'),
    );
  });
});
