/**
 * Searches of history in closed files, which threads scan: the same lines in the same order as who reads everything finds, also while the
 * files are damaged, trimmed or added to.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import { readQuery } from '../../../../src/logs/query/read-query.ts';
import type { AppId, StreamDamage } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import type { FileScanner, FileScanResult } from '../../../../src/logs/store/file-scanner.ts';
import { StreamReaders } from '../../../../src/logs/store/stream-reader.ts';
import { LineFilter } from '../../../../src/logs/syslog/line-filter.ts';
import { FileSearch } from '../../../../src/logs/tails/history/file-search.ts';
import { ScanThreads } from '../../../../src/logs/tails/history/scan-threads.ts';
import { countLines } from '../../../../src/logs/tails/line-counts.ts';
import { PLAIN_TEXT_ENCODINGS } from '../../../../src/logs/tails/output/encodings.ts';
import { parseTailQuery, type TailQuery } from '../../../../src/logs/tails/tail-query.ts';
import { TailSession, type TailSink } from '../../../../src/logs/tails/tail-session.ts';
import { newAppId } from '../../../support/batches.ts';
import { batchOfOldLines, type OldLine } from '../../../support/old-lines.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';
import { until } from '../../../support/until.ts';

/** Segments of 64 KB, and more of them than one read of a megabyte takes. */
const RETENTION = { lines: 1e6, bytes: 2_000_000, ageMs: 1e9 };
const SEED = Math.floor(Math.random() * 2 ** 32);
const random = seededRandom(SEED);
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
const threads = new ScanThreads();
const folders: string[] = [];
const stores: EmbeddedStore[] = [];

