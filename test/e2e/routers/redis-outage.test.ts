/** Redis goes away under load: senders wait, memory is bounded, tails stay and say so, nothing is lost, all goes on by itself. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Program, TAILRACE } from '../../support/program.ts';
import { openWebSocketTail, type WebSocketTail } from '../../support/receivers/tail-protocols.ts';
import { RedisSentinels } from '../../support/redis/redis-deployments.ts';
import { RedisProxy } from '../../support/redis/redis-proxy.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { connectTcp, logplexLine, octetCounted, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const PENDING_BYTES = 2_097_152;
const LINE_BYTES = 1_000;

/** Writes numbered lines to syslog TCP as fast as they are taken. */
class Flood {
  readonly count: number;
  private readonly socket: Socket;

  constructor(socket: Socket, app: App, from: number, count: number) {
    this.socket = socket;
    this.count = count;
    const numbers = Array.from({ length: count }, (_, i) => `${from + i} `.padEnd(LINE_BYTES, 'x'));
    socket.write(Buffer.concat(numbers.map((text) => octetCounted(logplexLine(text, app.token)))));
  }

  /** Bytes that the system has taken; what is left waits in this process. */
  get taken(): number {
    return this.socket.bytesWritten - this.socket.writableLength;
  }

  get isOver(): boolean {
    return this.socket.writableLength === 0;
  }

  /** Resolves when nothing was taken for a second, or everything was. */
  async untilStuck(): Promise<void> {
    let [taken, sinceMs] = [-1, 0];
    await until('the sender to be held up', () => {
      if (this.taken !== taken) [taken, sinceMs] = [this.taken, performance.now()];
      return this.isOver || performance.now() - sinceMs > 1_000;
    });
  }
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1_024;
}

/** The numbers of the lines that a tail has shown. */
function numbersOf(messages: readonly string[]): number[] {
  return messages
    .map((message) => /^(\d+) /.exec(message)?.[1])
    .flatMap((text) => (text ? [Number(text)] : []));
}

/** All from 1 on are there, in order; some may come again after a retry. */
function expectAll(numbers: readonly number[], count: number): void {
  const first = [...new Set(numbers)];
  expect(first.length).toBe(count);
  expect(first.every((number, i) => number === i + 1)).toBe(true);
}

/** Does this end with the line of a number? */
function ends(text: string, number: number): boolean {
  return text.slice(-4 * LINE_BYTES).includes(`${number} x`);
}

/** The lines of the last messages. */
function lastLines(tail: WebSocketTail): string {
  return JSON.stringify(tail.messages.slice(-3));
}

/** A tail over plain HTTP, until the test is over. */
function httpTail(server: Server, app: App, accept: string): { text: string; ended: boolean } {
  const seen = { text: '', ended: false };
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const read = async (): Promise<void> => {
    const answer = await fetch(`${server.url}/apps/${app.name}/logs?tail=true&lines=100000`, {
      headers: { authorization: `Bearer ${server.key}`, accept },
      signal: ending.signal,
    });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) seen.text += decoder.decode(chunk);
  };
  read()
    .catch(() => {})
    .finally(() => {
      seen.ended = true;
    });
  return seen;
}

const AWAY =
  'The store is away: lines wait at their senders, and this tail goes on by itself when it is back.';
/** Waits until `GET /health` is 503 with such a sentence, or 200 when there is none to wait for. */
async function untilHealth(server: Server, sentence?: RegExp): Promise<void> {
  await until(`health: ${sentence ?? 'ok'}`, async () => {
    const [{ status, body }, check] = [await server.health(), await fetch(`${server.url}/healthcheck`)];
    await check.text();
    if (status !== (sentence ? 503 : 200) || check.status !== status) return false;
    return sentence === undefined || sentence.test(body.message ?? '');
  });
}

const BACK = /The store is back after \d+ s: this tail goes on\./;

