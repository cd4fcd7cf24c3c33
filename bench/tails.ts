/**
 * How many lines a second reach 1, 100 and 1,000 WebSocket tails of one app, beside a bare `ws` server that sends the same
 * bytes on to as many clients.
 *
 *   node dist/bench/tails.js [--runs 3] [--tails 1,100,1000] [--deliveries 20000000] [--only tailrace|bare]
 */
import type { CrowdOrder, CrowdResult } from './programs/tail-crowd.ts';
import { cpuSeconds, peakBytes } from './rig/proc.ts';
import {
  decimal,
  median,
  megabytes,
  progress,
  readFlags,
  readList,
  runAlone,
  type Table,
  whole,
} from './rig/report.ts';
import { ask, hear, startHelper, stop } from './rig/scratch.ts';
import { serve } from './rig/tailrace.ts';

const TAILS = [1, 100, 1_000];
/** Lines of a run, at the most: what a stream holds for certain. */
const LINES_MAX = 1_000_000;
/** Of a run's lines, sent before it: what is measured is compiled code, as a server has it after its first second. */
const WARM_UP = 0.2;
const TIMEOUT_MS = 180_000;
/** As long as a token, so that the bare server's lines are as long. */
const NO_TOKEN = `t.${'x'.repeat(36)}`;

interface Run extends CrowdResult {
  readonly cpuS: number;
  readonly peakBytes: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = readFlags(args, { runs: 3, deliveries: 20_000_000 }, ['tails', 'only']);
  const rows: string[][] = [];
  for (const tails of readList(flags.tails, TAILS)) {
    const lines = Math.min(LINES_MAX, Math.ceil(flags.deliveries / tails));
    const ours: Run[] = [];
    const bare: Run[] = [];
    for (let round = 1; round <= flags.runs; round++) {
      for (const [name, once, runs] of [
        ['bare', runBare, bare],
        ['tailrace', runTailrace, ours],
      ] as const) {
        if (flags.only && flags.only !== name) continue;
        const run = await once(tails, lines);
        runs.push(run);
        progress(
          `${name}, ${tails} tails, run ${round}: ${whole((tails * lines) / run.seconds)} deliveries/s, ${whole(run.frames / tails)} messages each`,
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
  const server = await serve();
  try {
    const { key, syslogPort: tcpPort, pid } = server;
    const httpPort = Number(new URL(server.url).port);
    const once = async (app: string, count: number): Promise<Run> => {
      const token = await server.createApp(app);
      const path = `/apps/${app}/tail?lines=0`;
      return crowd(pid, { httpPort, tcpPort, path, key, token, tails, lines: count });
    };
    await once('warm-up', Math.ceil(lines * WARM_UP));
    return await once('bench', lines);
  } finally {
    await server.stop();
  }
}

async function runBare(tails: number, lines: number): Promise<Run> {
  const server = startHelper('bare-broadcast');
  try {
    const { httpPort, tcpPort } = await hear(
      server,
      (message) => message as { httpPort: number; tcpPort: number },
      10_000,
    );
    const once = (count: number): Promise<Run> =>
      crowd(server.pid!, { httpPort, tcpPort, path: '/', key: '', token: NO_TOKEN, tails, lines: count });
    await once(Math.ceil(lines * WARM_UP));
    return await once(lines);
  } finally {
    await stop(server);
  }
}

async function crowd(pid: number, order: CrowdOrder): Promise<Run> {
  const helper = startHelper('tail-crowd');
  try {
    await hear(helper, (message) => (message as { ready?: boolean }).ready, 10_000);
    const before = cpuSeconds(pid);
    const result = await ask<CrowdResult>(helper, order, TIMEOUT_MS);
    return { ...result, cpuS: cpuSeconds(pid) - before, peakBytes: peakBytes(pid) };
  } finally {
    await stop(helper);
  }
}

function row(tails: number, lines: number, ours: readonly Run[], bare: readonly Run[]): string[] {
  const middle = (runs: readonly Run[], of: (run: Run) => number): number => median(runs.map(of));
  const rate = (runs: readonly Run[]): number => middle(runs, ({ seconds }) => (tails * lines) / seconds);
  const perCpu = (runs: readonly Run[]): number => middle(runs, ({ cpuS }) => (tails * lines) / cpuS);
  return [
    whole(tails),
    whole(lines),
    whole(rate(ours)),
    whole(rate(bare)),
    decimal(rate(ours) / rate(bare)),
    whole(perCpu(ours)),
    whole(perCpu(bare)),
    megabytes(middle(ours, (run) => run.peakBytes)),
  ];
}

await runAlone(import.meta.url, measure);
