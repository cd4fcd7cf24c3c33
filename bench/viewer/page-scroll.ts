/**
 * How smoothly the viewer's page scrolls from the newest of many lines back to the oldest, which it reads on the way: frame times in a
 * headless Chromium, as fast as a wheel turns, and at a speed at which nobody reads any more.
 *
 *   node dist/bench/viewer/page-scroll.js [--lines 1000000] [--wheel 240] [--px 2500]
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { makeFolder, ROOT, removeFolder, start, stop } from '../rig/processes.ts';
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
const BATCH_LINES = 5_000;
/** Requests that are under way at the same time. */
const REQUESTS_MAX = 4;
/** Below this a frame is one that nobody notices at 60 a second, with what a timer is off. */
const SMOOTH_MS = 17.5;
const LONG_MS = 50;
const TIMEOUT_MS = 900_000;
const WHEEL_FRAMES = 600;
const COLUMNS = [
  'pixels a frame',
  'frames',
  'median',
  '95 %',
  '99 %',
  'longest',
  `≤ ${SMOOTH_MS} ms`,
  `> ${LONG_MS} ms`,
  'processor',
  'without rows',
  'heap',
];

interface Scrolled {
  readonly frames: readonly number[];
  readonly empty: number;
  readonly oldest: string;
  readonly heapBytes: number;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, wheel, px: through } = parseFlags(args, { lines: 1_000_000, wheel: 240, px: 2_500 });
  const data = makeFolder('viewer');
  const viewer = start(
    process.execPath,
    [
      join(ROOT, 'dist', 'drains', 'viewer', 'main.js'),
      '--data',
      data,
      '--http-port',
      '0',
      '--syslog-port',
      '0',
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  try {
    const link = await firstRunLink(viewer.stdout);
    const browser = await chromium.launch({
      executablePath: findBrowser(),
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--enable-precise-memory-info'],
    });
    try {
      const page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
      await page.goto(link);
      await page.getByLabel('E-mail').fill('bench@example.com');
      await page.getByLabel('Password').fill('correct horse battery');
      await page.getByRole('button', { name: 'Make my account' }).click();
      await page.getByRole('button', { name: 'Sign out' }).waitFor({ timeout: TIMEOUT_MS });
      const [{ token }] = await page.evaluate<{ token: string }[]>(
        `fetch('api/groups').then((answer) => answer.json())`,
      );
      logProgress(`${formatInteger(lines)} lines into the viewer`);
      await sendLines(new URL(link).origin, token, lines);
      const rows: string[][] = [];
      for (const [px, frames] of [
        [wheel, WHEEL_FRAMES],
        [through, Number.MAX_SAFE_INTEGER],
      ]) {
        logProgress(`scrolling by ${px} pixels`);
        await page.reload();
        await page
          .getByText(`order ${lines - 1} `)
          .first()
          .waitFor({ timeout: TIMEOUT_MS });
        const before = await rendererSeconds(browser);
        const result = await page.evaluate<Scrolled>(scrollScript(px, frames));
        rows.push(rowOf(px, result, (await rendererSeconds(browser)) - before));
        if (frames > WHEEL_FRAMES && !result.oldest.includes('order 0 '))
          throw new Error(`it came only to: ${result.oldest}`);
      }
      return {
        title: 'The viewer’s page, scrolled through',
        note: `From the newest of ${formatInteger(lines)} lines back: so many pixels a frame, ${formatInteger(WHEEL_FRAMES)} frames or to the oldest line, each page read from the viewer on the way. Milliseconds from frame to frame, and of processors for one (drawn without a GPU).`,
        columns: COLUMNS,
        rows,
      };
    } finally {
      await browser.close();
    }
  } finally {
    await stop(viewer);
    removeFolder(data);
  }
}

function rowOf(px: number, { frames, empty, heapBytes }: Scrolled, cpuS: number): string[] {
  const sorted = [...frames].sort((a, b) => a - b);
  const smooth = frames.filter((ms) => ms <= SMOOTH_MS).length / frames.length;
  return [
    formatInteger(px),
    formatInteger(frames.length),
    ...[0.5, 0.95, 0.99, 1].map((share) => formatDecimal(quantile(sorted, share), 1)),
    `${formatDecimal(100 * smooth, 1)} %`,
    formatInteger(frames.filter((ms) => ms > LONG_MS).length),
    formatDecimal((cpuS * 1_000) / frames.length, 1),
    formatInteger(empty),
    formatMegabytes(heapBytes),
  ];
}

/** What the browser's page has used of processors so far, which doesn't depend on what else the machine does. */
async function rendererSeconds(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.reduce((sum, { type, cpuTime }) => (type === 'renderer' ? sum + cpuTime : sum), 0);
}

/** Scrolls up by so many pixels a frame until the first line is there. Waiting for lines isn't counted as a long frame, nor as one without rows. */
function scrollScript(px: number, framesMax: number): string {
  return `(async () => {
    const box = document.querySelector('.lines');
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const frames = [];
    let empty = 0;
    let last = await frame();
    const end = performance.now() + ${TIMEOUT_MS};
    let oldest = '';
    while (performance.now() < end && frames.length < ${framesMax}) {
      const isAtTop = box.scrollTop <= 0;
      if (!isAtTop) box.scrollTop -= ${px};
      const now = await frame();
      frames.push(now - last);
      last = now;
      const { left, top } = box.getBoundingClientRect();
      if (!document.elementFromPoint(left + 300, top + box.clientHeight / 2)?.closest('.row')) empty++;
      if (!isAtTop) continue;
      oldest = document.querySelector('.row .text')?.textContent ?? '';
      if (oldest.includes('order 0 ')) break;
    }
    return { frames, empty, oldest, heapBytes: performance.memory?.usedJSHeapSize ?? Number.NaN };
  })()`;
}

async function sendLines(origin: string, token: string, count: number): Promise<void> {
  const startMs = Date.now() - count;
  let next = 0;
  const sendSome = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next += BATCH_LINES;
      await post(`${origin}/logs`, token, batchOf(from));
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_MAX }, sendSome));

  function batchOf(from: number): string {
    let body = '';
    for (let i = from; i < Math.min(count, from + BATCH_LINES); i++) {
      const time = new Date(startMs + i).toISOString();
      const line = `<190>1 ${time} host app web.${i % 4} - - at=info method=GET path="/orders" order ${i} status=200 service=${i % 90}ms`;
      body += `${line.length} ${line}`;
    }
    return body;
  }
}

/** Again when the viewer asks to wait. */
async function post(url: string, token: string, body: string): Promise<void> {
  for (;;) {
    const { ok, status } = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`token:${token}`)}`, 'content-type': 'application/logplex-1' },
      body,
    });
    if (ok) return;
    if (status !== 503 && status !== 429) throw new Error(`lines were answered with ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function firstRunLink(output: NodeJS.ReadableStream | null): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    output?.on('data', (piece: Buffer) => {
      text += piece;
      const link = /\S+#first-run=\S+/.exec(text)?.[0];
      if (link) resolve(link);
    });
    output?.on('close', () => reject(new Error(`the viewer ended: ${text}`)));
  });
}

function findBrowser(): string {
  for (const name of BROWSERS)
    try {
      return execFileSync('which', [name], { encoding: 'utf8' }).trim();
    } catch {
      // the next one
    }
  throw new Error(`This takes ${BROWSERS.join(' or ')}: install one of them.`);
}

await runIfMain(import.meta.url, measure);
