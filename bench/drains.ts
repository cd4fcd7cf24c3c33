/**
 * Lines out of the router: syslog TCP in, embedded store, and 1, 100 and 1,000 drains, twenty an app.
 *
 *   node dist/bench/drains.js [--drains 1,100,1000] [--deliveries 2000000] [--runs 3] [--only syslog|http]
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SinkResult } from './programs/drain-sinks.ts';
import { type BenchServer, startServer } from './rig/bench-server.ts';
import { DIGITS, syslogLine, writeNumber } from './rig/lines.ts';
import { cpuSeconds, peakResidentBytes, residentBytes } from './rig/proc.ts';
import { runJob, startBenchProgram, stop, waitForMessage } from './rig/processes.ts';
import {
  formatInteger,
  formatMegabytes,
  logProgress,
  median,
  parseFlags,
  parseNumberList,
  runIfMain,
  type Table,
} from './rig/report.ts';

const DRAINS_PER_APP = 20;
const RUN_MS = 300_000;
/** Cursors and syncs after the last line count too. */
const AFTERMATH_MS = 500;
const SCHEMES = ['syslog', 'http'] as const;
type Scheme = (typeof SCHEMES)[number];

interface Run {
  readonly deliveriesPerS: number;
  readonly deliveriesPerCpuS: number;
  readonly peakBytes: number;
  /** Memory that the drains took before a line came. */
  readonly idleBytes: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { deliveries: 2_000_000, runs: 3 }, ['drains', 'only']);
  const counts = parseNumberList(flags.drains, [1, 100, 1_000]);
  const schemes = SCHEMES.filter((scheme) => !flags.only || scheme === flags.only);
  const rows: string[][] = [];
  for (const scheme of schemes)
    for (const drains of counts) {
      const runs: Run[] = [];
      for (let round = 1; round <= flags.runs; round++) {
        const run = await runOnce(scheme, drains, flags.deliveries);
        runs.push(run);
        logProgress(
          `${drains} ${scheme} drains, run ${round}: ${formatInteger(run.deliveriesPerS)} deliveries/s`,
        );
      }
      const middle = (of: (run: Run) => number): number => median(runs.map(of));
      rows.push([
        `${formatInteger(drains)} × ${scheme}`,
        formatInteger(middle((run) => run.deliveriesPerS)),
        formatInteger(middle((run) => run.deliveriesPerCpuS)),
        formatMegabytes(middle((run) => run.peakBytes)),
        formatMegabytes(middle((run) => run.idleBytes)),
      ]);
    }
  return {
    title: 'one line, many drains',
    note: [
      `Lines of 140 bytes over syslog TCP, ${formatInteger(flags.deliveries)} deliveries a run; medians of ${flags.runs} runs.`,
      'A delivery is one line accepted by one drain; an app has twenty drains at the most. All receivers are in one other process.',
    ].join('\n'),
    columns: ['', 'deliveries/s', 'deliveries a CPU second', 'peak memory', 'for idle drains'],
    rows,
  };
}

async function runOnce(scheme: Scheme, drains: number, deliveries: number): Promise<Run> {
  const sinks = startBenchProgram('drain-sinks');
  const ports = await waitForMessage(
    sinks,
    (message) => (message as { ports?: Record<Scheme, number> }).ports,
    10_000,
  );
  const server = await startServer();
  try {
    const before = residentBytes(server.pid);
    const tokens = await makeDrains(server, drains, (i) => `${scheme}://127.0.0.1:${ports[scheme]}/${i}`);
    await sleep(AFTERMATH_MS);
    const idleBytes = Math.max(0, residentBytes(server.pid) - before);
    const lines = Math.max(1, Math.round(deliveries / drains));
    const warmUp = Math.max(1, Math.round(lines / 10));
    await sendThrough(server, sinks, tokens, warmUp, warmUp * drains);
    const cpuBefore = cpuSeconds(server.pid);
    const beganMs = performance.timeOrigin + performance.now();
    const { atMs } = await sendThrough(server, sinks, tokens, lines, lines * drains);
    await sleep(AFTERMATH_MS);
    return {
      deliveriesPerS: (lines * drains) / ((atMs - beganMs) / 1_000),
      deliveriesPerCpuS: (lines * drains) / (cpuSeconds(server.pid) - cpuBefore),
      peakBytes: peakResidentBytes(server.pid),
      idleBytes,
    };
  } finally {
    await server.stop();
    await stop(sinks);
  }
}

/** Creates drains, and the apps that they need; returns the apps' tokens. */
async function makeDrains(
  server: BenchServer,
  drains: number,
  url: (i: number) => string,
): Promise<string[]> {
  const tokens: string[] = [];
  for (let i = 0; i < drains; i++) {
    const app = `bench-${Math.floor(i / DRAINS_PER_APP)}`;
    if (i % DRAINS_PER_APP === 0) tokens.push(await server.createApp(app));
    await server.addDrain(app, url(i));
  }
  return tokens;
}

/** Writes so many lines to every app, and waits until so many were delivered. */
async function sendThrough(
  server: BenchServer,
  sinks: Parameters<typeof runJob>[0],
  tokens: readonly string[],
  lines: number,
  deliveries: number,
): Promise<SinkResult> {
  const all = runJob<SinkResult>(sinks, { lines: deliveries }, RUN_MS);
  await Promise.all(tokens.map((token) => write(server.syslogPort, token, lines)));
  return all;
}

async function write(port: number, token: string, lines: number): Promise<void> {
  const line = syslogLine(token);
  const frame = Buffer.concat([Buffer.from(`${line.length} `), line]);
  const at = frame.indexOf('0'.repeat(DIGITS));
  const socket = connect(port, '127.0.0.1');
  for (let sent = 0; sent < lines; ) {
    const count = Math.min(4_096, lines - sent);
    const buffer = Buffer.alloc(frame.length * count, frame);
    for (let k = 0; k < count; k++) writeNumber(sent + k, buffer, k * frame.length + at);
    await new Promise<void>((resolve, reject) => {
      socket.write(buffer, (error) => (error ? reject(error) : resolve()));
    });
    sent += count;
  }
  socket.end();
}

await runIfMain(import.meta.url, measure);
