/**
 * Stack traces in closed files, of several dynos at a time, in batches, windows and parts of all sizes: a search gives all lines of the events of
 * which one matches, as a tracker finds them that looks at every line.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import type { FileScan, FileScanner, FileScanResult } from '../../../../src/logs/store/file-scanner.ts';
import { StreamReaders } from '../../../../src/logs/store/stream-reader.ts';
import { type Batch, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { EventTracker, type OpenEvent } from '../../../../src/logs/syslog/event-tracker.ts';
import { LineFilter } from '../../../../src/logs/syslog/line-filter.ts';
import { lineLevel } from '../../../../src/logs/syslog/record.ts';
import { scanFile } from '../../../../src/logs/tails/history/scan-file.ts';
import { filterOf } from '../../../../src/logs/tails/history/scan-filter.ts';
import { ScanThreads, scanJobOf, scanResultOf } from '../../../../src/logs/tails/history/scan-threads.ts';
import { countLines } from '../../../../src/logs/tails/line-counts.ts';
import { PLAIN_TEXT_ENCODINGS } from '../../../../src/logs/tails/output/encodings.ts';
import { parseTailQuery, type TailQuery } from '../../../../src/logs/tails/tail-query.ts';
import { TailSession, type TailSink } from '../../../../src/logs/tails/tail-session.ts';
import { newAppId } from '../../../support/batches.ts';
import { batchOfOldLines, type OldLine } from '../../../support/old-lines.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';
import { JAVA_TRACE, PYTHON_TRACE } from '../../../support/senders/stack-traces.ts';
import { until } from '../../../support/until.ts';

const SEED = Math.floor(Math.random() * 2 ** 32);
const random = seededRandom(SEED);
const integer = (max: number): number => Math.floor(random() * max);
const pick = <T>(list: readonly T[]): T => list[integer(list.length)];

const TRACES: readonly (readonly string[])[] = [
  PYTHON_TRACE,
  JAVA_TRACE,
  [
    'panic: needle',
    '',
    'goroutine 1 [running]:',
    'main.(*Server).serve(0xc000, 0x1)',
    '\t/app/main.go:12 +0x1d',
  ],
  ["thread 'main' panicked at src/main.rs:4:5:", 'a plain needle', 'note: run with `RUST_BACKTRACE=1`'],
  [
    'file:///app/a.js:3',
    "  throw new Error('x')",
    '',
    'Error: x',
    '    at run (file:///app/a.js:3:9)',
    'Node.js v22.0.0',
  ],
  [
    'TypeError: rare',
    ...Array.from({ length: 12 }, (_, i) => `    at step${i} (/app/a.js:${i}:1)`),
    '    at rarest (a)',
  ],
];
/** Those of a few lines, of all languages. */
const VECTORS: readonly { readonly events: readonly (readonly string[])[] }[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', '..', 'fixtures', 'events.json'), 'utf8'),
);
const ALL_TRACES = [
  ...TRACES,
  ...VECTORS.flatMap(({ events }) => events).filter(({ length }) => length > 1 && length <= 14),
];
const PLAIN = [
  'GET /a status=200',
  '2026-01-02 INFO started',
  'at=error code=H12',
  'ERROR: no',
  'a needle',
  'foo()',
  'ok:',
];

/** What dynos write, each line by line, mixed. */
function mixedLines(count: number): OldLine[] {
  // Few enough that an event is never further apart than is looked for.
  const dynos = ['web.1', 'web.2', 'worker.1'];
  const left = new Map<string, string[]>(dynos.map((dyno) => [dyno, []]));
  return Array.from({ length: count }, () => {
    const dyno = pick(dynos);
    const lines = left.get(dyno)!;
    if (lines.length === 0)
      lines.push(...(random() < 0.06 ? pick(random() < 0.5 ? TRACES : ALL_TRACES) : [pick(PLAIN)]));
    return { dyno, message: lines.shift()! };
  });
}

interface Line {
  readonly event: OpenEvent;
  readonly isError: boolean;
  /** By the key of a filter. */
  readonly isMatch: (filter: LineFilter) => boolean;
}

const folder = mkdtempSync(join(tmpdir(), 'tailrace-events-'));
/** Segments of 64 KB. */
const retention = { lines: 1e6, bytes: 2_000_000, ageMs: 1e9 };
const store = new EmbeddedStore({ folder, retention, durability: 'process' });
const app = newAppId();
const threads = new ScanThreads();
/** By their sequences; the first is 1. */
const lines: (Line | undefined)[] = [undefined];
/** Where something begins of which what is before wasn't at hand. */
const edges = new Set<number>();

