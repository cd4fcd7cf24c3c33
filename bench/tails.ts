/**
 * How many lines a second reach 1, 100 and 1,000 WebSocket tails of one app, beside a bare `ws` server that sends the same
 * bytes on to as many clients.
 *
 *   node dist/bench/tails.js [--runs 3] [--tails 1,100,1000] [--deliveries 20000000] [--only tailrace|bare]
 */
import type { ManyTailsJob, ManyTailsResult } from './programs/many-tails.ts';
import { startServer } from './rig/bench-server.ts';
import { cpuSeconds, peakResidentBytes } from './rig/proc.ts';
import { runJob, startBenchProgram, stop, waitForMessage } from './rig/processes.ts';
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
} from './rig/report.ts';

const TAILS = [1, 100, 1_000];
/** Lines of a run, at the most: what a stream holds for certain. */
const LINES_MAX = 1_000_000;
/** Of a run's lines, sent before it: what is measured is compiled code, as a server has it after its first second. */
const WARM_UP = 0.2;
const TIMEOUT_MS = 180_000;
/** As long as a token, so that the bare server's lines are as long. */
const NO_TOKEN = `t.${'x'.repeat(36)}`;

interface Run extends ManyTailsResult {
  readonly cpuS: number;
  readonly peakBytes: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { runs: 3, deliveries: 20_000_000 }, ['tails', 'only']);
  const rows: string[][] = [];
  for (const tails of parseNumberList(flags.tails, TAILS)) {
    const lines = Math.min(LINES_MAX, Math.ceil(flags.deliveries / tails));
    const ours: Run[] = [];
    const bare: Run[] = [];
    for (let round = 1; round <= flags.runs; round++) {
      for (const [name, once, runs] of [
        ['bare', runBaseline, bare],
        ['tailrace', runTailrace, ours],
      ] as const) {
        if (flags.only && flags.only !== name) continue;
        const run = await once(tails, lines);
        runs.push(run);
        logProgress(
          `${name}, ${tails} tails, run ${round}: ${formatInteger((tails * lines) / run.seconds)} deliveries/s, ${formatInteger(run.frames / tails)} messages each`,
        );
      }
    }
    rows.push(row(tails, lines, ours, bare));
  }
  return {
    title: 'One busy app → many WebSocket tails',
    note: [
      'Lines of 140 bytes by syslog TCP as fast as they are taken, to tails (text) that all get every line; a delivery is one line at one tail.',
      `The bare server sends each chunk that it reads on with ws, unlooked at and unstored. Medians of ${flags.runs} alternating runs, each after a\nfifth of its lines to warm up.`,
    ].join('\n'),
    columns: ['tails', 'lines', 'deliveries/s', 'bare ws', '× bare', 'deliveries/CPU s', 'bare ws', 'memory'],
    rows,
  };
}

async function runTailrace(tails: number, lines: number): Promise<Run> {
  const server = await startServer();
  try {
    const { key, syslogPort: tcpPort, pid } = server;
    const httpPort = Number(new URL(server.url).port);
    const once = async (app: string, count: number): Promise<Run> => {
      const token = await server.createApp(app);
      const path = `/apps/${app}/tail?lines=0`;
      return runManyTails(pid, { httpPort, tcpPort, path, key, token, tails, lines: count });
    };
    await once('warm-up', Math.ceil(lines * WARM_UP));
    return await once('bench', lines);
  } finally {
    await server.stop();
  }
}

async function runBaseline(tails: number, lines: number): Promise<Run> {
  const server = startBenchProgram('baseline-broadcast');
  try {
    const { httpPort, tcpPort } = await waitForMessage(
      server,
      (message) => message as { httpPort: number; tcpPort: number },
      10_000,
    );
    const once = (count: number): Promise<Run> =>
      runManyTails(server.pid!, {
        httpPort,
        tcpPort,
        path: '/',
        key: '',
        token: NO_TOKEN,
        tails,
        lines: count,
      });
    await once(Math.ceil(lines * WARM_UP));
    return await once(lines);
  } finally {
    await stop(server);
  }
}

async function runManyTails(pid: number, job: ManyTailsJob): Promise<Run> {
  const helper = startBenchProgram('many-tails');
  try {
    await waitForMessage(helper, (message) => (message as { ready?: boolean }).ready, 10_000);
    const before = cpuSeconds(pid);
    const result = await runJob<ManyTailsResult>(helper, job, TIMEOUT_MS);
    return { ...result, cpuS: cpuSeconds(pid) - before, peakBytes: peakResidentBytes(pid) };
  } finally {
    await stop(helper);
  }
}

function row(tails: number, lines: number, ours: readonly Run[], bare: readonly Run[]): string[] {
  const middle = (runs: readonly Run[], of: (run: Run) => number): number => median(runs.map(of));
  const rate = (runs: readonly Run[]): number => middle(runs, ({ seconds }) => (tails * lines) / seconds);
  const perCpu = (runs: readonly Run[]): number => middle(runs, ({ cpuS }) => (tails * lines) / cpuS);
  return [
    formatInteger(tails),
    formatInteger(lines),
    formatInteger(rate(ours)),
    formatInteger(rate(bare)),
    formatDecimal(rate(ours) / rate(bare)),
    formatInteger(perCpu(ours)),
    formatInteger(perCpu(bare)),
    formatMegabytes(middle(ours, (run) => run.peakBytes)),
  ];
}

await runIfMain(import.meta.url, measure);