afterAll(async () => {
  await threads.close();
  for (const store of stores) await store.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function openStore(retention = RETENTION): { store: EmbeddedStore; folder: string; app: AppId } {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-history-'));
  const store = new EmbeddedStore({ folder, retention, durability: 'process' });
  folders.push(folder);
  stores.push(store);
  return { store, folder, app: newAppId() };
}

const WORDS = [
  'GET',
  'order',
  'Error:',
  'timeout',
  'ÄRGER',
  'status=200',
  'status=503',
  'at=warn',
  '"',
  '\\',
  '日本',
];

function someLine(i: number): OldLine {
  const message = Array.from({ length: 1 + Math.floor(random() * 12) }, () => pick(WORDS)).join(' ');
  return {
    dyno: pick(['web.1', 'web.2', 'worker.1']),
    source: pick(['app', 'heroku']),
    structuredData: random() < 0.1 ? `[meta n="${i}" text="say \\"hi\\""]` : '-',
    message:
      i % 400 === 7
        ? `a Needle ${i} in ${message}`
        : random() < 0.05
          ? `\x1b[31mnee\x1b[0mdle ${i}`
          : random() < 0.1
            ? JSON.stringify({ level: pick(['info', 'error']), n: i, text: message })
            : message,
  };
}

/** Appends lines in batches of all sizes. */
async function fill(store: EmbeddedStore, app: AppId, lines: number, startAt = 0): Promise<void> {
  for (let i = 0; i < lines; ) {
    const count = Math.min(lines - i, 1 + Math.floor(random() * random() * 60));
    const batch = batchOfOldLines(Array.from({ length: count }, (_, k) => someLine(startAt + i + k)));
    await store.append(app, batch);
    i += count;
  }
}

/** Collects what a session sends, until it is full. */
class Sink implements TailSink<Buffer> {
  readonly encoding = PLAIN_TEXT_ENCODINGS.json;
  readonly lines: string[] = [];
  isFull = false;
  isOver = false;

  write(lines: Buffer): void {
    this.lines.push(...lines.toString().trimEnd().split('\n'));
  }

  /** How long a thread takes to begin is no matter of what is found. */
  notice(message: string, line: string): void {
    if (!message.startsWith('Many searches run')) this.lines.push(line);
  }

  canWrite(): boolean {
    return !this.isFull;
  }

  end(): void {
    this.isOver = true;
  }

  get positions(): number[] {
    return this.lines.filter((line) => line.startsWith('{')).map((line) => Number(JSON.parse(line).position));
  }
}

async function read(readers: StreamReaders, app: AppId, query: TailQuery): Promise<string[]> {
  const { reader, close } = readers.open(app);
  const sink = new Sink();
  const session = new TailSession(reader, { ...parseTailQuery(query, { tail: false }) }, sink);
  let failure: unknown;
  session.onFailure = (error) => {
    failure = error;
  };
  await session.start();
  await until('the end of the lines', () => sink.isOver || failure !== undefined);
  close();
  expect(failure).toBe(undefined);
  return sink.lines;
}

/** Notices of what is lost have the time at which they were written. */
function withoutNoticeTimes(lines: readonly string[]): string[] {
  return lines.map((line) =>
    line.includes('"dyno":"logplex"') ? line.replace(/"timestamp":"[^"]+"/, '') : line,
  );
}

/** Counts what is asked of the threads, and what they couldn't read. */
class CountingScanner implements FileScanner {
  scans = 0;
  failed = 0;
  onScan = (): void => {};

  async scan(...asked: Parameters<FileScanner['scan']>): Promise<FileScanResult | undefined> {
    this.scans++;
    this.onScan();
    const result = await threads.scan(...asked);
    if (!result) this.failed++;
    return result;
  }
}

const QUERIES = [
  'needle',
  'NEEDLE -order',
  '"needle 7"',
  'needle OR 日本',
  'ärger',
  '-order -GET',
  'program:worker',
  'source:heroku needle',
  'status:>=500',
  'status:503 timeout',
  'n:407',
  'text:hi',
  '/need?le \\d+7/',
  '/nee(d|t)le/i',
  'severity:warning',
  'level:error needle',
  'nowhere',
];

describe('what is found in closed files', () => {
  const { store, app } = openStore();
  const scanner = new CountingScanner();
  const [searching, reading] = [new StreamReaders(store, scanner), new StreamReaders(store)];
  beforeAll(() => fill(store, app, 13_000));

  it.each(QUERIES)('for %j is what is found by reading', async (q) => {
    const { last } = await store.bounds(app);
    const before = scanner.scans;
    const ranges: TailQuery[] = [
      { lines: '5', events: 'false' },
      { lines: '5' },
      { lines: '100000' },
      { lines: '100000', events: 'false' },
      { first: '3', after: '0' },
      { after: String(Math.floor(random() * last)) },
      { lines: '20', before: String(Math.floor(random() * last)) },
    ];
    for (const range of ranges) {
      const [found, wanted] = [
        await read(searching, app, { q, format: 'json', ...range }),
        await read(reading, app, { q, format: 'json', ...range }),
      ];
      expect(found, `seed ${SEED}, ${JSON.stringify(range)}`).toEqual(wanted);
    }
    expect(scanner.scans).toBeGreaterThan(before);
    expect(scanner.failed).toBe(0);
  });

  it.each([{ level: 'error' }, { level: 'warn', dyno: 'web' }, { source: 'heroku', dyno: 'worker.1' }])(
    'with %j is what is found by reading',
    async (filter) => {
      const query = { lines: '1000', format: 'json', ...filter };
      expect(await read(searching, app, query)).toEqual(await read(reading, app, query));
    },
  );

  it('is counted as by reading, once and again', async () => {
    const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
    const count = async (readers: StreamReaders, change: object): Promise<object> => {
      const { reader, close } = readers.open(app);
      const { last } = await store.bounds(app);
      const query = {
        after: 0,
        through: last,
        sinceMs: nowMs - 60_000,
        stepMs: 1_000,
        buckets: 62,
        filter: new LineFilter(),
        ...change,
      };
      // By a clock that stands still: one count has its limit of time, and a busy machine takes longer.
      const counts = await countLines(
        reader,
        query,
        () => false,
        () => 0,
      );
      close();
      return { ...counts, countedSinceMs: 0 };
    };
    const matcher = new QueryMatcher(readQuery('needle').expression!, 'needle');
    for (const change of [
      {},
      {},
      { stepMs: 1_500, buckets: 41 },
      { sinceMs: nowMs - 50_250, buckets: 52 },
      { after: 1_111, through: 4_321 },
      { filter: new LineFilter({ matcher }) },
      { filter: new LineFilter({ matcher }) },
    ])
      expect(await count(searching, change), `seed ${SEED}`).toEqual(await count(reading, change));
  });

  it('isn’t searched on when the reader has gone', async () => {
    const { reader, close } = searching.open(app);
    const session = new TailSession(reader, parseTailQuery({ q: 'nowhere' }, { tail: false }), new Sink());
    const before = scanner.scans;
    scanner.onScan = () => session.close();
    await session.start();
    scanner.onScan = () => {};
    expect(scanner.scans).toBe(before + 1);
    close();
  });
});

it('damage is told as by who reads, and what is whole is found', async () => {
  const { store, folder, app } = openStore();
  await fill(store, app, 12_000);
  const files = readdirSync(join(folder, 'streams', app)).sort();
  const path = join(folder, 'streams', app, files[2]);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(path, bytes);
  const damage: StreamDamage[] = [];
  store.watchDamage((one) => damage.push(one));
  const scanner = new CountingScanner();
  const searching = new StreamReaders(store, scanner);
  const asked = { q: 'needle', lines: '1000', events: 'false', format: 'json' };
  const found = await read(searching, app, asked);
  expect([scanner.failed, damage.length]).toEqual([1, 1]);
  const reading = new StreamReaders(store);
  for (const range of [{ lines: '1000' }, { first: '1000' }, { after: '1' }] as TailQuery[]) {
    const query = { q: 'needle', format: 'json', ...range };
    expect(withoutNoticeTimes(await read(searching, app, query))).toEqual(
      withoutNoticeTimes(await read(reading, app, query)),
    );
  }
  expect(found.length).toBeGreaterThan(5);
  // Who goes through the lines one by one is told that some are missing.
  const text = await read(searching, app, { q: 'needle', after: '1' });
  expect(text.filter((line) => line.includes('logplex')).length).toBeGreaterThan(0);
});

it('a tail goes on behind its history without a gap, and has no line twice', async () => {
  const { store, app } = openStore({ ...RETENTION, bytes: 1e7 });
  await fill(store, app, 12_000);
  const { reader, close } = new StreamReaders(store, threads).open(app);
  const sink = new Sink();
  const query = parseTailQuery({ q: 'needle', since: '1h', format: 'json' }, { tail: true });
  const session = new TailSession(reader, query, sink);
  const appended = (async () => {
    for (let i = 0; i < 40; i++) await fill(store, app, 100, 12_000 + 100 * i);
  })();
  await session.start();
  await appended;
  const wanted = await read(new StreamReaders(store), app, { q: 'needle', lines: '100000', format: 'json' });
  await until('all lines', () => sink.lines.length >= wanted.length);
  session.close();
  close();
  expect(sink.lines).toEqual(wanted);
});

it('what is trimmed while it is read is reported as lost, and nothing comes twice', async () => {
  const { store, app } = openStore();
  await fill(store, app, 5_000);
  const { reader, close } = new StreamReaders(store, threads).open(app);
  const sink = new Sink();
  const query = parseTailQuery({ q: 'order OR needle', after: '0', format: 'json' }, { tail: true });
  const session = new TailSession(reader, query, sink);
  const write = sink.write.bind(sink);
  sink.write = (lines) => {
    write(lines);
    if (sink.lines.length < 2_000) sink.isFull = true;
  };
  await session.start();
  await until('a full sink', () => sink.isFull);
  await fill(store, app, 15_000, 5_000);
  sink.isFull = false;
  sink.write = write;
  session.resume();
  await until('the last line', () => session.position >= 20_000);
  session.close();
  close();
  const { positions } = sink;
  expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
  expect(sink.lines.some((line) => line.includes('"dyno":"logplex"'))).toBe(true);
  const last = await read(new StreamReaders(store), app, {
    q: 'order OR needle',
    lines: '1000',
    format: 'json',
  });
  expect(sink.lines.slice(-1_000)).toEqual(last);
});

it('however many search, all have their turn, and who waits for long is told so', async () => {
  const { store, app } = openStore();
  await fill(store, app, 3_000);
  const file = store.closedFiles(app)[0];
  const scan = {
    file,
    after: 0,
    through: file.last,
    filter: new LineFilter(),
    take: { kind: 'last', lines: 1, bytes: 1_000 },
  } as const;
  const answers = await Promise.all(
    Array.from({ length: 400 }, (_, i) => threads.scan(`search ${i % 300}`, scan)),
  );
  expect(new Set(answers.map((answer) => answer?.sequences[0]))).toEqual(new Set([file.last]));

  const { reader, close } = new StreamReaders(store, {
    scan: async () => {
      await until('a notice', () => told > 0);
      return undefined;
    },
  }).open(app);
  let told = 0;
  const search = new FileSearch(
    reader,
    new LineFilter(),
    () => false,
    () => told++,
    1,
  );
  expect(await search.last(0, file.last, 1, 1_000)).toBe(undefined);
  expect(told).toBe(1);
  close();
});
