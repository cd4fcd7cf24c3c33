/**
 * The viewer's line store alone: lines are appended to a stream, packed while searches run, then looked for.
 *
 *   node dist/bench/viewer/store.js [--lines 5000000] [--folder DIR] [--rate 150000]
 *
 * Bounded by the number of lines; it opens no port.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LineSelection } from '../../drains/viewer/store/contract.ts';
import { openLineStore } from '../../drains/viewer/store/open-line-store.ts';
import { parseQuery } from '../../src/logs/query/query-parser.ts';
import type { AppId } from '../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../src/logs/store/embedded/embedded-store.ts';
import { ChangingLines } from './changing-lines.ts';
import { batchOfLines, LogLines } from './log-lines.ts';

const { values: options } = parseArgs({
  options: {
    lines: { type: 'string', default: '5000000' },
    folder: { type: 'string' },
    rate: { type: 'string', default: '0' },
    keep: { type: 'boolean', default: false },
  },
});
const LINES = Number(options.lines);
const RATE = Number(options.rate);
/** Lines that are made anew; they are sent again with other times and ids. */
const TEMPLATE_LINES = 200_000;
const BATCH_LINES = 1_000;
const START_MS = Date.UTC(2026, 10, 1);
/** The time that all lines are in: three days. */
const SPAN_MS = 3 * 86_400_000;
const STREAM = '00000000-0000-4000-8000-000000000001' as AppId;

/** Queries of each kind, which lines are grouped by and counted with. */
const TALLIED = [
  'severity:error',
  'status:>=500',
  'program:web.1',
  'event:db.query',
  'service:orders',
  'user_id:1234',
  'status:>=500 program:web.1 -method:GET',
  'severity:error OR status:503',
  'kraken',
  'checkout',
  '"checkout of"',
  'checkout status:503',
  '/took \\d\\d\\d ms/',
];

const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'tailrace-viewer-bench-'));
const streams = new EmbeddedStore({
  folder: join(folder, 'streams'),
  retention: { lines: 1e9, bytes: 256 * 1_048_576, ageMs: 1e12 },
  durability: 'process',
});
let openedMs = performance.now();
let store = await openLineStore({ folder: join(folder, 'parts'), store: streams, onProblem: console.error });
await store.follow(STREAM);
console.log(`opened in ${(performance.now() - openedMs).toFixed(0)} ms`);

if ((await streams.bounds(STREAM)).last === 0) await ingest();
await searches();
await store.close();
openedMs = performance.now();
store = await openLineStore({ folder: join(folder, 'parts'), store: streams, onProblem: console.error });
const { lines: first } = await store.search({ streams: [STREAM], direction: 'before', limit: 1 });
console.log(
  `opened again, and the newest of ${first[0].sequence} lines found, in ${(performance.now() - openedMs).toFixed(0)} ms`,
);
await store.close();
await streams.close();
if (!options.keep) rmSync(folder, { recursive: true });

