/**
 * From the start of `tailrace start` to the first line on its stdout, with an app of one shell command; and the memory of
 * a `tailrace serve` that has nothing to do.
 *
 *   node dist/bench/start-up.js [--runs 5] [--idle-seconds 10]
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverEnvironment, startServer, waitForOutput } from './rig/bench-server.ts';
import { residentBytes } from './rig/proc.ts';
import { makeFolder, removeFolder, start, stop, TAILRACE } from './rig/processes.ts';
import {
  formatInteger,
  formatMegabytes,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from './rig/report.ts';

/** Milliseconds since the process was started. */
interface Start {
  /** The banner: the server listens. */
  readonly bannerMs: number;
  /** The first line of the stream (`heroku[…]: Starting process …`). */
  readonly lineMs: number;
  /** The first line that the app itself wrote. */
  readonly appLineMs: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { runs: 5, 'idle-seconds': 10 });
  const { runs } = flags;
  const node: number[] = [];
  const starts: Start[] = [];
  for (let round = 1; round <= runs; round++) {
    node.push(await bareNode());
    const one = await startApp();
    starts.push(one);
    logProgress(
      `start-up, run ${round}: first line after ${formatInteger(one.lineMs)} ms, the app's after ${formatInteger(one.appLineMs)} ms`,
    );
  }
  const idle: number[] = [];
  for (let round = 1; round <= Math.min(runs, 3); round++) {
    idle.push(await idleMemory(flags['idle-seconds']));
    logProgress(`memory of an idle server, run ${round}: ${formatMegabytes(idle[round - 1])}`);
  }
  const ms = (values: readonly number[]): string => `${formatInteger(median(values))} ms`;
  return {
    title: 'Start and idle memory',
    note: [
      `Medians of ${runs} starts with an empty data folder, ${idle.length} for the memory. The app is one line of shell;`,
      'the baseline is a Node.js process that prints a line and does nothing else.',
    ].join('\n'),
    columns: ['', 'median'],
    rows: [
      ['bare `node -e`: its line', ms(node)],
      ['`tailrace start`: banner (everything listens)', ms(starts.map(({ bannerMs }) => bannerMs))],
      ['`tailrace start`: first line of the stream', ms(starts.map(({ lineMs }) => lineMs))],
      ["`tailrace start`: the app's first line", ms(starts.map(({ appLineMs }) => appLineMs))],
      [
        `idle \`tailrace serve\` after ${flags['idle-seconds']} s: memory (RSS)`,
        formatMegabytes(median(idle)),
      ],
    ],
  };
}

async function bareNode(): Promise<number> {
  const startedMs = performance.now();
  const child = start(process.execPath, ['-e', 'console.log("ready");setInterval(() => {}, 1e6)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await waitForOutput(child, /ready/);
  const tookMs = performance.now() - startedMs;
  await stop(child);
  return tookMs;
}

async function startApp(): Promise<Start> {
  const folder = makeFolder('tiny-app');
  writeFileSync(join(folder, 'Procfile'), 'worker: echo ready; exec sleep 600\n');
  const startedMs = performance.now();
  const child = start(TAILRACE, ['start', '--no-color'], {
    cwd: folder,
    env: serverEnvironment(join(folder, '.tailrace')),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const since = (): number => performance.now() - startedMs;
  const [bannerMs, lineMs, appLineMs] = await Promise.all([
    waitForOutput(child, /tailrace runs/).then(since),
    waitForOutput(child, /^\d{4}-\S+ \w+\[/m).then(since),
    waitForOutput(child, /app\[worker\.1\]: ready/).then(since),
  ]);
  await stop(child);
  removeFolder(folder);
  return { bannerMs, lineMs, appLineMs };
}

async function idleMemory(seconds: number): Promise<number> {
  const server = await startServer();
  await sleep(seconds * 1_000);
  const bytes = residentBytes(server.pid);
  await server.stop();
  return bytes;
}

await runIfMain(import.meta.url, measure);
