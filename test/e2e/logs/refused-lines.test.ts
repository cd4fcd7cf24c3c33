/**
 * What was refused is never stored, whatever else is sent at the same time and however the store fails: the sender sends it again, and
 * it would be there twice. Senders of all kinds send numbered lines to one app while the store comes and goes; in the end each line
 * that was acknowledged, or that nobody sends again, is there once, in the order of its sender.
 */
import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { missing, runProgram } from '../../support/program.ts';
import { RedisProxy } from '../../support/redis/redis-proxy.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import {
  basicAuth,
  connectTcp,
  logplexBody,
  logplexLine,
  octetCounted,
  postLogs,
  pushLines,
} from '../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface Attempt {
  readonly type: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body: (texts: readonly string[], app: App) => string | Buffer;
}

/** Every way in over HTTP. */
const REQUESTS: Readonly<Record<string, Attempt>> = {
  logplex: { type: 'application/logplex-1', body: (texts) => logplexBody(texts) },
  named: {
    type: 'application/logplex-1',
    headers: { 'logplex-frame-id': 'named' },
    body: (texts) => logplexBody(texts),
  },
  key: {
    type: 'application/logplex-1',
    headers: { authorization: 'key' },
    body: (texts, app) => logplexBody(texts, app.token),
  },
  // As the forwarder of dynos' lines sends them.
  forwarder: {
    type: 'application/logplex-1',
    headers: { authorization: 'key', 'logplex-frame-id': 'named' },
    body: (texts, app) => logplexBody(texts, app.token),
  },
  text: { type: 'text/plain', body: (texts) => texts.join('\n') },
  json: {
    type: 'application/json',
    body: (texts) => JSON.stringify(texts.map((message) => ({ message }))),
  },
  ndjson: {
    type: 'application/x-ndjson',
    body: (texts) => texts.map((message) => JSON.stringify({ message })).join('\n'),
  },
  otlp: {
    type: 'application/json',
    path: '/v1/logs',
    body: (texts) =>
      JSON.stringify({
        resourceLogs: [
          { scopeLogs: [{ logRecords: texts.map((text) => ({ body: { stringValue: text } })) }] },
        ],
      }),
  },
};

/** Sends numbered requests one after the other, each until it is taken. */
class RetryingSender {
  readonly acknowledged: string[] = [];
  refusals = 0;
  private stopping = false;
  private readonly done: Promise<void>;

  constructor(server: Server, app: App, name: string, lines = 3) {
    this.done = this.run(server, app, name, lines);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.done;
  }

  private async run(server: Server, app: App, name: string, lines: number): Promise<void> {
    const { type, path = '/logs', headers = {}, body } = REQUESTS[name];
    for (let number = 1; !this.stopping; number++) {
      const texts = Array.from({ length: lines }, (_, i) => `${name} ${number}.${i}`);
      const bytes = body(texts, app);
      for (;;) {
        const status = await fetch(server.url + path, {
          method: 'POST',
          headers: {
            ...headers,
            authorization: headers.authorization ? `Bearer ${server.key}` : basicAuth(app.token),
            'content-type': type,
            ...(headers['logplex-frame-id'] ? { 'logplex-frame-id': `${name}-${number}` } : {}),
          },
          body: typeof bytes === 'string' ? bytes : new Uint8Array(bytes),
        }).then(
          async (response) => {
            await response.text();
            return response.status;
          },
          () => 0,
        );
        if (status === 0) return; // the server has ended
        const isTaken = status >= 200 && status < 300;
        if (!isTaken) {
          expect(status).toBe(503);
          this.refusals++;
        }
        // All of them at full speed would have the processors to themselves.
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (isTaken) break;
      }
      this.acknowledged.push(...texts);
    }
  }
}

