/**
 * A dyno that writes 100 lines a second, and a tail that reads them: how old are its lines there, alone and beside a dyno of the
 * same app that writes as fast as its pipe takes it?
 *
 *   node dist/bench/apps/noisy-neighbor-dyno.js [--seconds 10] [--runs 3]
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
import { cpuSeconds } from '../rig/proc.ts';
import { makeFolder, ROOT, removeFolder, start, stop, TAILRACE } from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  quantile,
  runIfMain,
  type Table,
} from '../rig/report.ts';

const APP = 'neighbors';
/** More than it can write in any measurement. */
const FLOOD_LINES = 900_000_000;
const WARM_UP_MS = 2_000;

interface Run {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** The steady dyno's lines that the tail got, and the stored lines of all dynos. */
  readonly steadyPerS: number;
  readonly linesPerS: number;
  readonly cores: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { seconds, runs } = parseFlags(args, { seconds: 10, runs: 3 });
  const rows: string[][] = [];
  for (const [name, flooding] of [
    ['alone', 0],
    ['beside a flooding dyno', 1],
    ['beside two', 2],
  ] as const) {
    const results: Run[] = [];
    for (let round = 1; round <= runs; round++) {
      const run = await runOnce(flooding, seconds);
      results.push(run);
      logProgress(
        `steady dyno ${name}, run ${round}: p50 ${formatDecimal(run.p50Ms)} ms, p99 ${formatDecimal(run.p99Ms)} ms, longest ${formatDecimal(run.longestMs)} ms, ${formatInteger(run.steadyPerS)} lines/s of its own, ${formatInteger(run.linesPerS)} of all`,
      );
    }
    const middle = (of: (run: Run) => number): number => median(results.map(of));
    rows.push([
      name,
      formatDecimal(middle((run) => run.p50Ms)),
      formatDecimal(middle((run) => run.p99Ms)),
      formatDecimal(
        middle((run) => run.longestMs),
        1,
      ),
      formatInteger(middle((run) => run.steadyPerS)),
      formatInteger(middle((run) => run.linesPerS)),
      formatDecimal(middle((run) => run.cores)),
    ]);
  }
  return {
    title: 'What a flooding dyno costs the others',
    note: [
      'A dyno under `tailrace start` writes a line every 10 ms, with the time; a WebSocket tail of that dyno alone looks how old its lines are.',
      `Beside it: dynos of the same app that write lines of 80 bytes as fast as their pipes take them. Medians of ${runs} runs of ${seconds} s.`,
    ].join('\n'),
    columns: ['', 'p50 ms', 'p99 ms', 'longest ms', 'its lines/s', 'all lines/s', 'cores'],
    rows,
  };
}

async function runOnce(flooding: number, seconds: number): Promise<Run> {
  const folder = makeFolder('neighbors');
  const data = join(folder, '.tailrace');
  const program = (name: string): string =>
    `exec "${process.execPath}" "${join(ROOT, 'dist', 'bench', 'programs', name)}"`;
  writeFileSync(
    join(folder, 'Procfile'),
    `steady: ${program('steady-dyno.js')}\nflooding: ${program('flooding-dyno.js')} ${FLOOD_LINES}\n`,
  );
  const child = start(TAILRACE, ['start', '--app', APP, '--formation', `steady=1,flooding=${flooding}`], {
    cwd: folder,
    env: serverEnvironment(data),
    stdio: ['ignore', openSync('/dev/null', 'w'), 'inherit'],
  });
  try {
    await waitForServerAddress(data, child);
    const server = connectToServer(child, data, 0, async () => {});
    await waitForApp(server);
    const ages = new LineAges(server);
    await ages.first;
    await sleep(WARM_UP_MS);
    ages.takeSorted();
    const [linesBefore, cpuBefore, startedMs] = [
      await linesReceived(server),
      cpuSeconds(server.pid),
      performance.now(),
    ];
    await sleep(seconds * 1_000);
    const tookS = (performance.now() - startedMs) / 1_000;
    const sorted = ages.takeSorted();
    const cores = (cpuSeconds(server.pid) - cpuBefore) / tookS;
    const linesPerS = ((await linesReceived(server)) - linesBefore) / tookS;
    ages.close();
    return {
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
      longestMs: sorted[sorted.length - 1],
      steadyPerS: sorted.length / tookS,
      linesPerS,
      cores,
    };
  } finally {
    await stop(child);
    removeFolder(folder);
  }
}

/** Tails the steady dyno, and notes how old its lines are, in milliseconds. */
class LineAges {
  readonly first: Promise<void>;
  private ms: number[] = [];
  private readonly socket: WebSocket;

  constructor({ url, key }: BenchServer) {
    const address = `${url.replace(/^http/, 'ws')}/apps/${APP}/tail?lines=0&dyno=steady.1&source=app&format=text`;
    this.socket = new WebSocket(address, {
      headers: { authorization: `Bearer ${key}` },
      perMessageDeflate: false,
    });
    this.first = new Promise((resolve, reject) => {
      this.socket.on('error', reject);
      this.socket.on('message', (message: Buffer) => {
        const now = process.hrtime.bigint();
        const { lines = [] } = JSON.parse(message.toString('utf8')) as { lines?: string[] };
        for (const line of lines) {
          const written = /: steady (\d+)$/.exec(line)?.[1];
          if (written === undefined) continue;
          this.ms.push(Number(now - BigInt(written)) / 1e6);
          resolve();
        }
      });
    });
  }

  /** The ages since the last call, sorted. */
  takeSorted(): number[] {
    return this.ms.splice(0).sort((a, b) => a - b);
  }

  close(): void {
    this.socket.close();
  }
}

/** The server listens before the app is made. */
async function waitForApp(server: BenchServer): Promise<void> {
  while (
    await server.request('GET', `/apps/${APP}`).then(
      () => false,
      () => true,
    )
  )
    await sleep(20);
}

async function linesReceived(server: BenchServer): Promise<number> {
  interface Status {
    readonly sources: readonly { readonly protocol: string; readonly lines: number }[];
  }
  const { sources } = await server.request<Status>('GET', '/status');
  return sources.find(({ protocol }) => protocol === 'http')?.lines ?? 0;
}

await runIfMain(import.meta.url, measure);
