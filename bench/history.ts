/**
 * Searches of an app's stored lines, beside `grep` over the same lines in a file; meanwhile other lines come in, or don't.
 *
 *   node dist/bench/history.js [--megabytes 1000] [--runs 5] [--rate 50000]
 *
 * The file is in TMPDIR (or /dev/shm), the store where all measurements have it; both are removed at the end.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HistoryLinesJob, HistoryLinesResult } from './programs/history-lines.ts';
import type { TailLatencyJob, TailLatencyResult } from './programs/tail-latency-load.ts';
import { type BenchServer, startServer } from './rig/bench-server.ts';
import { cpuSeconds } from './rig/proc.ts';
import { runJob, startBenchProgram, stop, waitForMessage } from './rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from './rig/report.ts';

const LINE_BYTES = 140;
const FILL_TIMEOUT_MS = 600_000;
const SCRATCH = process.env.TMPDIR ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir());

interface Question {
  readonly name: string;
  /** The path of the request, behind the app's. */
  readonly path: string;
  /** What grep is given for the same; left out: there is nothing like it. */
  readonly grep?: readonly string[];
}

const search = (name: string, query: string, grep?: readonly string[]): Question => ({
  name: `\`${name}\``,
  path: `/logs?lines=100&q=${encodeURIComponent(query)}`,
  grep,
});

const QUESTIONS: readonly Question[] = [
  { name: 'the last 100 lines', path: '/logs?lines=100' },
  search('needle42', 'needle42', ['needle42']),
  search('"method=POST path"', '"method=POST path"', ['method=POST path']),
  search('program:rarity', 'program:rarity', [' rarity']),
  search('haystack:needle42', 'haystack:needle42', ['haystack=needle42']),
  search('status:>=500', 'status:>=500', ['-E', 'status[":=]+5']),
  search('/needle[0-9]+ status/', '/needle[0-9]+ status/', ['-E', 'needle[0-9]+ status']),
  search('needle42 OR nowhere7', 'needle42 OR nowhere7', ['-E', 'needle42|nowhere7']),
  search('rarity -info', 'rarity -worker', ['rarity']),
  search('-order -user -queue', '-order -user -queue', ['-v', '-E', 'order|user|queue']),
  { name: '`--level error`', path: '/logs?lines=100&level=error' },
  { name: 'the first line with `needle42`', path: '/logs?first=1&q=needle42', grep: ['needle42'] },
  { name: 'counts of a week', path: '/log-counts?range=7d', grep: ['GET'] },
  { name: 'the same again', path: '/log-counts?range=7d', grep: ['GET'] },
  { name: 'counts of a week with `needle42`', path: '/log-counts?range=7d&q=needle42', grep: ['needle42'] },
];

