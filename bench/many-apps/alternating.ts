/**
 * What a line costs when those of many apps alternate: over one connection and a hundred, and as `POST /logs` of 1 to 5 lines each from a
 * thousand connections; and how old a line is when it comes to a tail meanwhile.
 *
 *   node dist/bench/many-apps/alternating.js [--lines 1000000] [--runs 5] [--apps 10,1000,10000] [--store embedded|Redis]
 *     [--only "one connection"|"100 connections"|post] [--rate 20000]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ManyAppsJob, ManyAppsResult } from '../programs/many-apps-load.ts';
import { type BenchServer, startServer } from '../rig/bench-server.ts';
import { cpuSeconds, residentBytes } from '../rig/proc.ts';
import { runJob, startBenchProgram, stop, waitForMessage } from '../rig/processes.ts';
import { startRedis } from '../rig/redis.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  median,
  parseFlags,
  parseNumberList,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { type BenchApp, createApps } from './create-apps.ts';
import { createSettleApp, settle, storedLines } from './settle.ts';

const APPS = [10, 1_000, 10_000];
const WAYS = [
  { name: 'syslog, one connection', protocol: 'syslog', connections: 1 },
  { name: 'syslog, 100 connections', protocol: 'syslog', connections: 100 },
  { name: 'post, 1,000 connections', protocol: 'post', connections: 1_000 },
] as const;
const RUN_MS = 180_000;
/**
 * Of each app so many lines at the least, unless `--lines` says how many: as many as the embedded store gathers of an app until it writes these
 * to its segment, so that a run has what this costs in a server that goes on.
 */
const LINES_AN_APP_MIN = 400;
/** The work for the lines is over when so much time has brought no more than so much of it. */
const QUIET_MS = 400;
const QUIET_SHARE = 0.1;
const TAILS_MAX = 100;
const PACED_S = 4;
const FIRST_USE = { name: 'first use of each app', protocol: 'syslog', connections: 1 } as const;

type Way = (typeof WAYS)[number] | typeof FIRST_USE;

interface Run {
  readonly linesPerCpuS: number;
  /** Of the router; NaN on the embedded store. */
  readonly linesPerRedisCpuS: number;
}

interface Row {
  readonly way: Way;
  readonly apps: number;
  readonly runs: Run[];
  bytes: number;
  p99Ms: number;
}

/** Whose time is measured. */
interface Measured {
  readonly server: BenchServer;
  readonly redisPid: number | undefined;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { lines: 1_000_000, runs: 5, rate: 20_000 }, ['apps', 'store', 'only']);
  const { lines, runs, rate, only, store = process.env.BENCH_STORE ?? 'embedded' } = flags;
  const counts = parseNumberList(flags.apps, APPS);
  const linesAnApp = args.includes('--lines') || store.toLowerCase() === 'redis' ? 0 : LINES_AN_APP_MIN;
  const redis = store.toLowerCase() === 'redis' ? await startRedis() : undefined;
  const server = await startServer({ REDIS_URL: redis?.url ?? '' });
  const load = startBenchProgram('many-apps-load');
  await waitForMessage(load, (message) => (message as { ready?: boolean }).ready, 10_000);
  const measured: Measured = { server, redisPid: redis?.pid };
  const rows: Row[] = WAYS.filter(({ name }) => !only || name.includes(only)).flatMap((way) =>
    counts.map((apps) => ({ way, apps, runs: [], bytes: Number.NaN, p99Ms: Number.NaN })),
  );
  try {
    const apps = await createApps(server, Math.max(...counts));
    if (!redis) await createSettleApp(server);
    const first: Row = { way: FIRST_USE, apps: apps.length, runs: [], bytes: Number.NaN, p99Ms: Number.NaN };
    first.runs.push(await send(load, measured, { ...FIRST_USE, ...where(server, apps), lines: apps.length }));
    first.bytes = residentBytes(server.pid);
    // Each app's stream is open, and the code is warm.
    for (const way of WAYS)
      await send(load, measured, { ...way, ...where(server, apps), lines: 2 * apps.length });
    for (let round = 1; round <= runs; round++)
      for (const row of rows) {
        const used = apps.slice(0, row.apps);
        const run = await send(load, measured, {
          ...row.way,
          ...where(server, used),
          lines: Math.max(lines, linesAnApp * row.apps),
        });
        row.runs.push(run);
        row.bytes = residentBytes(server.pid);
        logProgress(
          `${row.way.name}, ${formatInteger(row.apps)} apps, run ${round}: ${formatInteger(run.linesPerCpuS)} lines a CPU second${redis ? `, ${formatInteger(run.linesPerRedisCpuS)} of Redis'` : ''}, ${formatMegabytes(row.bytes)}`,
        );
      }
    for (const row of rows) {
      if (row.way.protocol !== 'syslog') continue;
      const used = apps.slice(0, row.apps);
      const { p99Ms } = await runJob<ManyAppsResult>(
        load,
        {
          ...row.way,
          ...where(server, used),
          lines: rate * PACED_S,
          linesPerS: rate,
          tails: used.slice(0, TAILS_MAX).map(({ name }) => name),
          key: server.key,
        } satisfies ManyAppsJob,
        RUN_MS,
      );
      row.p99Ms = p99Ms;
      logProgress(`${row.way.name}, ${formatInteger(row.apps)} apps: p99 ${formatDecimal(p99Ms, 1)} ms`);
    }
    rows.push(first);
  } finally {
    await stop(load);
    await server.stop();
    await redis?.stop();
  }
  return table(rows, { lines, linesAnApp, runs, rate, store });
}

