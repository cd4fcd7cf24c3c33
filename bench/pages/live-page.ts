/**
 * The live page while lines come: how long frames take, and what memory they leave. Needs Chromium (chromium-headless-shell, or chromium).
 *
 *   node dist/bench/pages/live-page.js [--lines-per-second 2000] [--seconds 20]
 *   node dist/bench/pages/live-page.js --minutes 12 [--lines-per-second 10000]     does its memory stay flat? As many lines as in an hour at 2,000 a second
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium } from 'playwright-core';
import { type BenchServer, startServer } from '../rig/bench-server.ts';
import {
  formatDecimal,
  formatInteger,
  formatMegabytes,
  logProgress,
  parseFlags,
  quantile,
  runIfMain,
  type Table,
} from '../rig/report.ts';

const BROWSERS = ['chromium-headless-shell', 'chromium'];
/** Batches a second: as a busy app's lines arrive. */
const BATCHES_PER_SECOND = 20;
const FIRST_LINES = 3_000;
const SHORT_FLAGS = { 'lines-per-second': 2_000, seconds: 20, minutes: 1 };
const LONG_FLAGS = { ...SHORT_FLAGS, 'lines-per-second': 10_000 };
/** How often memory is looked at in a long run. */
const SAMPLE_MS = 10_000;
/** The page holds 150,000 lines at the most: until it has, its memory grows as it should, and on a busy machine it lags behind. */
const WARM_UP_LINES = 500_000;

export async function measure(args: readonly string[]): Promise<Table> {
  const minutes = args.includes('--minutes') ? parseFlags(args, LONG_FLAGS).minutes : 0;
  const flags = parseFlags(args, minutes > 0 ? LONG_FLAGS : SHORT_FLAGS);
  const { seconds } = flags;
  const rate = flags['lines-per-second'];
  const server = await startServer();
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    const token = await server.createApp('busy');
    await post(server, token, 0, FIRST_LINES);
    if (minutes > 0) return await watchMemory(browser, server, token, rate, minutes);
    const rows: string[][] = [];
    for (const [name, query] of [
      ['all lines', ''],
      ['errors', '&level=error'],
      ['a search', '&q=status:>=500'],
    ]) {
      const row = [name, ...(await watch(browser, server, token, { query, rate, seconds }))];
      logProgress(`live-page: ${row.join(', ')}`);
      rows.push(row);
    }
    return {
      title: 'The live page while lines come',
      note: `${formatInteger(rate)} lines a second for ${seconds} s, in headless Chromium without a GPU: times between two frames, the main thread's own work a frame (which hardly depends on what else the machine does), and the page's memory (JavaScript heap after a collection) before and after.`,
      columns: ['shown', 'frames/s', 'median', 'p95', 'p99', 'work a frame', 'heap before', 'after'],
      rows,
    };
  } finally {
    await browser.close();
    await server.stop();
  }
}

/** Does the page keep what it doesn't show any more? Its heap, nodes and listeners over time, when it holds as many lines as it ever does. */
async function watchMemory(
  browser: Browser,
  server: BenchServer,
  token: string,
  rate: number,
  minutes: number,
): Promise<Table> {
  const page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
  await page.goto(`${server.url}/?app=busy#key=${server.key}`);
  await page.locator('.state[data-state=live]').waitFor();
  const client = await page.context().newCDPSession(page);
  await client.send('Performance.enable');
  const samples: MemorySample[] = [];
  const startMs = performance.now();
  const endMs = startMs + minutes * 60_000;
  let sent = 0;
  let sampleAtMs = startMs;
  while (performance.now() < endMs) {
    const perBatch = rate / BATCHES_PER_SECOND;
    await post(server, token, sent, perBatch);
    sent += perBatch;
    if (sent > WARM_UP_LINES && performance.now() >= sampleAtMs) {
      sampleAtMs = performance.now() + SAMPLE_MS;
      await client.send('HeapProfiler.collectGarbage');
      const { metrics } = await client.send('Performance.getMetrics');
      const metric = (wanted: string): number => metrics.find(({ name }) => name === wanted)?.value ?? 0;
      samples.push({
        lines: sent,
        heapBytes: metric('JSHeapUsedSize'),
        nodes: metric('Nodes'),
        listeners: metric('JSEventListeners'),
      });
    }
    const nextMs = startMs + (sent / rate) * 1_000;
    await sleep(Math.max(0, nextMs - performance.now()));
  }
  await page.close();
  if (samples.length < 3)
    throw new Error('Too short: --minutes has to leave time for three samples, 10 s apart.');
  const lines = samples.map((sample) => sample.lines);
  const row = (name: string, values: readonly number[], show: (value: number) => string): string[] => [
    name,
    show(values[0]),
    show(values[values.length - 1]),
    show(Math.max(...values)),
    `${slope(lines, values) < 0 ? '-' : '+'}${show(Math.abs(slope(lines, values)) * 1_000_000)}`,
  ];
  return {
    title: 'Memory of the live page over many lines',
    note: `${formatInteger(sent)} lines in ${minutes} min (an hour at 2,000 a second has 7,200,000), ${samples.length} samples after a collection, from ${formatInteger(WARM_UP_LINES)} lines on, when the page holds as many as it ever does. The growth is the slope of the line of least squares.`,
    columns: ['', 'first', 'last', 'most', 'growth per million lines'],
    rows: [
      row(
        'JavaScript heap',
        samples.map(({ heapBytes }) => heapBytes),
        formatMegabytes,
      ),
      row(
        'DOM nodes',
        samples.map(({ nodes }) => nodes),
        (value) => formatInteger(Math.round(value)),
      ),
      row(
        'listeners',
        samples.map(({ listeners }) => listeners),
        (value) => formatInteger(Math.round(value)),
      ),
    ],
  };
}