/** Writes numbered lines to a syslog connection all the time. */
class SyslogSender {
  count = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(socket: Socket, app: App) {
    this.timer = setInterval(() => {
      for (let i = 0; i < 5; i++)
        socket.write(octetCounted(logplexLine(`syslog ${++this.count}`, app.token)));
    }, 10);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

/** Sends by all ways while `disturb` runs, and checks what is stored in the end. */
async function expectOnceInOrder(
  server: Server,
  disturb: (senders: readonly RetryingSender[], app: App) => Promise<void>,
): Promise<void> {
  const app = await server.createApp();
  const socket = await connectTcp(server.syslogPort);
  onTestFinished(() => void socket.destroy());
  const syslog = new SyslogSender(socket, app);
  const senders = Object.keys(REQUESTS).map((name) => new RetryingSender(server, app, name));
  await until('each has sent some', () => senders.every(({ acknowledged }) => acknowledged.length > 30));
  await disturb(senders, app);
  const before = senders.map(({ acknowledged }) => acknowledged.length);
  await until('each has sent more', () =>
    senders.every(({ acknowledged }, i) => acknowledged.length > before[i] + 30),
  );
  syslog.stop();
  await Promise.all(senders.map((sender) => sender.stop()));
  await until('the last syslog line', async () =>
    (await server.readMessages(app, 'lines=5000')).includes(`syslog ${syslog.count}`),
  );
  const stored = await server.readMessages(app);
  for (const [i, name] of Object.keys(REQUESTS).entries())
    expect(stored.filter((text) => text.startsWith(`${name} `))).toEqual(senders[i].acknowledged);
  const numbers = Array.from({ length: syslog.count }, (_, i) => `syslog ${i + 1}`);
  expect(stored.filter((text) => text.startsWith('syslog '))).toEqual(numbers);
}

describe.runIf(hasRedis)('lines that are refused are never stored', () => {
  it('while Redis is killed and comes back', async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes', 'appendfsync always'] });
    onTestFinished(() => redis.remove());
    const server = await startServerForTest({ env: { REDIS_URL: redis.url } });
    await expectOnceInOrder(server, async (senders) => {
      for (let round = 0; round < 2; round++) {
        const before = senders.map(({ refusals }) => refusals);
        await redis.signal('SIGKILL');
        await until('all were refused', () => senders.every(({ refusals }, i) => refusals > before[i]));
        await redis.start();
        const taken = senders.map(({ acknowledged }) => acknowledged.length);
        await until('all are taken again', () =>
          senders.every(({ acknowledged }, i) => acknowledged.length > taken[i]),
        );
      }
    });
  });

  it('while answers of Redis get lost, again and again', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const proxy = await RedisProxy.start(redis.port);
    onTestFinished(() => proxy.close());
    const server = await startServerForTest({ env: { REDIS_URL: proxy.url } });
    await expectOnceInOrder(server, async (senders, app) => {
      for (let round = 0; round < 8; round++) {
        const taken = senders.map(({ acknowledged }) => acknowledged.length);
        await proxy.loseAnswerTo(`{${app.id}}:lines`);
        await until('all are taken again', () =>
          senders.every(({ acknowledged }, i) => acknowledged.length > taken[i]),
        );
      }
    });
  });

  it('while Redis hangs for longer than anybody waits', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const server = await startServerForTest({ env: { REDIS_URL: redis.url } });
    await expectOnceInOrder(server, async (senders) => {
      const before = senders.map(({ refusals }) => refusals);
      await redis.signal('SIGSTOP');
      await until('all were refused', () => senders.every(({ refusals }, i) => refusals > before[i]));
      await redis.signal('SIGCONT');
    });
  });
});