function where(
  server: BenchServer,
  apps: readonly BenchApp[],
): Pick<ManyAppsJob, 'url' | 'syslogPort' | 'tokens'> {
  return { url: server.url, syslogPort: server.syslogPort, tokens: apps.map(({ token }) => token) };
}

/** Sends lines, and waits until the server has done what they brought it to do. */
async function send(
  load: ReturnType<typeof startBenchProgram>,
  { server, redisPid }: Measured,
  job: ManyAppsJob,
): Promise<Run> {
  const storedBefore = await storedLines(server);
  const times = (): number[] => [cpuSeconds(server.pid), redisPid ? cpuSeconds(redisPid) : Number.NaN];
  const before = times();
  const { lines } = await runJob<ManyAppsResult>(load, job, RUN_MS);
  const deadlineMs = performance.now() + RUN_MS;
  let after = times();
  for (;;) {
    await sleep(QUIET_MS);
    const now = times();
    const isQuiet = now[0] - after[0] < (QUIET_MS / 1_000) * QUIET_SHARE;
    after = now;
    if (!isQuiet) continue;
    // It may only have had no turn: others use the machine, too.
    const stored = (await storedLines(server)) - storedBefore;
    if (stored >= lines) break; // one of the audit log may be among them
    if (performance.now() > deadlineMs) throw new Error(`${stored} of ${lines} lines are stored`);
  }
  // What is put off is this run's, too.
  if (!redisPid) {
    await settle(server);
    after = times();
  }
  return {
    linesPerCpuS: lines / (after[0] - before[0]),
    linesPerRedisCpuS: lines / (after[1] - before[1]),
  };
}

function table(
  rows: readonly Row[],
  {
    lines,
    linesAnApp,
    runs,
    rate,
    store,
  }: { lines: number; linesAnApp: number; runs: number; rate: number; store: string },
): Table {
  const byCpu = ({ runs: all }: Row): number => median(all.map(({ linesPerCpuS }) => linesPerCpuS));
  const byRedisCpu = ({ runs: all }: Row): number =>
    median(all.map(({ linesPerRedisCpuS }) => linesPerRedisCpuS));
  const least = Math.min(...rows.map(({ apps }) => apps));
  return {
    title: `Lines of many apps that alternate, ${store}`,
    note: [
      `Lines of 140 bytes, each the next app's, ${formatInteger(lines)} a run${linesAnApp > 0 ? `, and ${linesAnApp} of each app at the least` : ''}, until they are stored; as \`POST /logs\` 1 to 5 of an app a request. Medians of`,
      `${runs} runs, alternating, on a server that has all of the apps, each with what the store puts off. The age is that of lines at ${TAILS_MAX} tails, at ${formatInteger(rate)} lines/s over all apps.`,
    ].join('\n'),
    columns: [
      '',
      'apps',
      'lines a CPU second',
      'of all runs',
      `× ${least} apps`,
      "a second of Redis'",
      'p99 at a tail, ms',
      'memory (RSS)',
    ],
    rows: rows.map((row) => {
      const all = row.runs.map(({ linesPerCpuS }) => linesPerCpuS);
      const baseline = rows.find(({ way, apps }) => way === row.way && apps === least);
      return [
        row.way.name,
        formatInteger(row.apps),
        formatInteger(byCpu(row)),
        `${formatInteger(Math.min(...all))} to ${formatInteger(Math.max(...all))}`,
        baseline ? formatDecimal(byCpu(row) / byCpu(baseline)) : '-',
        formatInteger(byRedisCpu(row)),
        formatDecimal(row.p99Ms, 1),
        formatMegabytes(row.bytes),
      ];
    }),
  };
}

await runIfMain(import.meta.url, measure);