describe.runIf(hasRedis)('while Redis is away', () => {
  it('senders wait, tails say so and stay, and nothing is lost', async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
    onTestFinished(() => redis.remove());
    const server = await startServerForTest({
      env: {
        REDIS_URL: redis.url,
        TAILRACE_PENDING_BYTES: String(PENDING_BYTES),
        TAILRACE_HOLD_TIMEOUT: '1s',
      },
    });
    const app = await server.createApp('rill');
    const [text, json] = [
      openWebSocketTail(server, app, 'lines=100000'),
      openWebSocketTail(server, app, 'lines=100000&format=json'),
    ];
    const [events, plain] = [httpTail(server, app, 'text/event-stream'), httpTail(server, app, 'text/plain')];
    const logs = new Program(process.execPath, [TAILRACE, 'logs', '--tail', '-n', '100000', '-a', app.name], {
      env: server.env,
    });
    onTestFinished(async () => void (await logs.stop()));
    const socket = await connectTcp(server.syslogPort);
    onTestFinished(() => void socket.destroy());
    new Flood(socket, app, 1, 2_000);
    for (const tail of [text, json]) await until('lines at a tail', () => ends(lastLines(tail), 2_000));
    await until('lines at the others', () =>
      [events.text, plain.text, logs.stdout].every((seen) => ends(seen, 2_000)),
    );

    await redis.signal('SIGKILL');
    const before = residentBytes(server.program.pid);
    const flood = new Flood(socket, app, 2_001, 22_000);
    const takenBefore = flood.taken;
    await flood.untilStuck();
    expect(flood.isOver).toBe(false);
    // Beside what may wait in the router there is what the system holds between the two.
    expect(flood.taken - takenBefore).toBeLessThan(PENDING_BYTES + 14 * 1_048_576);
    expect(residentBytes(server.program.pid) - before).toBeLessThan(64 * 1_048_576);
    const refused = await fetch(`${server.url}/logs?token=${app.token}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}`, 'content-type': 'text/plain' },
      body: 'refused\n',
    });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    await refused.text();
    await until('the tails say that the store is away', () =>
      [
        text.messageTexts.join('\n'),
        json.messageTexts.join('\n'),
        events.text,
        plain.text,
        logs.stderr,
      ].every((said) => said.includes(AWAY)),
    );

    await untilHealth(server, /^Redis at redis:.* doesn't answer|^Redis .*(away|closed)/);

    await redis.start();
    await until('all lines are taken', () => flood.isOver);
    for (const tail of [text, json]) await until('the last line', () => ends(lastLines(tail), 24_000));
    await until('the last line at the others', () =>
      [events.text, plain.text, logs.stdout].every((seen) => ends(seen, 24_000)),
    );
    for (const tail of [text, json]) {
      expectAll(numbersOf(tail.messageTexts), 24_000);
      expect(tail.closeCode).toBeUndefined();
      expect(tail.messageTexts.join('\n')).toMatch(BACK);
      const notice = tail.messages.find(({ lines }) => JSON.stringify(lines).includes('The store is away'));
      expect(notice).toMatchObject({ notice: AWAY });
    }
    for (const seen of [events, plain]) {
      expect(seen.ended).toBe(false);
      expect(seen.text).toMatch(BACK);
      expectAll(
        [...seen.text.matchAll(/: (\d+) x/g)].map(([, number]) => Number(number)),
        24_000,
      );
    }
    expect(logs.stderr).toMatch(BACK);
    expect(logs.stdout).not.toContain('The store');
    expectAll(
      [...logs.stdout.matchAll(/: (\d+) x/g)].map(([, number]) => Number(number)),
      24_000,
    );
    // It was said, and isn't in the stream.
    const stored = await server.readMessages(app);
    expectAll(numbersOf(stored), 24_000);
    expect(stored.join('\n')).not.toContain('The store');

    // What takes no lines for another reason is no better.
    await untilHealth(server);
    await redis.command('config', 'set', 'maxmemory', 1_000_000);
    await untilHealth(server, /out of memory/);
    await redis.command('config', 'set', 'maxmemory', 0);
    await untilHealth(server);
    await redis.signal('SIGSTOP');
    await untilHealth(server, /within 2 seconds/);
    await redis.signal('SIGCONT');
    await untilHealth(server);
  });

  it('a failover loses nothing when lines wait for a replica', async () => {
    const sentinels = await RedisSentinels.start(['appendonly yes', 'appendfsync always']);
    onTestFinished(() => sentinels.remove());
    const server = await startServerForTest({
      env: { REDIS_URL: sentinels.url, REDIS_WAIT: '1', TAILRACE_PENDING_BYTES: String(PENDING_BYTES) },
    });
    const app = await server.createApp();
    const other = await server.createApp();
    const tail = openWebSocketTail(server, app, 'lines=100000');
    const socket = await connectTcp(server.syslogPort);
    onTestFinished(() => void socket.destroy());
    new Flood(socket, app, 1, 1_000);
    await until('the first lines', () => ends(lastLines(tail), 1_000));
    const acknowledged: number[] = [];
    let posting = true;
    const post = async (): Promise<void> => {
      for (let number = 1; posting; number++)
        await pushLines(server, other.token, [`${number} `]).then(
          () => acknowledged.push(number),
          () => new Promise((resolve) => setTimeout(resolve, 20)),
        );
    };
    const posted = post();
    const flood = new Flood(socket, app, 1_001, 19_000);
    await until('some lines more', () => (tail.messages.at(-1)?.lines.length ?? 0) > 0);
    const before = residentBytes(server.program.pid);
    await sentinels.failOver();
    await until('all lines are taken', () => flood.isOver);
    await until('the last line', () => ends(lastLines(tail), 20_000));
    expect(residentBytes(server.program.pid) - before).toBeLessThan(96 * 1_048_576);
    expectAll(numbersOf(await server.readMessages(app)), 20_000);
    expect(tail.closeCode).toBeUndefined();
    const count = acknowledged.length;
    await until('lines are acknowledged again', () => acknowledged.length > count + 10);
    posting = false;
    await posted;
    const stored = new Set(numbersOf(await server.readMessages(other)));
    expect(acknowledged.filter((number) => !stored.has(number))).toEqual([]);
  });

  it('hangs while the app of a tail is looked up, and its reader leaves: nothing is left of it, and the server ends', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const proxy = await RedisProxy.start(redis.port);
    onTestFinished(() => proxy.close());
    const server = await startServerForTest({ env: { REDIS_URL: proxy.url } });
    const app = await server.createApp();
    let hangs = false;
    proxy.onRequest = (text) => {
      if (hangs || !text.includes(`name/${app.name}`)) return;
      hangs = true;
      void redis.signal('SIGSTOP');
    };
    const reader = connect(Number(new URL(server.url).port), '127.0.0.1');
    reader.write(
      `GET /apps/${app.name}/logs?tail=true HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${server.key}\r\n\r\n`,
    );
    await until('the app to be looked up', () => hangs);
    reader.destroy();
    // Answered after the server has heard that the reader left.
    expect((await fetch(`${server.url}/apps`)).status).toBe(401);
    await redis.signal('SIGCONT');
    // Asked of Redis behind the tail's app.
    await server.request('GET', `/apps/${app.name}`);
    const metrics = await fetch(`${server.url}/metrics`, {
      headers: { authorization: `Bearer ${server.key}` },
    });
    expect(await metrics.text()).toMatch(/^tailrace_tails 0$/m);
    await server.program.stop('SIGTERM');
  });
});
