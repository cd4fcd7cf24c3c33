/**
 * The worst request of each kind that a sender can make, and beside it another app that sends one line after the other: how long it
 * waits, with and without, and how long the event loop was held.
 *
 *   node dist/bench/neighbors/hostile-requests.js [--requests 200] [--only json]
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool } from 'undici';
import { type BenchServer, startServer } from '../rig/bench-server.ts';
import { HOSTILE_REQUESTS, type HostileRequest } from '../rig/hostile-requests.ts';
import { LOOP_HOLD_HOOK, LoopHolds } from '../rig/loop-holds.ts';
import { makeFolder, removeFolder } from '../rig/processes.ts';
import { formatDecimal, logProgress, parseFlags, quantile, runIfMain, type Table } from '../rig/report.ts';

const PAUSE_MS = 2;
const WARM_UP = 300;

interface Seen {
  /** Of the quiet app's requests, milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Longest hold of the event loop, milliseconds of processor time. */
  readonly holdMs: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { requests, only } = parseFlags(args, { requests: 200 }, ['only']);
  const folder = makeFolder('hostile');
  const holds = new LoopHolds(join(folder, 'holds'));
  const server = await startServer(holds.environment(LOOP_HOLD_HOOK));
  const pool = new Pool(server.url, { connections: 50 });
  try {
    const loud = await server.createApp('loud');
    const quiet = new QuietApp(server, await server.createApp('quiet'));
    await quiet.ask(WARM_UP);
    holds.takeLongestMs();
    const alone = summarize(await quiet.ask(requests * 5), holds);
    const rows = [row('nothing', '', '', alone)];
    for (const hostile of HOSTILE_REQUESTS) {
      if (only !== undefined && !hostile.name.toLowerCase().includes(only.toLowerCase())) continue;
      const body = hostile.body();
      await quiet.ask(5);
      holds.takeLongestMs();
      const times: number[] = [];
      const startMs = performance.now();
      const sending = sendHostile(pool, loud, hostile, body);
      let isOver = false;
      const over = sending.finally(() => {
        isOver = true;
      });
      while (!isOver) times.push(...(await quiet.ask(1)));
      await over;
      const ms = performance.now() - startMs;
      // What is left of it in the background counts, too.
      times.push(...(await quiet.ask(Math.max(0, requests - times.length))));
      const seen = summarize(times, holds);
      logProgress(
        `${hostile.name}: p99 ${formatDecimal(seen.p99)} ms, held ${formatDecimal(seen.holdMs, 1)} ms`,
      );
      const size = `${(body.length / 1_000).toFixed(body.length < 10_000 ? 1 : 0)} KB`;
      rows.push(
        row(hostile.name, hostile.times ? `${hostile.times} × ${size}` : size, `${Math.round(ms)}`, seen),
      );
    }
    return {
      title: 'Hostile requests',
      note: `At least ${requests} requests of a quiet app, one line each, one after the other with ${PAUSE_MS} ms between them, beside the worst requests of another app. Held: the longest turn of the event loop, in processor time of its thread; 0 is less than 2.`,
      columns: ['beside', 'on the wire', 'took ms', 'p50 ms', 'p99 ms', 'held ms'],
      rows,
    };
  } finally {
    await pool.close();
    await server.stop();
    removeFolder(folder);
  }
}

/** Sends one line after the other. */
class QuietApp {
  private readonly client: Client;
  private readonly token: string;

  constructor(server: BenchServer, token: string) {
    this.client = new Client(server.url);
    this.token = token;
  }

  /** How long each of some requests took, in milliseconds. */
  async ask(count: number): Promise<number[]> {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const startMs = performance.now();
      const { statusCode, body } = await this.client.request({
        method: 'POST',
        path: '/logs',
        headers: { 'content-type': 'text/plain', authorization: `Bearer ${this.token}` },
        body: 'one line\n',
      });
      await body.dump();
      if (statusCode !== 204) throw new Error(`the quiet app got status ${statusCode}`);
      times.push(performance.now() - startMs);
      await sleep(PAUSE_MS);
    }
    return times;
  }
}

async function sendHostile(
  pool: Pool,
  token: string,
  { name, path, type, times = 1, status }: HostileRequest,
  body: Buffer,
): Promise<void> {
  const send = async (): Promise<void> => {
    const { statusCode, body: answer } = await pool.request({
      method: 'POST',
      path,
      headers: { 'content-type': type, 'content-encoding': 'gzip', authorization: `Bearer ${token}` },
      body,
    });
    await answer.dump();
    if (statusCode !== status) throw new Error(`${name}: status ${statusCode} instead of ${status}`);
  };
  await Promise.all(Array.from({ length: times }, send));
}

function summarize(times: number[], holds: LoopHolds): Seen {
  times.sort((a, b) => a - b);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), holdMs: holds.takeLongestMs() };
}

function row(name: string, size: string, ms: string, { p50, p99, holdMs }: Seen): string[] {
  return [name, size, ms, formatDecimal(p50), formatDecimal(p99), formatDecimal(holdMs, 1)];
}

await runIfMain(import.meta.url, measure);