interface MemorySample {
  readonly lines: number;
  readonly heapBytes: number;
  readonly nodes: number;
  readonly listeners: number;
}

/** Of the line of least squares. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, one) => sum + one, 0) / values.length;
  const [xMean, yMean] = [mean(xs), mean(ys)];
  const covariance = xs.reduce((sum, x, i) => sum + (x - xMean) * (ys[i] - yMean), 0);
  return covariance / xs.reduce((sum, x) => sum + (x - xMean) ** 2, 0);
}

async function watch(
  browser: Browser,
  server: BenchServer,
  token: string,
  { query, rate, seconds }: { query: string; rate: number; seconds: number },
): Promise<string[]> {
  const page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
  await page.goto(`${server.url}/?app=busy${query}#key=${server.key}`);
  await page.locator('.state[data-state=live]').waitFor();
  const client = await page.context().newCDPSession(page);
  const heap = async (): Promise<number> => {
    await client.send('HeapProfiler.collectGarbage');
    return ((await client.send('Runtime.getHeapUsage')) as { usedSize: number }).usedSize;
  };
  // What opening it left to do is done.
  await sleep(1_000);
  await client.send('Performance.enable');
  const busySeconds = async (): Promise<number> =>
    (await client.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration')
      ?.value ?? 0;
  const before = await heap();
  const busyBefore = await busySeconds();
  const frames = page.evaluate<number[]>(`new Promise((resolve) => {
    const times = [];
    const endMs = performance.now() + ${seconds * 1_000};
    let lastMs = performance.now();
    requestAnimationFrame(function next(nowMs) {
      times.push(nowMs - lastMs);
      lastMs = nowMs;
      if (nowMs < endMs) requestAnimationFrame(next);
      else resolve(times.slice(1));
    });
  })`);
  const perBatch = rate / BATCHES_PER_SECOND;
  const startMs = performance.now();
  for (let i = 0; i < seconds * BATCHES_PER_SECOND; i++) {
    await post(server, token, i * perBatch, perBatch);
    await sleep(Math.max(0, startMs + ((i + 1) * 1_000) / BATCHES_PER_SECOND - performance.now()));
  }
  const sorted = (await frames).sort((a, b) => a - b);
  const busy = (await busySeconds()) - busyBefore;
  const after = await heap();
  await page.close();
  const ms = (share: number): string => `${formatDecimal(quantile(sorted, share), 1)} ms`;
  return [
    formatDecimal(sorted.length / seconds, 1),
    ms(0.5),
    ms(0.95),
    ms(0.99),
    `${formatDecimal((busy * 1_000) / sorted.length, 1)} ms`,
    formatMegabytes(before),
    formatMegabytes(after),
  ];
}

/** Lines as an app writes them. */
async function post(server: BenchServer, token: string, from: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const status = n % 50 === 0 ? 500 : 200;
    return `level=${status === 500 ? 'error' : 'info'} method=GET path="/orders/${n}" status=${status} duration=${n % 97}ms user=${n % 13}`;
  });
  const response = await fetch(`${server.url}/logs`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`token:${token}`).toString('base64')}`,
      'content-type': 'text/plain',
    },
    body: lines.join('\n'),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
}

function browserPath(): string {
  for (const name of BROWSERS)
    try {
      return execFileSync('which', [name], { encoding: 'utf8' }).trim();
    } catch {
      // the next one
    }
  throw new Error(`${BROWSERS.join(' or ')} has to be installed: apt-get install ${BROWSERS[0]}`);
}

await runIfMain(import.meta.url, measure);
