/** The recommended deployment of several routers, under a rolling restart: real HAProxy with the configuration of deploy/haproxy.cfg. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { missing, Program } from '../../support/program.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import {
  basicAuth,
  logplexBody,
  logplexLine,
  numberedMessages,
  octetCounted,
} from '../../support/senders/send-lines.ts';
import { dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const ROUTERS = 3;
const LINES_PER_WRITE = 5;
const WRITE_INTERVAL_MS = 20;
const RECONNECT_MS = 20;
/** HAProxy tries one router three times, a second apart, before it gives a connection up. */
const DOWN_MS = 4_000;

interface RouterPorts {
  readonly http: number;
  readonly syslog: number;
}

/** `deploy/haproxy.cfg`, with these ports of this machine in the place of the containers'. */
function haproxyConfig(frontend: RouterPorts, backends: readonly RouterPorts[]): string {
  return (
    readFileSync(join(ROOT, 'deploy', 'haproxy.cfg'), 'utf8')
      .replace(/bind :8601/, `bind 127.0.0.1:${frontend.http}`)
      .replace(/bind :6001/, `bind 127.0.0.1:${frontend.syslog}`)
      .replace(/resolvers docker\n.*nameserver.*\n/, '')
      // Apps aren't asked here.
      .replaceAll(/^listen (?:first|apps)\n(?: .*\n)+/gm, '')
      .replaceAll(/ resolvers docker| init-addr none/g, '')
      .replaceAll(/router-(\d):(8601|6001)/g, (_, number, port) => {
        const { http, syslog } = backends[Number(number) - 1];
        return `127.0.0.1:${port === '8601' ? http : syslog}`;
      })
  );
}

/** Sends numbered lines over a syslog connection, and opens another one when the other end ends it. */
class TcpSender {
  readonly name: string;
  sent = 0;
  private readonly port: number;
  private readonly token: string;
  private readonly timer: NodeJS.Timeout;
  private socket: Socket | undefined;

  constructor(name: string, port: number, token: string) {
    this.name = name;
    this.port = port;
    this.token = token;
    this.open();
    this.timer = setInterval(() => this.write(), WRITE_INTERVAL_MS);
  }

  get lines(): string[] {
    return numberedMessages(this.sent, this.name);
  }

  /** Resolves when the other end has read everything. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    const { socket } = this;
    this.socket = undefined;
    socket?.end();
    await until('the connection to be closed', () => socket?.closed ?? true);
  }

  private open(): void {
    const socket = connect({ host: '127.0.0.1', port: this.port });
    const onLost = (): void => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      setTimeout(() => this.open(), RECONNECT_MS);
    };
    this.socket = socket;
    socket.on('error', onLost);
    socket.on('end', onLost);
    socket.on('close', onLost);
    socket.resume();
  }

  private write(): void {
    const { socket } = this;
    if (!socket || socket.connecting) return;
    const lines = numberedMessages(LINES_PER_WRITE, this.name, this.sent);
    this.sent += LINES_PER_WRITE;
    socket.write(Buffer.concat(lines.map((line) => octetCounted(logplexLine(line, this.token)))));
  }
}

/** Posts numbered lines, one a request. */
class HttpSender {
  readonly acknowledged: string[] = [];
  /** Whatever wasn't 204. */
  readonly failures: string[] = [];
  private running = true;
  private readonly finished: Promise<void>;

  constructor(name: string, url: string, token: string) {
    this.finished = this.run(name, url, token);
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.finished;
  }

