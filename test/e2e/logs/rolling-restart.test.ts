/** The recommended deployment of several routers, under a rolling restart: real HAProxy with the configuration of deploy/compose.yaml. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { missing, Program } from '../../support/program.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { logplexBody, logplexLine, octetCounted } from '../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const ROUTERS = 3;
const LINES_PER_WRITE = 5;
const WRITE_INTERVAL_MS = 20;

/** `deploy/compose.yaml`'s HAProxy, with these ports of this machine in the place of the containers'. */
function haproxyConfig(
  frontend: { http: number; syslog: number },
  backends: { http: number; syslog: number }[],
) {
  const compose = readFileSync(join(ROOT, 'deploy', 'compose.yaml'), 'utf8');
  const [, content] = /\n {2}haproxy:\n {4}content: \|\n((?: {6}.*\n|\n)+)/.exec(compose) ?? [];
  if (!content) throw new Error('deploy/compose.yaml has no configuration of HAProxy');
  return content
    .replace(/^ {6}/gm, '')
    .replace(/bind :8601/, `bind 127.0.0.1:${frontend.http}`)
    .replace(/bind :6001/, `bind 127.0.0.1:${frontend.syslog}`)
    .replace(/resolvers docker\n.*nameserver.*\n/, '')
    .replaceAll(/ resolvers docker| init-addr none/g, '')
    .replaceAll(/router-(\d):(8601|6001)/g, (_, number, port) => {
      const { http, syslog } = backends[Number(number) - 1];
      return `127.0.0.1:${port === '8601' ? http : syslog}`;
    });
}

/** Sends numbered lines over a syslog connection, and opens another one when that is closed. */
class TcpSender {
  readonly name: string;
  readonly connections: Socket[] = [];
  sent = 0;
  errors: string[] = [];
  private readonly port: number;
  private readonly token: string;
  private readonly heedsEnd: boolean;
  private socket: Socket | undefined;
  private readonly timer: NodeJS.Timeout;

  constructor(name: string, port: number, token: string, heedsEnd = true) {
    this.name = name;
    this.port = port;
    this.token = token;
    this.heedsEnd = heedsEnd;
    this.open();
    this.timer = setInterval(() => this.write(), WRITE_INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    const { socket } = this;
    this.socket = undefined;
    socket?.end();
    if (socket) await until('the connection to be closed', () => socket.destroyed || !socket.writable);
  }

  private open(): void {
    const socket = connect({ host: '127.0.0.1', port: this.port, allowHalfOpen: !this.heedsEnd });
    this.connections.push(socket);
    const lost = (why: string): void => {
      if (this.socket !== socket) return;
      this.errors.push(why);
      this.socket = undefined;
      setTimeout(() => this.open(), 50);
    };
    this.socket = socket;
    socket.on('error', (error) => lost(error.message));
    socket.on('close', () => lost('close'));
    socket.on('end', () => this.heedsEnd && lost('end'));
    socket.resume();
  }

  private write(): void {
    const { socket } = this;
    if (!socket || socket.connecting) return;
    const lines = Array.from({ length: LINES_PER_WRITE }, () => `${this.name} ${this.sent++}`);
    socket.write(Buffer.concat(lines.map((line) => octetCounted(logplexLine(line, this.token)))));
  }
}

describe.skipIf(!hasRedis || missing('haproxy'))(
  'a rolling restart behind HAProxy',
  { timeout: 120_000 },
  () => {
    it('loses no line', async () => {
      const redis = await RedisServer.start({ config: ['appendonly yes'] });
      onTestFinished(() => redis.remove());
      const backends: { http: number; syslog: number }[] = [];
      for (let i = 0; i < ROUTERS; i++) backends.push({ http: await freePort(), syslog: await freePort() });
      const frontend = { http: await freePort(), syslog: await freePort() };
      const startRouter = ({ http, syslog }: { http: number; syslog: number }): Promise<Server> =>
        startServerForTest({
          env: {
            REDIS_URL: redis.url,
            TAILRACE_HTTP_PORT: String(http),
            TAILRACE_SYSLOG_PORT: String(syslog),
          },
        });
      const routers = await Promise.all(backends.map(startRouter));
      const app: App = await routers[0].createApp();
      const file = join(dataFolderForTest(), 'haproxy.cfg');
      writeFileSync(file, haproxyConfig(frontend, backends));
      const haproxy = new Program('haproxy', ['-f', file]);
      onTestFinished(() => void haproxy.stop('SIGKILL'));
      await until(
        'the balancer to answer',
        async () => (await fetch(`http://127.0.0.1:${frontend.http}/health`).catch(() => undefined))?.ok,
      );
      const senders = Array.from(
        { length: 6 },
        (_, i) => new TcpSender(`sender${i}`, frontend.syslog, app.token, i < 3),
      );
      let posting = true;
      const acknowledged: string[] = [];
      const answers = new Map<string, number>();
      const post = async (name: string): Promise<void> => {
        for (let number = 0; posting; number++) {
          const line = `${name} ${number}`;
          const status = await fetch(`http://127.0.0.1:${frontend.http}/logs`, {
            method: 'POST',
            headers: {
              authorization: `Basic ${btoa(`token:${app.token}`)}`,
              'content-type': 'application/logplex-1',
            },
            body: new Uint8Array(logplexBody([line])),
          }).then(
            async (answer) => {
              await answer.text();
              return String(answer.status);
            },
            (error: Error) => String(error.cause ?? error),
          );
          answers.set(status, (answers.get(status) ?? 0) + 1);
          if (status === '204') acknowledged.push(line);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      };
      const posters = ['post0', 'post1'].map(post);
      await until('lines to flow', () => senders.every(({ sent }) => sent > 200));
      for (let i = 0; i < ROUTERS; i++) {
        const t0 = performance.now();
        await routers[i].close();
        const t1 = performance.now();
      const down = performance.now();
      await until('a router to be down for a while', () => performance.now() - down > 5_000);
        routers[i] = await startRouter(backends[i]);
        process.stderr.write(`router ${i}: stop ${t1 - t0} start ${performance.now() - t1}\n`);
        const from = senders.map(({ sent }) => sent);
        await until('lines to flow', () => senders.every(({ sent }, j) => sent > from[j] + 500));
      }
      posting = false;
      await Promise.all(posters);
      await Promise.all(senders.map((sender) => sender.stop()));
      const marked = performance.now();
      await until('all to be stored', () => performance.now() - marked > 2_000);
      const stored = new Set(await routers[0].readMessages(app));
      process.stderr.write(`${JSON.stringify([...answers])}\n`);
      for (const { name, sent, connections, errors } of senders) {
        const lost = Array.from({ length: sent }, (_, i) => `${name} ${i}`).filter(
          (line) => !stored.has(line),
        );
        process.stderr.write(
          `${name}: lost ${lost.length} of ${sent}, ${connections.length} connections, ${errors.join(', ')}: ${lost.slice(0, 3)}\n`,
        );
      }
      expect(acknowledged.filter((line) => !stored.has(line))).toEqual([]);
    });
  },
);
