/**
 * A dyno that writes lines as fast as it can under `tailrace start`: how many are stored a second, and are they
 * all there?
 *
 *   node dist/bench/apps/dyno-output.js [--lines 2000000] [--runs 3]
 */
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import {
  type BenchServer,
  connectToServer,
  serverEnvironment,
  waitForServerAddress,
} from '../rig/bench-server.ts';
import { cpuSeconds, peakResidentBytes } from '../rig/proc.ts';
import { makeFolder, ROOT, removeFolder, start, stop, TAILRACE } from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';

/** How often the API is asked for the number of accepted lines. */
const LOOK_MS = 20;
/** When no new line comes for this long, the rest is lost. */
const SILENCE_MS = 15_000;
/** What is still done for the lines after the last was accepted counts too. */
const AFTERMATH_MS = 500;
const APP = 'flooding';

interface Run {
  readonly linesPerS: number;
  readonly cpuMicros: number;
  readonly peakBytes: number;
  /** Lines that are missing in the stream, or out of order. */
  readonly missing: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs } = parseFlags(args, { lines: 2_000_000, runs: 3 });
  const results: Run[] = [];
  for (let round = 1; round <= runs; round++) {
    const run = await runOnce(lines);
    results.push(run);
    logProgress(
      `runner, run ${round}: ${formatInteger(run.linesPerS)} lines/s, ${formatDecimal(run.cpuMicros)} µs of CPU a line, ${run.missing} missing`,
    );
  }
  const middle = (of: (run: Run) => number): number => median(results.map(of));
  return {
    title: "A dyno's stdout → store",
    note: [
      `One dyno under \`tailrace start\` writes ${formatInteger(lines)} lines of 80 bytes as fast as its pipe takes them; medians of ${runs} runs.`,
      'The CPU is that of the tailrace process: runner, router, store, and the printing of all lines to its stdout (/dev/null).',
      'Missing: numbers that are not in the stream, read back afterwards.',
    ].join('\n'),
    columns: ['lines/s stored', 'CPU µs a line', 'lines a CPU second', 'peak memory', 'missing'],
    rows: [
      [
        formatInteger(middle((run) => run.linesPerS)),
        formatDecimal(middle((run) => run.cpuMicros)),
        formatInteger(1e6 / middle((run) => run.cpuMicros)),
        formatMegabytes(middle((run) => run.peakBytes)),
        formatInteger(Math.max(...results.map((run) => run.missing))),
      ],
    ],
  };
}

async function runOnce(lines: number): Promise<Run> {
  const folder = makeFolder('runner');
  const data = join(folder, '.tailrace');
  const program = join(ROOT, 'dist', 'bench', 'programs', 'flooding-dyno.js');
  writeFileSync(join(folder, 'Procfile'), `flooding: exec "${process.execPath}" "${program}" ${lines}\n`);
  const child = start(TAILRACE, ['start', '--app', APP], {
    cwd: folder,
    // Nothing may be trimmed: all lines are read back.
    env: {
      ...serverEnvironment(data),
      TAILRACE_STREAM_BYTES: '4GB',
      TAILRACE_STREAM_LINES: String(lines * 2),
    },
    stdio: ['ignore', openSync('/dev/null', 'w'), 'inherit'],
  });
  try {
    await waitForServerAddress(data, child);
    const server = connectToServer(child, data, 0, async () => {});
    const cpuBefore = cpuSeconds(server.pid);
    const seconds = await waitForLines(server, lines);
    await sleep(AFTERMATH_MS);
    const cpu = cpuSeconds(server.pid) - cpuBefore;
    const peak = peakResidentBytes(server.pid);
    const missing = lines - (await countStored(server));
    return { linesPerS: lines / seconds, cpuMicros: (cpu / lines) * 1e6, peakBytes: peak, missing };
  } finally {
    await stop(child);
    removeFolder(folder);
  }
}

/** Seconds from the dyno's first line to its last. */
async function waitForLines(server: BenchServer, lines: number): Promise<number> {
  interface Status {
    readonly sources: readonly { readonly protocol: string; readonly lines: number }[];
  }
  let taken = 0;
  let changedMs = performance.now();
  let firstMs: number | undefined;
  for (;;) {
    const { sources } = await server.request<Status>('GET', '/status');
    const now = sources.find(({ protocol }) => protocol === 'http')?.lines ?? 0;
    const nowMs = performance.now();
    if (now !== taken) changedMs = nowMs;
    taken = now;
    // The first lines are the platform's ("Starting process …").
    if (taken > 10) firstMs ??= nowMs - LOOK_MS;
    if (firstMs !== undefined && taken >= lines) return (nowMs - firstMs) / 1_000;
    if (nowMs - changedMs > SILENCE_MS) {
      logProgress(`only ${formatInteger(taken)} lines were taken, then none for ${SILENCE_MS / 1_000} s`);
      return (changedMs - (firstMs ?? 0)) / 1_000;
    }
    await sleep(LOOK_MS);
  }
}

/** Reads the whole stream and counts the dyno's lines that come in the order of their numbers. */
function countStored({ url, key }: BenchServer): Promise<number> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let stored = 0;
    const address = `${url.replace(/^http/, 'ws')}/apps/${APP}/tail?after=0&tail=false&source=app&format=text`;
    const socket = new WebSocket(address, {
      headers: { authorization: `Bearer ${key}` },
      perMessageDeflate: false,
    });
    socket.on('message', (message: Buffer) => {
      const { lines } = JSON.parse(message.toString('utf8')) as { lines: string[] };
      for (const line of lines) {
        const number = Number(/: flooding (\d+) /.exec(line)?.[1]);
        if (number < next || Number.isNaN(number)) continue;
        stored++;
        next = number + 1;
      }
    });
    socket.on('close', () => resolve(stored));
    socket.on('error', reject);
  });
}

await runIfMain(import.meta.url, measure);