describe.runIf(hasRedis)('lines that no replica has confirmed', () => {
  it('are refused with another word than those that are surely not stored', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const replica = await RedisServer.start({ config: [`replicaof 127.0.0.1 ${redis.port}`] });
    onTestFinished(() => replica.remove());
    await until('the replica is in sync', async () =>
      String(await redis.command('info', 'replication')).includes('state=online'),
    );
    const server = await startServerForTest({
      env: { REDIS_URL: redis.url, REDIS_WAIT: '1', TAILRACE_HOLD_TIMEOUT: '100ms' },
    });
    const app = await server.createApp();
    const push = (text: string): Promise<Response> =>
      fetch(`${server.url}/logs`, {
        method: 'POST',
        headers: { authorization: basicAuth(app.token), 'content-type': 'text/plain' },
        body: text,
      });
    const pushInJson = (text: string): Promise<Response> =>
      fetch(`${server.url}/logs`, {
        method: 'POST',
        headers: { authorization: basicAuth(app.token), 'content-type': 'application/json' },
        body: JSON.stringify([{ message: text }]),
      });
    await until('lines are taken', async () => (await push('before')).ok);
    await replica.signal('SIGSTOP');
    const first = await push('first');
    expect([first.status, await first.text()]).toEqual([503, expect.stringContaining('may be stored')]);
    for (const way of [push, pushInJson]) {
      const later = await way('later');
      expect(later.status).toBe(503);
      expect(await later.text()).not.toContain('may be stored');
    }
    await replica.signal('SIGCONT');
    await until('lines are taken again', async () => (await push('first')).ok);
    await until('the rest, too', async () => (await push('last')).ok);
    const stored = await server.readMessages(app);
    expect(stored.filter((text) => /^(first|later)$/.test(text))).toEqual(['first']);
  });
});

describe.runIf(hasRedis)('lines that are refused while a server stops', () => {
  it('are never stored, also when Redis goes on after that', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const env = { REDIS_URL: redis.url };
    const server = await startServerForTest({ env });
    const app = await server.createApp();
    await pushLines(server, app.token, ['before']);
    await redis.signal('SIGSTOP');
    const sent = Object.entries(REQUESTS).map(async ([name, { type, path = '/logs', headers, body }]) => {
      const text = `${name} in flight`;
      const bytes = body([text], app);
      const status = await fetch(server.url + path, {
        method: 'POST',
        headers: {
          ...headers,
          authorization: headers?.authorization ? `Bearer ${server.key}` : basicAuth(app.token),
          'content-type': type,
        },
        body: typeof bytes === 'string' ? bytes : new Uint8Array(bytes),
      }).then(
        (response) => response.status,
        () => 0,
      );
      return { text, status };
    });
    // They have arrived when what came after them is answered.
    for (let i = 0; i < 3; i++) await (await fetch(`${server.url}/nothing`)).text();
    const stopped = server.program.stop('SIGTERM');
    const answers = await Promise.all(sent);
    await stopped;
    await redis.signal('SIGCONT');
    const again = await startServerForTest({ env });
    await pushLines(again, app.token, ['after']);
    const refused = answers.filter(({ status }) => status === 503).map(({ text }) => text);
    expect(answers.filter(({ status }) => status !== 503 && status !== 0)).toEqual([]);
    expect(refused.length).toBeGreaterThan(0);
    const stored = await again.readMessages(app);
    expect(stored.filter((text) => refused.includes(text))).toEqual([]);
    expect([stored[0], stored.at(-1)]).toEqual(['before', 'after']);
  });
});

describe('lines that are refused are never stored, by the embedded store', () => {
  it.skipIf(missing('prlimit'))('while its disk is full, and after a kill', async () => {
    const data = dataFolderForTest();
    const server = await startServerForTest({ data, shell: 'ulimit -S -f 1500' });
    await expectOnceInOrder(server, async (senders, app) => {
      const before = senders.map(({ refusals }) => refusals);
      const large = logplexBody(Array.from({ length: 20 }, () => 'x'.repeat(9_000)));
      await until('all were refused', async () => {
        await postLogs(server, app.token, large);
        return senders.every(({ refusals }, i) => refusals > before[i]);
      });
      await runProgram('prlimit', [`--pid=${server.program.pid}`, '--fsize=unlimited']);
    });
  });
});
