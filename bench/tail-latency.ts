/**
 * How old a line is when a WebSocket tail or a drain gets it: syslog TCP and HTTP in, at even rates.
 *
 *   node dist/bench/tail-latency.js [--seconds 5] [--runs 3] [--rates 1000,20000] [--only syslog|http] [--out tail|syslog|http]
 */
import type { TailOrder, TailResult } from './programs/tail-load.ts';
import type { WayOut } from './programs/ways-out.ts';
import { cpuSeconds } from './rig/proc.ts';
import { decimal, median, progress, readFlags, readList, runAlone, type Table, whole } from './rig/report.ts';
import { ask, hear, startHelper, stop } from './rig/scratch.ts';
import { serve } from './rig/tailrace.ts';

const RATES = [1_000, 20_000, 100_000];
const PROTOCOLS = ['syslog', 'http'] as const;
/** Drains by the way in that most lines take. */
const WAYS: readonly { readonly protocol: (typeof PROTOCOLS)[number]; readonly out: WayOut }[] = [
  ...PROTOCOLS.map((protocol) => ({ protocol, out: 'tail' as const })),
  { protocol: 'syslog', out: 'syslog' },
  { protocol: 'syslog', out: 'http' },
];
const OUTS: Record<WayOut, string> = { tail: 'tail', syslog: 'syslog drain', http: 'HTTP drain' };

interface Run extends TailResult {
  /** Of the router, of one core. */
  readonly cpuShare: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = readFlags(args, { seconds: 5, runs: 3 }, ['rates', 'only', 'out']);
  const { seconds, runs, rates } = flags;
  const rows: string[][] = [];
  const wanted = WAYS.filter(
    ({ protocol, out }) => (!flags.only || protocol === flags.only) && (!flags.out || out === flags.out),
  );
  for (const { protocol, out } of wanted) {
    for (const linesPerS of readList(rates, RATES)) {
      const results: Run[] = [];
      for (let round = 1; round <= runs; round++) {
        const run = await once({ protocol, out }, linesPerS, seconds + 1);
        results.push(run);
        progress(
          `${whole(linesPerS)} lines/s by ${protocol} to a ${OUTS[out]}, run ${round}: p50 ${decimal(run.p50Ms, 1)} ms, p99 ${decimal(run.p99Ms, 1)} ms, ${whole(run.sent - run.received)} missing`,
        );
      }
      rows.push(row([protocol, OUTS[out]], linesPerS, results));
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

async function once(way: (typeof WAYS)[number], linesPerS: number, seconds: number): Promise<Run> {
  const server = await serve();
  const load = startHelper('tail-load');
  try {
    await hear(load, (message) => (message as { ready?: boolean }).ready, 10_000);
    const token = await server.createApp('bench');
    const { url, key, syslogPort } = server;
    const cpuBefore = cpuSeconds(server.pid);
    const startedMs = performance.now();
    const order: TailOrder = { ...way, url, key, app: 'bench', token, syslogPort, linesPerS, seconds };
    const result = await ask<TailResult>(load, order, (seconds + 30) * 1_000);
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
    whole(linesPerS),
    decimal(middle(({ p50Ms }) => p50Ms)),
    decimal(middle(({ p99Ms }) => p99Ms)),
    decimal(middle(({ p999Ms }) => p999Ms)),
    decimal(
      middle(({ maxMs }) => maxMs),
      1,
    ),
    whole(middle(({ sent, received }) => sent - received)),
    `${decimal(middle(({ cpuShare }) => cpuShare) * 100, 0)} %`,
  ];
}

await runAlone(import.meta.url, measure);