  private async run(name: string, url: string, token: string): Promise<void> {
    for (let number = 0; this.running; number++) {
      const line = `${name} ${number}`;
      const answer = await request(url, {
        method: 'POST',
        headers: { authorization: basicAuth(token), 'content-type': 'application/logplex-1' },
        body: logplexBody([line]),
      }).then(
        async ({ statusCode, body }) => `${statusCode} ${await body.text()}`,
        (error: unknown) => String(error),
      );
      if (answer === '204 ') this.acknowledged.push(line);
      else this.failures.push(answer);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** A tail through the balancer from the first line on: whenever its router goes, it is opened again behind the last line that came. */
class MovingTail {
  /** Times that it was opened again. */
  moves = 0;
  private readonly before: string[] = [];
  private client: TailClient | undefined;
  private isRunning = true;
  private readonly finished: Promise<void>;

  constructor(open: (after: string) => TailClient) {
    this.finished = this.run(open);
  }

  get messages(): readonly string[] {
    return [...this.before, ...(this.client?.messages() ?? [])];
  }

  async stop(): Promise<void> {
    this.isRunning = false;
    this.client?.disconnect();
    await this.finished;
  }

  private async run(open: (after: string) => TailClient): Promise<void> {
    for (let after = '0'; this.isRunning; this.moves++) {
      const client = open(after);
      this.client = client;
      await new Promise((resolve) => client.socket.once('close', resolve));
      this.client = undefined;
      this.before.push(...client.messages());
      after = client.position ?? after;
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
  }
}

describe.skipIf(!hasRedis || missing('haproxy'))('a rolling restart behind HAProxy', () => {
  it('loses no line, and refuses no request, and tails go on where they were', {}, async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes'] });
    onTestFinished(() => redis.remove());
    const addresses: RouterPorts[] = [];
    for (let i = 0; i < ROUTERS; i++) addresses.push({ http: await freePort(), syslog: await freePort() });
    const frontend = { http: await freePort(), syslog: await freePort() };
    const startRouter = ({ http, syslog }: RouterPorts): Promise<Server> =>
      startServerForTest({
        env: {
          REDIS_URL: redis.url,
          TAILRACE_HTTP_PORT: String(http),
          TAILRACE_SYSLOG_PORT: String(syslog),
        },
      });
    const routers = await Promise.all(addresses.map(startRouter));
    const { token, ...app } = await routers[0].createApp();
    const { key } = routers[0];
    const file = join(dataFolderForTest(), 'haproxy.cfg');
    writeFileSync(file, haproxyConfig(frontend, addresses));
    const haproxy = new Program('haproxy', ['-f', file]);
    onTestFinished(() => void haproxy.stop('SIGKILL'));
    const url = `http://127.0.0.1:${frontend.http}`;
    await until('the balancer to answer', async () =>
      fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const tcpSenders = numberedMessages(6, 'tcp').map((name) => new TcpSender(name, frontend.syslog, token));
    const httpSenders = numberedMessages(2, 'http').map((name) => new HttpSender(name, `${url}/logs`, token));
    onTestFinished(async () => {
      for (const sender of [...tcpSenders, ...httpSenders]) await sender.stop();
    });
    const tails = [1, 2, 3].map(
      () => new MovingTail((after) => new TailClient({ url } as Server, { token, ...app }, { after }, key)),
    );
    onTestFinished(async () => {
      for (const tail of tails) await tail.stop();
    });
    const untilLinesFlow = async (): Promise<void> => {
      const before = tcpSenders.map(({ sent }) => sent);
      await until('lines of all senders', () => tcpSenders.every(({ sent }, i) => sent > before[i] + 200));
    };
    await untilLinesFlow();
    for (const [i, address] of addresses.entries()) {
      await routers[i].close();
      expect(routers[i].program.exitStatus).toBe(0);
      const stoppedMs = performance.now();
      await until('a balancer to give up', () => performance.now() - stoppedMs > DOWN_MS);
      routers[i] = await startRouter(address);
      await untilLinesFlow();
    }
    for (const sender of [...tcpSenders, ...httpSenders]) await sender.stop();
    const sent = tcpSenders.flatMap(({ lines }) => lines);
    const acknowledged = httpSenders.flatMap((sender) => sender.acknowledged);
    const stored = await until('all lines to be stored', async () => {
      const messages = await routers[0].readMessages({ token, ...app });
      const known = new Set(messages);
      return [...sent, ...acknowledged].every((line) => known.has(line)) && messages;
    });
    expect(stored).toHaveLength(new Set(stored).size);
    expect(httpSenders.flatMap(({ failures }) => failures)).toEqual([]);
    await until('the tails to have them', () =>
      tails.every(({ messages }) => messages.length >= stored.length),
    );
    for (const { messages, moves } of tails) {
      expect(moves).toBeGreaterThan(0);
      expect(messages).toEqual(stored);
    }
  });
});
