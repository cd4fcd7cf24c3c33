/**
 * How old a line is when a WebSocket tail or a drain gets it: syslog TCP and HTTP in, at steady rates.
 *
 *   node dist/bench/tail-latency.js [--seconds 5] [--runs 3] [--rates 1000,20000] [--only syslog|http] [--out tail|syslog|http]
 */

import type { Egress } from './programs/egress-receivers.ts';
import type { TailLatencyJob, TailLatencyResult } from './programs/tail-latency-load.ts';
import { startServer } from './rig/bench-server.ts';
import { cpuSeconds } from './rig/proc.ts';
import { runJob, startBenchProgram, stop, waitForMessage } from './rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  parseNumberList,
  runIfMain,
  type Table,
} from './rig/report.ts';

const RATES = [1_000, 20_000, 100_000];
const PROTOCOLS = ['syslog', 'http'] as const;
/** Drains with the protocol that most lines come by. */
const ROUTES: readonly { readonly protocol: (typeof PROTOCOLS)[number]; readonly out: Egress }[] = [
  ...PROTOCOLS.map((protocol) => ({ protocol, out: 'tail' as const })),
  { protocol: 'syslog', out: 'syslog' },
  { protocol: 'syslog', out: 'http' },
];
const EGRESS_LABELS: Record<Egress, string> = { tail: 'tail', syslog: 'syslog drain', http: 'HTTP drain' };

interface Run extends TailLatencyResult {
  /** Of the router, of one core. */
  readonly cpuShare: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { seconds: 5, runs: 3 }, ['rates', 'only', 'out']);
  const { seconds, runs, rates } = flags;
  const rows: string[][] = [];
  const wanted = ROUTES.filter(
    ({ protocol, out }) => (!flags.only || protocol === flags.only) && (!flags.out || out === flags.out),
  );
  for (const { protocol, out } of wanted) {
    for (const linesPerS of parseNumberList(rates, RATES)) {
      const results: Run[] = [];
      for (let round = 1; round <= runs; round++) {
        const run = await runOnce({ protocol, out }, linesPerS, seconds + 1);
        results.push(run);
        logProgress(
          `${formatInteger(linesPerS)} lines/s by ${protocol} to a ${EGRESS_LABELS[out]}, run ${round}: p50 ${formatDecimal(run.p50Ms, 1)} ms, p99 ${formatDecimal(run.p99Ms, 1)} ms, ${formatInteger(run.sent - run.received)} missing`,
        );
      }
      rows.push(row([protocol, EGRESS_LABELS[out]], linesPerS, results));
    }
  }
  return {
    title: 'Line in → line out',
    note: [
      'One source, and one WebSocket tail (text) or one drain, in one process with one clock; lines of 140 bytes, written every 2 ms.',
      `Milliseconds from the write to the line in the reader's hands, medians of ${runs} runs of ${seconds} s after a second of warm-up.`,
    ].join('\n'),
    columns: [
      'in by',
      'out to',
      'lines/s',
      'p50 ms',
      'p99 ms',
      'p99.9 ms',
      'longest ms',
      'missing',
      'CPU of a core',
    ],
    rows,
  };
}

async function runOnce(way: (typeof ROUTES)[number], linesPerS: number, seconds: number): Promise<Run> {
  const server = await startServer();
  const load = startBenchProgram('tail-latency-load');
  try {
    await waitForMessage(load, (message) => (message as { ready?: boolean }).ready, 10_000);
    const token = await server.createApp('bench');
    const { url, key, syslogPort } = server;
    const cpuBefore = cpuSeconds(server.pid);
    const startedMs = performance.now();
    const job: TailLatencyJob = { ...way, url, key, app: 'bench', token, syslogPort, linesPerS, seconds };
    const result = await runJob<TailLatencyResult>(load, job, (seconds + 30) * 1_000);
    const tookS = (performance.now() - startedMs) / 1_000;
    return { ...result, cpuShare: (cpuSeconds(server.pid) - cpuBefore) / tookS };
  } finally {
    await stop(load);
    await server.stop();
  }
}

function row(way: readonly string[], linesPerS: number, runs: readonly Run[]): string[] {
  const middle = (of: (run: Run) => number): number => median(runs.map(of));
  return [
    ...way,
    formatInteger(linesPerS),
    formatDecimal(middle(({ p50Ms }) => p50Ms)),
    formatDecimal(middle(({ p99Ms }) => p99Ms)),
    formatDecimal(middle(({ p999Ms }) => p999Ms)),
    formatDecimal(
      middle(({ maxMs }) => maxMs),
      1,
    ),
    formatInteger(middle(({ sent, received }) => sent - received)),
    `${formatDecimal(middle(({ cpuShare }) => cpuShare) * 100, 0)} %`,
  ];
}

await runIfMain(import.meta.url, measure);
