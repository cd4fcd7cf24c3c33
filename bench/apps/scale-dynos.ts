/**
 * `scale web=20`: how long until all twenty accept connections, beside starting the same twenty processes by hand.
 *
 *   node dist/bench/apps/scale-dynos.js [--dynos 20] [--runs 3]
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchServer, startServer } from '../rig/bench-server.ts';
import { makeFolder, removeFolder, start, stop, TAILRACE } from '../rig/processes.ts';
import { formatDecimal, logProgress, median, parseFlags, runIfMain, type Table } from '../rig/report.ts';

const APP = 'bench';
const BASE_PORT = 26_500;
const POLL_MS = 25;
const LIMIT_MS = 60_000;
const WEB = `require('http').createServer((q, r) => r.end('hello')).listen(process.env.PORT)\n`;

export async function measure(args: readonly string[]): Promise<Table> {
  const { dynos, runs } = parseFlags(args, { dynos: 20, runs: 3 });
  const folder = makeFolder('scale');
  writeFileSync(join(folder, 'Procfile'), 'web: exec node web.cjs\n');
  writeFileSync(join(folder, 'web.cjs'), WEB);
  const server = await startServer();
  const up: number[] = [];
  const down: number[] = [];
  const byHand: number[] = [];
  try {
    await server.request('POST', '/apps', { name: APP });
    execFileSync(TAILRACE, ['push', '-a', APP], {
      cwd: folder,
      env: { ...process.env, TAILRACE_URL: server.url, TAILRACE_API_KEY: server.key },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await scaleTo(server, 0);
    for (let round = 1; round <= runs; round++) {
      byHand.push(await startByHand(folder, dynos));
      up.push(await scaleTo(server, dynos));
      down.push(await scaleTo(server, 0));
      logProgress(
        `web=${dynos}, run ${round}: ${formatDecimal(up.at(-1) ?? 0)} s, by hand ${formatDecimal(byHand.at(-1) ?? 0)} s`,
      );
    }
  } finally {
    await server.stop();
    removeFolder(folder);
  }
  return {
    title: `scale web=${dynos}`,
    note: [
      `Seconds until ${dynos} Node.js web dynos accept connections, each from a copy of the slug of its own; medians of ${runs} runs.`,
      'By hand: as many `node web.cjs`, started at the same time in one folder. Two cores share the work of starting Node.js.',
    ].join('\n'),
    columns: ['', 'all up', 'all gone'],
    rows: [
      ['tailrace', `${formatDecimal(median(up))} s`, `${formatDecimal(median(down))} s`],
      ['by hand', `${formatDecimal(median(byHand))} s`, '-'],
    ],
  };
}

/** Scales, and waits until that many are up and no others are there. @returns seconds */
async function scaleTo(server: BenchServer, quantity: number): Promise<number> {
  const startedMs = performance.now();
  const response = await fetch(`${server.url}/apps/${APP}/formation/web`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ quantity }),
  });
  if (!response.ok) throw new Error(`not scaled: ${response.status} ${await response.text()}`);
  for (;;) {
    const dynos = await server.request<{ state: string }[]>('GET', `/apps/${APP}/dynos`);
    if (dynos.length === quantity && dynos.every(({ state }) => state === 'up'))
      return (performance.now() - startedMs) / 1_000;
    if (performance.now() - startedMs > LIMIT_MS) throw new Error(`${quantity} dynos didn't come up`);
    await sleep(POLL_MS);
  }
}

async function startByHand(folder: string, count: number): Promise<number> {
  const startedMs = performance.now();
  const all = Array.from({ length: count }, (_, i) => {
    const port = BASE_PORT + i;
    const env = { ...process.env, PORT: String(port) };
    return { port, child: start('bash', ['-c', 'exec node web.cjs'], { cwd: folder, env, stdio: 'ignore' }) };
  });
  await Promise.all(all.map(({ port }) => waitUntilAccepting(port)));
  const seconds = (performance.now() - startedMs) / 1_000;
  await Promise.all(all.map(({ child }) => stop(child, 'SIGKILL')));
  return seconds;
}

async function waitUntilAccepting(port: number): Promise<void> {
  for (;;) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isThere) return;
    await sleep(POLL_MS);
  }
}

await runIfMain(import.meta.url, measure);
