/**
 * The Redis store beside the embedded one, and two routers on one Redis beside one: two apps, each with its own source and
 * its own syslog drain, all of it on this machine. Then what lines take in Redis' memory.
 *
 *   node dist/bench/redis-store.js [--lines 3000000] [--runs 3] [--only embedded|Redis]
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SyslogLoadJob, SyslogLoadResult } from './programs/syslog-load.ts';
import { type BenchServer, startServer } from './rig/bench-server.ts';
import { cpuSeconds } from './rig/proc.ts';
import { runJob, startSyslogLoad, stop } from './rig/processes.ts';
import { type BenchRedis, redisVersion, startRedis } from './rig/redis.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from './rig/report.ts';

const WARM_UP_LINES = 100_000;
const AFTERMATH_MS = 500;
const RUN_MS = 120_000;
/** Lines of a source and a router, for Redis' memory: requests of a hundred random lines. */
const STORED_LINES = 200_000;
const LINES_PER_REQUEST = 100;

interface Run {
  readonly linesPerS: number;
  /** Processor seconds of all routers and of Redis, a million lines. */
  readonly routerCpuS: number;
  readonly redisCpuS: number;
}

type Setup = 'embedded' | 'Redis' | 'Redis, two routers';
const SETUPS: readonly Setup[] = ['embedded', 'Redis', 'Redis, two routers'];

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs, only } = parseFlags(args, { lines: 3_000_000, runs: 3 }, ['only']);
  const version = redisVersion();
  const setups = SETUPS.filter(
    (setup) => (version !== undefined || setup === 'embedded') && (only === undefined || setup === only),
  );
  const results = new Map<Setup, Run[]>(setups.map((setup) => [setup, []]));
  for (let round = 1; round <= runs; round++)
    for (const setup of setups) {
      const run = await runOnce(setup, lines);
      results.get(setup)!.push(run);
      logProgress(
        `redis-store, ${setup}, run ${round}: ${formatInteger(run.linesPerS)} lines/s, ${formatDecimal(run.routerCpuS)} s of routers' and ${formatDecimal(run.redisCpuS)} s of Redis' CPU a million`,
      );
    }
  const kept = version === undefined || only !== undefined ? Number.NaN : await storedBytes();
  const middle = (setup: Setup, of: (run: Run) => number): number =>
    median((results.get(setup) ?? []).map(of));
  const byRate = (run: Run): number => run.linesPerS;
  return {
    title: 'Redis store, two routers',
    note: [
      `Two apps, a source and a syslog drain each; lines of 140 bytes, ${formatInteger(lines)} a run, medians of ${runs} runs, alternating. Redis ${version ?? '(not installed)'}`,
      'with an append-only file shares the cores of this machine with routers, sources and drains. With two routers each source sends to its own.',
      `Random text of 140 bytes a line, a hundred lines a request, took ${formatDecimal(kept)} bytes in Redis a byte of the lines.`,
    ].join('\n'),
    columns: [
      '',
      'lines/s',
      '× embedded',
      '× one router',
      "routers' CPU s a million",
      "Redis' CPU s a million",
    ],
    rows: setups.map((setup) => [
      setup,
      formatInteger(middle(setup, byRate)),
      formatDecimal(middle(setup, byRate) / middle('embedded', byRate)),
      setup === 'embedded' ? '-' : formatDecimal(middle(setup, byRate) / middle('Redis', byRate)),
      formatDecimal(middle(setup, (run) => run.routerCpuS)),
      setup === 'embedded' ? '-' : formatDecimal(middle(setup, (run) => run.redisCpuS)),
    ]),
  };
}

async function runOnce(setup: Setup, lines: number): Promise<Run> {
  const redis = setup === 'embedded' ? undefined : await startRedis();
  const settings: Record<string, string> = redis ? { REDIS_URL: redis.url } : { REDIS_URL: '' };
  const routers = [await startServer(settings)];
  if (setup === 'Redis, two routers') routers.push(await startServer(settings));
  const loads = [await startSyslogLoad(), await startSyslogLoad()];
  try {
    const orders: SyslogLoadJob[] = [];
    for (const [i, { sinkPort }] of loads.entries()) {
      const router = routers[i % routers.length];
      const token = await routers[0].createApp(`bench-${i}`);
      await routers[0].addDrain(`bench-${i}`, `syslog://127.0.0.1:${sinkPort}`);
      orders.push({ port: router.syslogPort, token, lines: lines / 2 });
    }
    if (routers.length > 1) await waitUntilShared(routers[0], routers.length);
    const all = (count: number): Promise<SyslogLoadResult[]> =>
      Promise.all(
        loads.map(({ load }, i) => runJob<SyslogLoadResult>(load, { ...orders[i], lines: count }, RUN_MS)),
      );
    await all(WARM_UP_LINES / 2);
    await sleep(AFTERMATH_MS);
    const cpu = (): number => routers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
    const [routersBefore, redisBefore] = [cpu(), redis ? cpuSeconds(redis.pid) : 0];
    const done = await all(lines / 2);
    const seconds = Math.max(...done.map((one) => one.seconds));
    await sleep(AFTERMATH_MS);
    return {
      linesPerS: lines / seconds,
      routerCpuS: ((cpu() - routersBefore) / lines) * 1e6,
      redisCpuS: (((redis ? cpuSeconds(redis.pid) : 0) - redisBefore) / lines) * 1e6,
    };
  } finally {
    for (const { load } of loads) await stop(load);
    for (const router of routers) await router.stop();
    await redis?.stop();
  }
}

/** Waits until each router works on a drain. */
async function waitUntilShared(router: BenchServer, count: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { routers } = await router.request<{ routers: { drains: number }[] }>('GET', '/status');
    if (routers.filter(({ drains }) => drains > 0).length === count) return;
    await sleep(100);
  }
  throw new Error('the routers did not share the drains');
}

/** Bytes in Redis a byte of lines that have little in common. */
async function storedBytes(): Promise<number> {
  const redis: BenchRedis = await startRedis();
  const router = await startServer({ REDIS_URL: redis.url });
  try {
    const token = await router.createApp('kept');
    const before = await redis.dataBytes();
    let bytes = 0;
    for (let sent = 0; sent < STORED_LINES; sent += LINES_PER_REQUEST) {
      const lines = Array.from({ length: LINES_PER_REQUEST }, () => randomLine(token));
      bytes += lines.reduce((sum, line) => sum + line.length, 0);
      const response = await fetch(`${router.url}/logs`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`token:${token}`)}`,
          'content-type': 'application/logplex-1',
          'logplex-msg-count': String(LINES_PER_REQUEST),
        },
        body: lines.map((line) => `${line.length} ${line}`).join(''),
      });
      if (response.status !== 204) throw new Error(`POST /logs: ${response.status}`);
    }
    return ((await redis.dataBytes()) - before) / bytes;
  } finally {
    await router.stop();
    await redis.stop();
  }
}

function randomLine(token: string): string {
  const head = `<190>1 ${new Date().toISOString()} host ${token} web.1 - - `;
  return `${(head + randomBytes(100).toString('base64')).slice(0, 139)}\n`;
}

await runIfMain(import.meta.url, measure);
