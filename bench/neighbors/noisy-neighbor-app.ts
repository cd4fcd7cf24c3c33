/**
 * One app sends ten times what it may; how long do another app's requests take, beside a quiet server?
 *
 *   node dist/bench/neighbors/noisy-neighbor-app.js [--limit 10000] [--requests 500]
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { startServer } from '../rig/bench-server.ts';
import { cpuSeconds } from '../rig/proc.ts';
import { formatDecimal, formatInteger, parseFlags, quantile, runIfMain, type Table } from '../rig/report.ts';

const LINE =
  '<190>1 2012-12-10T03:00:48.123456+00:00 host TOKEN web.1 - - at=info method=GET path="/" status=200';
const TICK_MS = 10;

interface Seen {
  readonly p50: number;
  readonly p99: number;
  readonly cores: number;
  /** Of the loud app. */
  readonly refusedPerS: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { limit, requests } = parseFlags(args, { limit: 10_000, requests: 500 });
  const server = await startServer({ TAILRACE_APP_LINES_PER_S: String(limit) });
  try {
    const loud = await server.createApp('loud');
    const quiet = await server.createApp('quiet');
    const client = new Client(server.url);
    const limited = async (): Promise<number> => {
      const { sources } = await server.request<{ sources: { limited: number }[] }>('GET', '/status');
      return sources.reduce((sum, source) => sum + source.limited, 0);
    };
    const ask = async (): Promise<Seen> => {
      const limitedBefore = await limited();
      const times: number[] = [];
      const cpu = cpuSeconds(server.pid);
      const startedMs = performance.now();
      for (let i = 0; i < requests; i++) {
        const sentMs = performance.now();
        const response = await client.request({
          method: 'POST',
          path: '/logs',
          headers: { 'content-type': 'text/plain', authorization: `Bearer ${quiet}` },
          body: 'one line\n',
        });
        await response.body.dump();
        if (response.statusCode !== 204) throw new Error(`status ${response.statusCode}`);
        times.push(performance.now() - sentMs);
        await sleep(2);
      }
      times.sort((a, b) => a - b);
      const seconds = (performance.now() - startedMs) / 1_000;
      return {
        p50: quantile(times, 0.5),
        p99: quantile(times, 0.99),
        cores: (cpuSeconds(server.pid) - cpu) / seconds,
        refusedPerS: ((await limited()) - limitedBefore) / seconds,
      };
    };
    await ask(); // warm
    const before = await ask();
    const stop = sendAtRate(server.syslogPort, loud, limit * 10);
    await sleep(1_000);
    const during = await ask();
    stop();
    const row = (name: string, { p50, p99, cores, refusedPerS }: Seen): string[] => [
      name,
      formatDecimal(p50),
      formatDecimal(p99),
      formatDecimal(cores),
      formatInteger(refusedPerS),
    ];
    await client.close();
    return {
      title: 'One app at ten times its limit',
      note: `An app may send ${formatInteger(limit)} lines/s and sends ${formatInteger(limit * 10)} over TCP; ${requests} requests of another app, one after the other.`,
      columns: ['', 'p50 ms', 'p99 ms', 'cores', 'lines refused/s'],
      rows: [row('quiet', before), row('beside ten times the limit', during)],
    };
  } finally {
    await server.stop();
  }
}

/** Sends lines at a steady rate, until the returned function is called. */
function sendAtRate(port: number, token: string, linesPerS: number): () => void {
  const line = LINE.replace('TOKEN', token);
  const chunk = Buffer.from(`${line.length} ${line}`.repeat(Math.round((linesPerS * TICK_MS) / 1_000)));
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const timer = setInterval(() => socket.write(chunk), TICK_MS);
  return () => {
    clearInterval(timer);
    socket.destroy();
  };
}

await runIfMain(import.meta.url, measure);
