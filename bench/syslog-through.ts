/**
 * Lines through the router: syslog TCP in, embedded store, syslog TCP drain out; beside rsyslog, which relays the same
 * lines and stores nothing.
 *
 *   node dist/bench/syslog-through.js [--lines 3000000] [--runs 3] [--only tailrace|rsyslog]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SyslogLoadJob, SyslogLoadResult } from './programs/syslog-load.ts';
import { startServer } from './rig/bench-server.ts';
import { cpuSeconds, peakResidentBytes } from './rig/proc.ts';
import { runJob, startSyslogLoad, stop } from './rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from './rig/report.ts';
import { rsyslogVersion, startRsyslogRelay } from './rig/rsyslog.ts';

/** Warm-up lines, twice: V8 is done with what is called once a chunk or a batch. */
const WARM_UP_LINES = 3_000_000;
/** What a relay still does for the lines when the last has come out (cursors, syncs) counts too. */
const AFTERMATH_MS = 500;
const RUN_MS = 300_000;

interface Run {
  readonly linesPerS: number;
  readonly linesPerCpuS: number;
  readonly peakBytes: number;
  /** What generator and sink used, of one core. */
  readonly loadShare: number;
}

/** Something that relays lines. */
interface Relay {
  readonly pid: number;
  readonly port: number;
  readonly token: string;
  stop(): Promise<void>;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs, only } = parseFlags(args, { lines: 3_000_000, runs: 3 }, ['only']);
  const version = rsyslogVersion();
  const names = ['tailrace', ...(version ? ['rsyslog'] : [])].filter((name) => !only || name === only);
  const results = new Map<string, Run[]>(names.map((name) => [name, []]));
  for (let round = 1; round <= runs; round++) {
    for (const name of names) {
      const run = await runOnce(name === 'tailrace' ? tailrace : rsyslog, lines);
      results.get(name)!.push(run);
      logProgress(
        `syslog through ${name}, run ${round}: ${formatInteger(run.linesPerS)} lines/s, ${formatInteger(run.linesPerCpuS)} lines a CPU second (generator and sink: ${formatDecimal(run.loadShare)} of a core)`,
      );
    }
  }
  return table(results, lines, runs, version);
}

async function runOnce(startRelay: (sinkPort: number) => Promise<Relay>, lines: number): Promise<Run> {
  const { load, sinkPort } = await startSyslogLoad();
  const target = await startRelay(sinkPort);
  try {
    const job: SyslogLoadJob = { port: target.port, token: target.token, lines };
    for (let left = 2; left > 0; left--)
      await runJob<SyslogLoadResult>(load, { ...job, lines: WARM_UP_LINES }, RUN_MS);
    await sleep(AFTERMATH_MS);
    const cpuBefore = cpuSeconds(target.pid);
    const loadBefore = cpuSeconds(load.pid!);
    const { seconds } = await runJob<SyslogLoadResult>(load, job, RUN_MS);
    await sleep(AFTERMATH_MS);
    const cpu = cpuSeconds(target.pid) - cpuBefore;
    return {
      linesPerS: lines / seconds,
      linesPerCpuS: lines / cpu,
      peakBytes: peakResidentBytes(target.pid),
      loadShare: (cpuSeconds(load.pid!) - loadBefore) / seconds,
    };
  } finally {
    await target.stop();
    await stop(load);
  }
}

async function tailrace(sinkPort: number): Promise<Relay> {
  const server = await startServer();
  const token = await server.createApp('bench');
  await server.addDrain('bench', `syslog://127.0.0.1:${sinkPort}`);
  return { pid: server.pid, port: server.syslogPort, token, stop: () => server.stop() };
}

async function rsyslog(sinkPort: number): Promise<Relay> {
  const { pid, syslogPort, stop } = await startRsyslogRelay(sinkPort);
  return { pid, port: syslogPort, token: `t.${'0a'.repeat(18)}`, stop };
}

function table(
  results: ReadonlyMap<string, readonly Run[]>,
  lines: number,
  runs: number,
  version: string | undefined,
): Table {
  const middle = (name: string, of: (run: Run) => number): number =>
    median((results.get(name) ?? []).map(of));
  const ratio = (name: string, of: (run: Run) => number): string =>
    formatDecimal(middle(name, of) / middle('rsyslog', of));
  const byRate = (run: Run): number => run.linesPerS;
  const byCpu = (run: Run): number => run.linesPerCpuS;
  return {
    title: 'syslog TCP in → store → syslog TCP drain',
    note: [
      `Lines of 140 bytes, RFC 5424, octet counted, ${formatInteger(lines)} a run; medians of ${runs} runs, alternating.`,
      `The baseline, rsyslog ${version ?? '(not installed)'}, relays them (imptcp, omfwd) through a queue in memory and stores nothing;`,
      'tailrace commits every line to its store before it goes out.',
    ].join('\n'),
    columns: ['', 'lines/s', '× rsyslog', 'lines a CPU second', '× rsyslog', 'peak memory'],
    rows: [...results.keys()].map((name) => [
      name,
      formatInteger(middle(name, byRate)),
      ratio(name, byRate),
      formatInteger(middle(name, byCpu)),
      ratio(name, byCpu),
      formatMegabytes(middle(name, (run) => run.peakBytes)),
    ]),
  };
}

await runIfMain(import.meta.url, measure);