interface Answered {
  readonly ms: number;
  readonly cpuMs: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { megabytes, runs, rate } = parseFlags(args, { megabytes: 1_000, runs: 5, rate: 50_000 });
  const scratch = mkdtempSync(join(SCRATCH, 'tailrace-history-'));
  const file = join(scratch, 'lines');
  const server = await startServer({ TAILRACE_STREAM_BYTES: '64GB', TAILRACE_STREAM_LINES: '100000000' });
  try {
    const lines = Math.floor((megabytes * 1_000_000) / LINE_BYTES);
    const bytes = await fill(server, lines, file);
    logProgress(`${formatInteger(lines)} lines, ${formatInteger(bytes)} bytes`);
    const rows: string[][] = [];
    const quiet = new Map<string, Answered[]>();
    const greps = new Map<string, number[]>();
    for (let run = 1; run <= runs; run++)
      for (const question of QUESTIONS) {
        const { name, grep } = question;
        if (grep) listOf(greps, name).push(grepMs(grep, file));
        listOf(quiet, name).push(await ask(server, question));
        const last = quiet.get(name)!.at(-1)!;
        logProgress(
          `run ${run}, ${name}: ${formatDecimal(last.ms, 0)} ms, grep ${formatDecimal(greps.get(name)?.at(-1) ?? Number.NaN, 0)} ms`,
        );
      }
    const { busy, load } = await askWhileLinesCome(server, rate, runs);
    for (const { name } of QUESTIONS) {
      const answers = quiet.get(name) ?? [];
      const ms = median(answers.map((one) => one.ms));
      const grep = median(greps.get(name) ?? []);
      rows.push([
        name,
        formatDecimal(ms, 0),
        formatDecimal(median(answers.map(({ cpuMs }) => cpuMs)), 0),
        formatDecimal(grep, 0),
        formatDecimal(ms / grep, 2),
        formatDecimal(median((busy.get(name) ?? []).map((one) => one.ms)), 0),
      ]);
    }
    return {
      title: 'Searches of stored lines',
      note: [
        `${formatInteger(lines)} lines of one app (${formatInteger(bytes)} bytes), in the page cache; medians of ${runs} runs: milliseconds until the answer is there, the server's processor time, \`grep -c\` over the same lines in a file,`,
        `and the same while ${formatInteger(rate)} lines/s come in for another app, which a tail reads: its lines were ${formatDecimal(load.p50Ms, 1)} ms old (median), ${formatDecimal(load.p99Ms, 1)} ms (p99), ${formatDecimal(load.maxMs, 1)} ms (the oldest).`,
      ].join('\n'),
      columns: ['searched for', 'ms', 'CPU ms', 'grep ms', 'of grep', 'ms beside lines'],
      rows,
    };
  } finally {
    await server.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function fill(server: BenchServer, lines: number, path: string): Promise<number> {
  const token = await server.createApp('bench');
  const program = startBenchProgram('history-lines');
  try {
    await waitForMessage(program, (message) => (message as { ready?: boolean }).ready, 10_000);
    const job: HistoryLinesJob = { port: server.syslogPort, token, lines, path };
    const { bytes } = await runJob<HistoryLinesResult>(program, job, FILL_TIMEOUT_MS);
    for (;;) {
      const { position } = await server.request<{ position: string }>(
        'GET',
        '/apps/bench/log-counts?range=1s',
      );
      if (Number(position) >= lines) break;
      await sleep(100);
    }
    return bytes;
  } finally {
    await stop(program);
  }
}

async function ask(server: BenchServer, { path }: Question): Promise<Answered> {
  const cpuBefore = cpuSeconds(server.pid);
  const startedMs = performance.now();
  for (let before = ''; ; ) {
    const response = await fetch(`${server.url}/apps/bench${path}${before}`, {
      headers: { authorization: `Bearer ${server.key}` },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    // Counts that take longer are asked for in parts, as the page does.
    const rest = path.startsWith('/log-counts')
      ? (JSON.parse(text) as { before: string | null }).before
      : null;
    if (rest === null) break;
    before = `&before=${rest}`;
  }
  return { ms: performance.now() - startedMs, cpuMs: (cpuSeconds(server.pid) - cpuBefore) * 1_000 };
}

async function askWhileLinesCome(
  server: BenchServer,
  rate: number,
  runs: number,
): Promise<{ busy: Map<string, Answered[]>; load: TailLatencyResult }> {
  const token = await server.createApp('other');
  const program = startBenchProgram('tail-latency-load');
  const busy = new Map<string, Answered[]>();
  try {
    await waitForMessage(program, (message) => (message as { ready?: boolean }).ready, 10_000);
    const { url, key, syslogPort } = server;
    const quietS = 2;
    const seconds = quietS + Math.max(3, runs * 3);
    const job: TailLatencyJob = {
      protocol: 'syslog',
      out: 'tail',
      url,
      key,
      app: 'other',
      token,
      syslogPort,
      linesPerS: rate,
      seconds,
    };
    const result = runJob<TailLatencyResult>(program, job, (seconds + 60) * 1_000);
    const endMs = performance.now() + (seconds - 1) * 1_000;
    await sleep(quietS * 1_000);
    while (performance.now() < endMs)
      for (const question of QUESTIONS)
        if (performance.now() < endMs) listOf(busy, question.name).push(await ask(server, question));
    return { busy, load: await result };
  } finally {
    await stop(program);
  }
}

function grepMs(args: readonly string[], file: string): number {
  const startedMs = performance.now();
  try {
    execFileSync('grep', ['-c', ...args, '--', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  } catch {
    // It found nothing.
  }
  return performance.now() - startedMs;
}

function listOf<T>(lists: Map<string, T[]>, name: string): T[] {
  let list = lists.get(name);
  if (!list) {
    list = [];
    lists.set(name, list);
  }
  return list;
}

await runIfMain(import.meta.url, measure);
