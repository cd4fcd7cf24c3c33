/**
 * `POST /logs` under autocannon, with 1, 10, 100 and 500 lines a request, beside a bare Fastify server that reads and
 * discards the same bodies. tailrace answers when the lines are stored.
 *
 *   node dist/bench/http-logs.js [--seconds 4] [--runs 3] [--connections 10] [--lines 1,100] [--only tailrace|bare]
 */
import type { ChildProcess } from 'node:child_process';
import type { HttpOrder, HttpResult } from './programs/http-load.ts';
import { cpuSeconds } from './rig/proc.ts';
import { decimal, median, progress, readFlags, runAlone, type Table, whole } from './rig/report.ts';
import { ask, hear, startHelper, stop } from './rig/scratch.ts';
import { serve } from './rig/tailrace.ts';

const SIZES = [1, 10, 100, 500];
const WARM_UP_S = 2;

interface Target {
  readonly name: 'tailrace' | 'bare';
  readonly url: string;
  readonly pid: number;
  readonly token: string;
}

interface Run {
  readonly requestsPerS: number;
  readonly cpuMicros: number;
  readonly p99Ms: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = readFlags(args, { seconds: 4, runs: 3, connections: 10 }, ['lines', 'only']);
  const { seconds, runs, connections, only } = flags;
  const sizes = flags.lines?.split(',').map(Number) ?? SIZES;
  const load = startHelper('http-load');
  await hear(load, (message) => (message as { ready?: boolean }).ready, 10_000);
  const server = await serve();
  const bare = startHelper('bare-server');
  const bareUrl = await hear(bare, (message) => (message as { url?: string }).url, 10_000);
  const token = await server.createApp('bench');
  const all: Target[] = [
    { name: 'tailrace', url: server.url, pid: server.pid, token },
    { name: 'bare', url: bareUrl, pid: bare.pid!, token },
  ];
  const targets = all.filter(({ name }) => !only || name === only);
  const results = new Map<string, Run[]>();
  try {
    for (const target of targets) await once(load, target, 100, connections, WARM_UP_S);
    for (const size of sizes) {
      for (let round = 1; round <= runs; round++) {
        for (const target of targets) {
          const run = await once(load, target, size, connections, seconds);
          const key = `${target.name} ${size}`;
          results.set(key, [...(results.get(key) ?? []), run]);
          progress(
            `POST /logs, ${size} lines, ${target.name}, run ${round}: ${whole(run.requestsPerS)} requests/s, ${decimal(run.cpuMicros, 0)} µs of CPU each`,
          );
        }
      }
    }
  } finally {
    await stop(load);
    await stop(bare);
    await server.stop();
  }
  return table(results, sizes, runs, connections);
}

async function once(
  load: ChildProcess,
  { name, url, pid, token }: Target,
  linesARequest: number,
  connections: number,
  seconds: number,
): Promise<Run> {
  const cpuBefore = cpuSeconds(pid);
  const order: HttpOrder = { url, token, linesARequest, connections, seconds };
  const result = await ask<HttpResult>(load, order, (seconds + 30) * 1_000);
  const cpu = cpuSeconds(pid) - cpuBefore;
  if (result.failures > 0)
    throw new Error(`${name}: ${result.failures} of ${result.requests} requests failed`);
  return {
    requestsPerS: result.requests / result.seconds,
    cpuMicros: (cpu / result.requests) * 1e6,
    p99Ms: result.p99Ms,
  };
}

function table(
  results: ReadonlyMap<string, readonly Run[]>,
  sizes: readonly number[],
  runs: number,
  connections: number,
): Table {
  const middle = (name: string, size: number, of: (run: Run) => number): number => {
    const all = results.get(`${name} ${size}`);
    return all ? median(all.map(of)) : Number.NaN;
  };
  return {
    title: 'POST /logs',
    note: [
      `autocannon, ${connections} connections, lines of 140 bytes; medians of ${runs} runs, alternating.`,
      'The baseline is a bare Fastify server that reads and discards the same bodies; tailrace answers when the lines are stored.',
    ].join('\n'),
    columns: [
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
    rows: sizes.map((size) => {
      const rate = middle('tailrace', size, (run) => run.requestsPerS);
      const bareRate = middle('bare', size, (run) => run.requestsPerS);
      const cpu = middle('tailrace', size, (run) => run.cpuMicros);
      const bareCpu = middle('bare', size, (run) => run.cpuMicros);
      const p99Ms = middle('tailrace', size, (run) => run.p99Ms);
      return [
        String(size),
        whole(rate),
        whole(bareRate),
        decimal(rate / bareRate),
        whole(rate * size),
        decimal(p99Ms, 0),
        decimal(cpu, 0),
        decimal(bareCpu, 0),
        decimal(cpu / bareCpu),
      ];
    }),
  };
}

await runAlone(import.meta.url, measure);