beforeAll(async () => {
  const tracker = new EventTracker();
  for (const all = mixedLines(9_000); all.length > 0; ) {
    const batch: Batch = batchOfOldLines(all.splice(0, pick([1, 2, 1 + integer(20), 60])));
    const bytes = Buffer.from(batch.bytes);
    const line = new RecordCursor(bytes);
    for (let k = 0; line.advance(); k++) {
      const event = tracker.next(line, bytes);
      lines.push({
        event,
        isError: lineLevel(line, bytes) === 'error',
        isMatch: (filter) => {
          const one = new RecordCursor(bytes);
          one.skip(k);
          one.advance();
          filter.mayMatch(bytes);
          return filter.matches(one, bytes);
        },
      });
    }
    await store.append(app, batch);
  }
  const readBefore = store.readBefore.bind(store);
  // Most is in closed files.
  store.readBefore = async (stream, before) => {
    const batches = await readBefore(stream, before, 20_000);
    edges.add(before);
    if (batches.length > 0) edges.add(batches[batches.length - 1].first);
    return batches;
  };
});
afterAll(async () => {
  await threads.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Scans end where they have found enough, or taken too long (the threads' do, on a busy machine): what is behind is looked at by the next one. */
function noteEdge(scan: FileScan, result: FileScanResult | undefined): void {
  if (result && scan.take.kind === 'first') edges.add(result.scanned + 1);
}

const threadScans: FileScanner = {
  async scan(owner, scan) {
    const result = await threads.scan(owner, scan);
    noteEdge(scan, result);
    return result;
  },
};

/** Scans here, with windows of so many bytes, and so many of them at a time. */
class SmallScans implements FileScanner {
  private readonly readBytes: number;
  private readonly windows: number;
  scans = 0;

  constructor(readBytes: number, windows: number) {
    this.readBytes = readBytes;
    this.windows = windows;
  }

  async scan(_owner: string, scan: FileScan): Promise<FileScanResult | undefined> {
    this.scans++;
    const job = structuredClone(scanJobOf(scan));
    let ticks = 0;
    const limits = { readBytes: this.readBytes, ms: this.windows };
    const result = scanResultOf(scanFile(job, filterOf(job.filter), () => ticks++, limits));
    noteEdge(scan, result);
    return result;
  }
}

async function read(readers: StreamReaders, query: TailQuery): Promise<number[]> {
  const { reader, close } = readers.open(app);
  const sink = new (class implements TailSink<Buffer> {
    readonly encoding = PLAIN_TEXT_ENCODINGS.json;
    text = '';
    isOver = false;
    write(lines: Buffer): void {
      this.text += lines.toString();
    }
    canWrite(): boolean {
      return true;
    }
    /** A thread that is slow to begin is said to be busy, which is no line of the stream. */
    notice(): void {}
    end(): void {
      this.isOver = true;
    }
  })();
  const session = new TailSession(
    reader,
    parseTailQuery({ format: 'json', ...query }, { tail: false }),
    sink,
  );
  await session.start();
  await until('the end of the lines', () => sink.isOver);
  close();
  return sink.text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => Number(JSON.parse(line).position));
}

/** Checks what was found in a range against what a tracker finds. */
function expectEvents(
  found: readonly number[],
  query: TailQuery,
  { after = 0, isForward = false }: { after?: number; isForward?: boolean } = {},
): void {
  const { filter } = parseTailQuery(query, { tail: false });
  const plain = new LineFilter({ ...filter.options, wholeEvents: false });
  const events = new Map<OpenEvent, number[]>();
  lines.forEach((line, sequence) => {
    if (line) events.set(line.event, [...(events.get(line.event) ?? []), sequence]);
  });
  // What isn't in a file is sent in chunks, one after the other.
  const closedThrough = isForward ? store.closedFiles(app).at(-1)!.last : Number.POSITIVE_INFINITY;
  const isEdge = (at: number): boolean => edges.has(at) || at === after + 1 || at > closedThrough;
  const isCutBetween = (from: number, to: number): boolean => {
    for (let at = from + 1; at <= to; at++) if (isEdge(at)) return true;
    return false;
  };
  const required = new Set<number>();
  const allowed = new Set<number>();
  for (const sequences of events.values()) {
    const matches = sequences.filter((sequence) => lines[sequence]!.isMatch(plain));
    if (matches.length === 0) continue;
    const [first] = sequences;
    const isCut = isCutBetween(first, sequences[sequences.length - 1]);
    // What matches in front of where somebody reads on is looked for in the same file, a hundred lines back.
    const isNear =
      matches[0] > after ||
      (after - matches[0] < 100 && ![...edges].some((edge) => edge > matches[0] && edge <= after));
    const isKnown = isNear && !isCutBetween(first, matches[0]);
    for (const sequence of sequences) {
      if (sequence <= after) continue;
      allowed.add(sequence);
      const isAfter = isForward && isKnown && sequence >= matches[0] && sequence <= closedThrough;
      if (!isCut || isAfter || matches.includes(sequence)) required.add(sequence);
    }
  }
  const context = `seed ${SEED}, ${JSON.stringify(query)}, after ${after}`;
  expect(found, context).toEqual([...new Set(found)].sort((a, b) => a - b));
  expect(
    found.filter((sequence) => !allowed.has(sequence)),
    `${context}: too many`,
  ).toEqual([]);
  const set = new Set(found);
  expect(
    [...required].filter((sequence) => !set.has(sequence)).sort((a, b) => a - b),
    `${context}: missing`,
  ).toEqual([]);
}

const QUERIES: readonly TailQuery[] = [
  { q: 'rarest' },
  { q: 'needle' },
  { q: 'LookupError' },
  { q: 'Traceback' },
  { q: 'panicked' },
  { q: 'IOException dyno:web' },
  { q: '-GET' },
  { level: 'error' },
  { level: 'error', dyno: 'web' },
];

describe('events in closed files', () => {
  it.each(QUERIES)('come whole: %j', async (query) => {
    const results: number[][] = [];
    for (const scanner of [
      threadScans,
      new SmallScans(1_048_576, 100),
      new SmallScans(4_096 + integer(20_000), integer(3)),
    ]) {
      edges.clear();
      for (const { first } of store.closedFiles(app)) edges.add(first);
      const readers = new StreamReaders(store, scanner);
      const all = await read(readers, { ...query, lines: '100000' });
      expectEvents(all, query);
      results.push(all);
      if (scanner instanceof SmallScans) expect(scanner.scans).toBeGreaterThan(5);
      expect(await read(readers, { ...query, lines: '7' }), `seed ${SEED}`).toEqual(all.slice(-7));
      for (const after of [0, integer(lines.length)])
        expectEvents(await read(readers, { ...query, after: String(after) }), query, {
          after,
          isForward: true,
        });
    }
    expect(results[1], `seed ${SEED}`).toEqual(results[0]);
    expect(results[2], `seed ${SEED}`).toEqual(results[0]);
  });

  it.each([{}, ...QUERIES])('are counted as one error: %j', async (query: TailQuery) => {
    const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
    const through = lines.length - 1;
    const count = async (scanner?: FileScanner): Promise<number[]> => {
      const { reader, close } = new StreamReaders(store, scanner).open(app);
      // What is read goes on with what the same filter has seen.
      const { filter } = parseTailQuery(query, { tail: false });
      const range = { after: 0, through, sinceMs: nowMs - 600_000, stepMs: 600_000, buckets: 2 };
      // A clock that stands still: all of them are counted, however busy the machine is.
      const counts = await countLines(
        reader,
        { ...range, filter },
        () => false,
        () => 0,
      );
      close();
      return [counts.errors, counts.warnings, counts.others].map((all) =>
        all.reduce((sum, one) => sum + one),
      );
    };
    edges.clear();
    const small = await count(new SmallScans(4_096 + integer(20_000), integer(3)));
    for (const { first } of store.closedFiles(app)) edges.add(first);
    const [errors, warnings, others] = small;
    expect(await count(threads), `seed ${SEED}`).toEqual(small);
    const found = await read(new StreamReaders(store, threads), { ...query, lines: '100000' });
    expect(errors + warnings + others, `seed ${SEED}`).toBe(found.length);
    const events = new Set(found.filter((at) => lines[at]!.isError).map((at) => lines[at]!.event));
    expect(errors, `seed ${SEED}`).toBeGreaterThanOrEqual(events.size);
    // An event that goes on in another file is one there too.
    const cut = [...edges].reduce((sum, edge) => sum + Math.min(4, lines.length - edge), 0);
    expect(errors, `seed ${SEED}`).toBeLessThanOrEqual(events.size + cut);
  });
});
