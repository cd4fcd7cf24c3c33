/** A tail misses nothing from the moment on at which it is open: its place in the stream is known by then. */
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { streamKeys } from '../../../src/logs/store/redis/keys.ts';
import {
  type FakeClock,
  fakeClockForTest,
  missingFakeClock,
  startRedisByClock,
} from '../../support/fake-clock.ts';
import { EventStreamTail, openWebSocketTail, WebSocketTail } from '../../support/receivers/tail-protocols.ts';
import { RedisProxy } from '../../support/redis/redis-proxy.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** To Redis and back in a network that is slow: longer than a `POST /logs` takes beside it. */
const DELAY_MS = 150;
/** Longer than a tail waits for its place. */
const HANG_MS = 2_000;
const SET_FORWARD_MS = 60_000;
const APPS_OF_EACH_KIND = 2;

/** Opens a tail that begins with what comes; resolves when it is open, with what it shows. */
type OpenTail = (server: Server, app: App) => Promise<() => string>;

/** A log session's address. */
async function sessionOf(server: Server, app: App): Promise<string> {
  const path = `/apps/${app.name}/log-sessions`;
  const session = await server.request<{ logplex_url: string }>('POST', path, { lines: 0, tail: true });
  return session.logplex_url;
}

async function openSocket(tail: WebSocketTail): Promise<() => string> {
  onTestFinished(() => tail.socket.terminate());
  await once(tail.socket, 'open');
  return () => JSON.stringify(tail.lines);
}

async function openEvents(url: string, headers?: Record<string, string>): Promise<() => string> {
  const tail = await new EventStreamTail().open(url, headers);
  onTestFinished(() => tail.close());
  expect(tail.status).toBe(200);
  return () => tail.lines.join();
}

async function openText(url: string, headers?: Record<string, string>): Promise<() => string> {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const answer = await fetch(url, { headers, signal: ending.signal });
  expect(answer.status).toBe(200);
  let text = '';
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) text += decoder.decode(chunk);
  };
  read().catch(() => {}); // it ends with the test
  return () => text;
}

const withKey = ({ key }: Server): Record<string, string> => ({ authorization: `Bearer ${key}` });
const logsOf = ({ url }: Server, { name }: App): string => `${url}/apps/${name}/logs?tail=true&lines=0`;

const KINDS: Readonly<Record<string, OpenTail>> = {
  'a WebSocket': (server, app) => openSocket(openWebSocketTail(server, app, 'lines=0')),
  'server-sent events': (server, app) => openEvents(logsOf(server, app), withKey(server)),
  'plain text': (server, app) => openText(logsOf(server, app), withKey(server)),
  "a session's WebSocket": async (server, app) => openSocket(new WebSocketTail(await sessionOf(server, app))),
  "a session's events": async (server, app) => openEvents(await sessionOf(server, app)),
  "a session's text": async (server, app) => openText(await sessionOf(server, app)),
};

/** Opens tails of each kind at one server, all at once, each of an app of its own; as each is open, a line goes to another server. */
async function expectFirstLines(tails: Server, lines: Server): Promise<void> {
  const kinds = Object.entries(KINDS).flatMap((kind) =>
    Array.from({ length: APPS_OF_EACH_KIND }, () => kind),
  );
  const opened = await Promise.all(
    kinds.map(async ([name, open]) => {
      const app = await lines.createApp();
      // The stream isn't empty.
      await pushLines(lines, app.token, ['before']);
      const text = await open(tails, app);
      await pushLines(lines, app.token, ['after']);
      return { name, text };
    }),
  );
  await until('the line at each tail', () => opened.every(({ text }) => text().includes('after'))).catch(
    () => {
      const missing = opened.filter(({ text }) => !text().includes('after'));
      throw new Error(`${missing.length} of ${opened.length} miss it: ${missing.map(({ name }) => name)}`);
    },
  );
  for (const { text } of opened) expect(text()).not.toContain('before');
}

async function startRedis(): Promise<RedisServer> {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.remove());
  return redis;
}

/** Two routers on one Redis: one has it near, the other one behind a proxy. @param clock of all three */
async function startFarAndNear(clock?: FakeClock): Promise<{ proxy: RedisProxy; far: Server; near: Server }> {
  const redis = await (clock ? startRedisByClock(clock) : startRedis());
  const proxy = await RedisProxy.start(redis.port);
  onTestFinished(() => proxy.close());
  const [far, near] = await Promise.all(
    [proxy.url, redis.url].map((url) => startServerForTest({ env: { ...clock?.env, REDIS_URL: url } })),
  );
  return { proxy, far, near };
}

/** A tail opens while a request for the end of its stream is on its way, and a line comes. @param clock set forward behind that */
async function expectLineWhileRedisHangs(clock?: FakeClock): Promise<void> {
  const { proxy, far, near } = await startFarAndNear(clock);
  const app = await near.createApp();
  await pushLines(near, app.token, ['before']);
  const { state } = streamKeys(app.id as AppId);
  proxy.onRequest = (text) => {
    if (text.includes(state)) proxy.delayMs = HANG_MS;
  };
  const tail = openWebSocketTail(far, app, 'lines=0');
  await once(tail.socket, 'open');
  expect(tail.messages.some(({ newest }) => newest !== undefined)).toBe(false);
  await pushLines(near, app.token, ['after']);
  clock?.set(SET_FORWARD_MS);
  proxy.delayMs = 0;
  proxy.onRequest = () => {};
  await until('the line', () => tail.messageTexts.includes('after'));
  expect(tail.messageTexts).not.toContain('before');
}

describe.runIf(hasRedis)('a line that is sent as soon as a tail is open', () => {
  it('comes to it, of each kind, through any router, and however far Redis is', async () => {
    const { proxy, far, near } = await startFarAndNear();
    proxy.delayMs = DELAY_MS;
    await expectFirstLines(far, near);
    await expectFirstLines(far, far);
  });

  it('comes to it also when the tail opens before Redis says where the stream ends', () =>
    expectLineWhileRedisHangs());

  it.skipIf(missingFakeClock())('comes to it also then when clocks are set forward meanwhile', async () => {
    const clock = fakeClockForTest();
    await expectLineWhileRedisHangs(clock);
  });

  it('comes to it on one machine', async () => {
    const server = await startServerForTest();
    await expectFirstLines(server, server);
  });
});