async function ingest(): Promise<void> {
  const source = new LogLines(1, START_MS, SPAN_MS / LINES);
  const templates = Array.from({ length: TEMPLATE_LINES / BATCH_LINES }, () =>
    batchOfLines(Array.from({ length: BATCH_LINES }, () => source.next())),
  );
  const rare = new Set([Math.floor(LINES * 0.31), Math.floor(LINES * 0.77)]);
  const changing = new ChangingLines();
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  let rawBytes = 0;
  let peakMb = 0;
  let searched = 0;
  let slowestMs = 0;
  let done = false;
  const searching = (async () => {
    while (!done) {
      const beganMs = performance.now();
      await store.search({ streams: [STREAM], ...query('checkout took'), direction: 'before', limit: 100 });
      slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      searched++;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  for (let sent = 0; sent < LINES; sent += BATCH_LINES) {
    const template = templates[(sent / BATCH_LINES) % templates.length];
    const batch = changing.change(
      template,
      START_MS + (sent / LINES) * SPAN_MS,
      (SPAN_MS / LINES) * BATCH_LINES,
    );
    const bytes = [...rare].some((one) => one >= sent && one < sent + BATCH_LINES)
      ? batchOfLines([
          `<190>1 ${new Date(START_MS + (sent / LINES) * SPAN_MS).toISOString()} host app web.1 - - the kraken has been seen, order 10.77.88.99`,
        ])
      : batch;
    await streams.append(STREAM, bytes);
    rawBytes += bytes.bytes.length - 32 - bytes.count * 12;
    if (sent % 100_000 === 0) {
      peakMb = Math.max(peakMb, process.memoryUsage.rss() / 1e6);
      // As much as may wait: what isn't packed must not be trimmed.
      while (sent - store.packedThrough(STREAM) > 700_000)
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (RATE > 0) {
      const aheadMs = (sent / RATE) * 1_000 - (performance.now() - startMs);
      if (aheadMs > 2) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
  }
  const stored = performance.now() - startMs;
  await store.seal(STREAM);
  done = true;
  await searching;
  const ms = performance.now() - startMs;
  const used = process.cpuUsage(cpu);
  const { last } = await streams.bounds(STREAM);
  const [summary] = await store.summaries();
  console.log(
    `${last} lines, ${(rawBytes / 1e6).toFixed(0)} MB: stored in ${(stored / 1e3).toFixed(1)} s, packed in ${(ms / 1e3).toFixed(1)} s: ${Math.round((last / ms) * 1e3)} lines/s, ${((used.user + used.system) / 1e3 / ms).toFixed(2)} cores; ${searched} searches meanwhile, the slowest ${slowestMs.toFixed(0)} ms; up to ${peakMb.toFixed(0)} MB of memory`,
  );
  console.log(
    `on disk ${(summary.diskBytes / 1e6).toFixed(0)} MB, ${(summary.diskBytes / rawBytes).toFixed(3)} of what was received`,
  );
}

function query(q: string): Pick<LineSelection, 'query'> {
  const { expression } = parseQuery(q);
  return expression ? { query: expression } : {};
}

async function measured(name: string, run: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  const usedMs: number[] = [];
  let result: unknown;
  for (let i = 0; i < 3; i++) {
    const beganMs = performance.now();
    const cpu = process.cpuUsage();
    result = await run();
    times.push(performance.now() - beganMs);
    const { user, system } = process.cpuUsage(cpu);
    usedMs.push((user + system) / 1_000);
  }
  console.log(
    `${name.padEnd(44)} first ${times[0].toFixed(0)} ms, then ${Math.min(...times.slice(1)).toFixed(0)} ms, of CPU ${Math.min(...usedMs).toFixed(0)} ms: ${result}; ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`,
  );
}

async function searches(): Promise<void> {
  const all = { streams: [STREAM] };
  const find = async (q: string, limit = 100): Promise<string> => {
    const { lines } = await store.search({ ...all, ...query(q), direction: 'before', limit });
    return `${lines.length} lines`;
  };
  const { lines: some } = await store.search({ ...all, direction: 'after', limit: 5_000 });
  const id = some
    .map(({ record }) => /request_id=([\w-]{36})/.exec(record.toString('latin1'))?.[1])
    .filter((one) => one !== undefined)[40];
  await measured('a rare word (kraken)', () => find('kraken'));
  await measured('a rare address (10.77.88.99)', () => find('10.77.88.99'));
  await measured(`a request id (${id})`, () => find(id));
  await measured(`a part of one (${id.slice(9, 23)})`, () => find(id.slice(9, 23)));
  await measured('a word that is nowhere (tlatelolco)', () => find('tlatelolco'));
  await measured('the last 100 of a common phrase', () => find('"checkout of"'));
  await measured('the last 100 errors of the router', () => find('source:heroku status:503'));
  await measured('the newest 100', () => find(''));
  await measured('counts a minute over all', async () => {
    const buckets = await store.counts({ ...all, stepMs: 60_000 });
    return `${buckets.length} buckets, ${buckets.reduce((sum, { error, warning, other }) => sum + error + warning + other, 0)} lines`;
  });
  const day = { fromMs: START_MS + 86_400_000, toMs: START_MS + 2 * 86_400_000 };
  await measured('group by status over a day', async () => {
    const { values, missingCount } = await store.fieldValues({ ...all, ...day, field: 'status', limit: 20 });
    return `${values.length} values, ${missingCount} without`;
  });
  for (const q of TALLIED) {
    await measured(`group by status, a day of ${q}`, async () => {
      const request = { ...all, ...day, ...query(q), field: 'status', limit: 20 };
      const { values, missingCount, otherCount } = await store.fieldValues(request);
      const found = values.reduce((sum, { count }) => sum + count, missingCount + otherCount);
      return `${found} lines, ${values.length} values`;
    });
    await measured(`counts a minute over all of ${q}`, async () => {
      const buckets = await store.counts({ ...all, ...query(q), stepMs: 60_000 });
      return `${buckets.reduce((sum, { error, warning, other }) => sum + error + warning + other, 0)} lines`;
    });
  }
}
