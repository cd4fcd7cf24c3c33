/**
 * A drain is unreachable while lines come in, and comes back: when does the backlog start to flow, and how fast, beside the live rate
 * of the same drain. On either store.
 *
 *   node dist/bench/drains/drain-recovery.js [--lines 1000000] [--only embedded|Redis]
 */
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SyslogLoadJob } from '../programs/syslog-load.ts';
import { type BenchServer, startServer } from '../rig/bench-server.ts';
import { startSyslogLoad, stop } from '../rig/processes.ts';
import { redisVersion, startRedis } from '../rig/redis.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';

/** Lines before anything is measured. */
const WARM_UP_LINES = 200_000;
const RUN_MS = 60_000;
/** Long enough for the pauses between attempts to have grown. */
const OUTAGE_MS = 4_000;

interface Result {
  readonly livePerS: number;
  readonly firstMs: number;
  readonly backlogPerS: number;
}

/** A syslog drain that counts bytes, closes and comes back on the same port. */
class Sink {
  bytes = 0;
  firstAtMs = 0;
  port = 0;
  private server = createServer();
  private readonly sockets = new Set<Socket>();

  async open(): Promise<void> {
    this.firstAtMs = 0;
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('data', (chunk) => {
        this.firstAtMs ||= performance.now();
        this.bytes += chunk.length;
      });
    });
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    const address = this.server.address();
    if (address && typeof address === 'object') this.port = address.port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** When so many bytes had come, on the clock of `performance.now()`. */
  async until(bytes: number): Promise<number> {
    const deadlineMs = performance.now() + RUN_MS;
    while (this.bytes < bytes) {
      if (performance.now() > deadlineMs) throw new Error(`${this.bytes} of ${bytes} bytes came`);
      await sleep(1);
    }
    return performance.now();
  }
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, only } = parseFlags(args, { lines: 1_000_000 }, ['only']);
  const stores = ['embedded', ...(redisVersion() ? ['Redis'] : [])].filter((name) => !only || name === only);
  const rows: string[][] = [];
  for (const store of stores) {
    const { livePerS, firstMs, backlogPerS } = await runOnce(store === 'Redis', lines);
    logProgress(
      `recovery, ${store}: live ${formatInteger(livePerS)} lines/s; first line after ${formatInteger(firstMs)} ms, then ${formatInteger(backlogPerS)} lines/s`,
    );
    rows.push([
      store,
      formatInteger(livePerS),
      formatInteger(firstMs),
      formatInteger(backlogPerS),
      formatDecimal(backlogPerS / livePerS),
    ]);
  }
  return {
    title: 'A drain that comes back',
    note: [
      `A syslog drain is away while ${formatInteger(lines)} lines of 140 bytes come in, and for ${OUTAGE_MS / 1_000} s more. First line: from the moment it listens`,
      'again. The live rate is that of as many lines that go through while it is there.',
    ].join('\n'),
    columns: ['store', 'live lines/s', 'first line after ms', 'backlog lines/s', '× live'],
    rows,
  };
}

async function runOnce(onRedis: boolean, lines: number): Promise<Result> {
  const redis = onRedis ? await startRedis() : undefined;
  const server = await startServer({ REDIS_URL: redis?.url ?? '' });
  const { load } = await startSyslogLoad();
  const sink = new Sink();
  try {
    await sink.open();
    const token = await server.createApp('bench');
    await server.addDrain('bench', `syslog://127.0.0.1:${sink.port}`);
    const send = (count: number): void => {
      load.send({ port: server.syslogPort, token, lines: count } satisfies SyslogLoadJob);
    };
    send(WARM_UP_LINES);
    await waitUntilStored(server, WARM_UP_LINES);
    await waitUntilIdle(server);
    const lineBytes = sink.bytes / WARM_UP_LINES;

    let before = sink.bytes;
    let startedMs = performance.now();
    send(lines);
    const liveMs = (await sink.until(before + lines * lineBytes)) - startedMs;
    await waitUntilIdle(server);

    await sink.close();
    send(lines);
    await waitUntilStored(server, WARM_UP_LINES + 2 * lines);
    await sleep(OUTAGE_MS);
    before = sink.bytes;
    startedMs = performance.now();
    await sink.open();
    // What was in flight when it closed comes again.
    const endMs = await sink.until(before + lines * lineBytes);
    return {
      livePerS: (lines / liveMs) * 1_000,
      firstMs: sink.firstAtMs - startedMs,
      backlogPerS: (lines / (endMs - sink.firstAtMs)) * 1_000,
    };
  } finally {
    await stop(load);
    await server.stop();
    await redis?.stop();
    await sink.close();
  }
}

async function waitUntilStored(server: BenchServer, lines: number): Promise<void> {
  await waitFor(server, ({ sources }) =>
    sources.some((source) => source.protocol === 'tcp' && source.lines >= lines),
  );
}

/** Everything is delivered and acknowledged. */
async function waitUntilIdle(server: BenchServer): Promise<void> {
  await waitFor(server, ({ routers }) => routers.every(({ lag_lines }) => lag_lines === 0));
  await sleep(2_500);
}

interface Status {
  readonly sources: readonly { readonly protocol: string; readonly lines: number }[];
  readonly routers: readonly { readonly lag_lines: number }[];
}

async function waitFor(server: BenchServer, holds: (status: Status) => boolean): Promise<void> {
  const deadlineMs = performance.now() + RUN_MS;
  while (!holds(await server.request<Status>('GET', '/status'))) {
    if (performance.now() > deadlineMs) throw new Error('the server did not get there');
    await sleep(50);
  }
}

await runIfMain(import.meta.url, measure);
