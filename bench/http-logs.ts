/**
 * `POST /logs` under autocannon, with 1, 10, 100 and 500 lines a request, beside a bare Fastify server that reads and
 * discards the same bodies. tailrace responds when the lines are stored.
 *
 *   node dist/bench/http-logs.js [--seconds 3] [--runs 3] [--connections 10,100] [--lines 1,100] [--only tailrace|bare]
 */
import type { ChildProcess } from 'node:child_process';
import type { HttpLoadJob, HttpLoadResult } from './programs/http-load.ts';
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

const SIZES = [1, 10, 100, 500];
const CONNECTIONS = [10, 100];
const WARM_UP_S = 4;

interface Target {
  readonly name: 'tailrace' | 'bare';
  readonly url: string;
  readonly pid: number;
  readonly token: string;
}

/** One load. */
interface Load {
  readonly connections: number;
  readonly linesARequest: number;
}

interface Run {
  readonly requestsPerS: number;
  readonly cpuMicros: number;
  readonly p99Ms: number;
}

/** All runs under one load, by target. */
interface Row {
  readonly load: Load;
  readonly tailrace: Run[];
  readonly bare: Run[];
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { seconds: 3, runs: 3 }, ['connections', 'lines', 'only']);
  const { seconds, runs, only } = flags;
  const sizes = parseNumberList(flags.lines, SIZES);
  const loads = parseNumberList(flags.connections, CONNECTIONS).flatMap((connections) =>
    sizes.map((linesARequest) => ({ connections, linesARequest })),
  );
  const generator = startBenchProgram('http-load');
  await waitForMessage(generator, (message) => (message as { ready?: boolean }).ready, 10_000);
  const server = await startServer();
  const bare = startBenchProgram('baseline-http-server');
  const bareUrl = await waitForMessage(bare, (message) => (message as { url?: string }).url, 10_000);
  const token = await server.createApp('bench');
  const all: Target[] = [
    { name: 'tailrace', url: server.url, pid: server.pid, token },
    { name: 'bare', url: bareUrl, pid: bare.pid!, token },
  ];
  const targets = all.filter(({ name }) => !only || name === only);
  const rows: Row[] = [];
  try {
    for (const target of targets) await runOnce(generator, target, loads[0], WARM_UP_S);
    for (const load of loads) {
      const row: Row = { load, tailrace: [], bare: [] };
      rows.push(row);
      for (let round = 1; round <= runs; round++) {
        for (const target of targets) {
          const run = await runOnce(generator, target, load, seconds);
          row[target.name].push(run);
          logProgress(
            `POST /logs, ${load.connections} connections, ${load.linesARequest} lines, ${target.name}, run ${round}: ${formatInteger(run.requestsPerS)} requests/s, ${formatDecimal(run.cpuMicros, 0)} µs of CPU each`,
          );
        }
      }
    }
  } finally {
    await stop(generator);
    await stop(bare);
    await server.stop();
  }
  return table(rows, runs);
}

async function runOnce(
  generator: ChildProcess,
  { name, url, pid, token }: Target,
  load: Load,
  seconds: number,
): Promise<Run> {
  const cpuBefore = cpuSeconds(pid);
  const job: HttpLoadJob = { url, token, seconds, ...load };
  const result = await runJob<HttpLoadResult>(generator, job, (seconds + 30) * 1_000);
  const cpu = cpuSeconds(pid) - cpuBefore;
  if (result.failures > 0)
    throw new Error(`${name}: ${result.failures} of ${result.requests} requests failed`);
  return {
    requestsPerS: result.requests / result.seconds,
    cpuMicros: (cpu / result.requests) * 1e6,
    p99Ms: result.p99Ms,
  };
}

function table(rows: readonly Row[], runs: number): Table {
  const middle = (all: readonly Run[], of: (run: Run) => number): number => median(all.map(of));
  const byRate = (run: Run): number => run.requestsPerS;
  const byCpu = (run: Run): number => run.cpuMicros;
  return {
    title: 'POST /logs',
    note: [
      `autocannon, lines of 140 bytes; medians of ${runs} runs, alternating. The baseline is a bare Fastify server that reads`,
      'and discards the same bodies; tailrace responds when the lines are stored.',
    ].join('\n'),
    columns: [
      'connections',
      'lines a request',
      'requests/s',
      'bare',
      '× bare',
      'lines/s',
      'p99 ms',
      'CPU µs a request',
      'bare',
      '× bare',
    ],
    rows: rows.map(({ load, tailrace, bare }) => [
      String(load.connections),
      String(load.linesARequest),
      formatInteger(middle(tailrace, byRate)),
      formatInteger(middle(bare, byRate)),
      formatDecimal(middle(tailrace, byRate) / middle(bare, byRate)),
      formatInteger(middle(tailrace, byRate) * load.linesARequest),
      formatDecimal(
        middle(tailrace, (run) => run.p99Ms),
        0,
      ),
      formatDecimal(middle(tailrace, byCpu), 0),
      formatDecimal(middle(bare, byCpu), 0),
      formatDecimal(middle(tailrace, byCpu) / middle(bare, byCpu)),
    ]),
  };
}

await runIfMain(import.meta.url, measure);
