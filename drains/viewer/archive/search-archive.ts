/** Searches the files of an archive where they are: those of a range of time, one after the other, the newest (or oldest) first. */

import { reasonOf, TailraceError } from '../../../src/common/errors.ts';
import { withKnownSender } from '../../../src/logs/query/known-sender.ts';
import { queryLiterals } from '../../../src/logs/query/prefilter/query-literals.ts';
import { QueryMatcher } from '../../../src/logs/query/query-matcher.ts';
import type { QueryNode } from '../../../src/logs/query/query-syntax.ts';
import type { AppId, Sequence } from '../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import type { FoundLine, SearchLimits } from '../store/contract.ts';
import type { ArchiveCatalog, ArchivedFile } from './catalog.ts';
import { FileLines, type ReadLine } from './formats/read-lines.ts';
import { textLines } from './formats/text-lines.ts';

export interface ArchiveSearch {
  /** Undefined: all files. Of files that others have put there it isn't known which group they are of. */
  readonly groups?: readonly string[];
  /** Undefined: all streams. */
  readonly streams?: readonly string[];
  readonly query?: QueryNode;
  readonly fromMs?: number;
  readonly toMs?: number;
  /** `before`: the newest first, from the end of the range or the cursor. `after`: the oldest first. */
  readonly direction: 'before' | 'after';
  readonly cursor?: string;
  readonly limit: number;
}

/** A line that was found in a file. */
export interface ArchiveHit extends FoundLine {
  /** The file that it is in. */
  readonly file: string;
  /** The stream's name then; undefined where the file doesn't say. */
  readonly app: string | undefined;
}

export interface ArchiveSearchResult {
  /** By time, then stream, then position, in the order of the direction. */
  readonly lines: readonly ArchiveHit[];
  readonly cursor: string | undefined;
  /** Where it ended early because of its time limit, milliseconds since 1970. */
  readonly searchedToMs: number | undefined;
  /** Files that could not be read, a sentence each. */
  readonly problems: readonly string[];
  /** How many files were looked at. */
  readonly files: number;
}

/** Where a line stands in the order of lines. */
interface Place {
  readonly timeMs: number;
  readonly stream: string;
  readonly sequence: Sequence;
}

const PLAIN_LITERAL = /^[a-z0-9 ]+$/i;

/** @throws TailraceError `invalid_params` for a cursor that is none; `unavailable` when the archive can't be listed. */
export async function searchArchive(
  catalog: ArchiveCatalog,
  search: ArchiveSearch,
  limits: SearchLimits = {},
): Promise<ArchiveSearchResult> {
  const { direction, limit } = search;
  const sign = direction === 'before' ? -1 : 1;
  const from = search.cursor === undefined ? undefined : readCursor(search.cursor);
  const { files, problems: listProblems } = await catalog.list();
  const problems = [...listProblems];
  const queue = files
    .filter((file) => isWanted(file, search, from, sign))
    .sort((a, b) => sign * (edge(a, -sign) - edge(b, -sign)));
  const hits = new Hits(limit + 1, sign);
  const test = lineTest(search, from, sign);
  const deadlineMs = performance.now() + (limits.timeoutMs ?? Number.POSITIVE_INFINITY);
  let searched = 0;
  let searchedToMs: number | undefined;
  for (const file of queue) {
    // What is left lies beyond all that was found.
    const worst = hits.worst;
    if (worst && sign * (edge(file, -sign) - worst.timeMs) > 0) break;
    const edgeMs = edge(file, -sign);
    // The next request has to come further than this one began.
    const isFurther =
      Number.isFinite(edgeMs) && (!from || sign * (timeBefore(edgeMs, sign) - from.timeMs) > 0);
    if (searched > 0 && isFurther && performance.now() > deadlineMs) {
      searchedToMs = edgeMs;
      break;
    }
    searched++;
    try {
      await searchFile(catalog, file, test, hits, limits.signal);
    } catch (error) {
      if (limits.signal?.aborted) throw error;
      if (!(error instanceof TailraceError)) problems.push(`${file.key} can't be read (${reasonOf(error)}).`);
      else problems.push(error.message);
    }
  }
  const isWithin = ({ timeMs }: ArchiveHit): boolean =>
    searchedToMs === undefined || (sign === -1 ? timeMs >= searchedToMs : timeMs < searchedToMs);
  const found = hits.sorted().filter(isWithin);
  const lines = found.slice(0, limit);
  let cursor: string | undefined;
  if (found.length > limit) cursor = writeCursor(lines[limit - 1]);
  else if (searchedToMs !== undefined)
    cursor = writeCursor({ timeMs: timeBefore(searchedToMs, sign), ...(sign === -1 ? LOWEST : HIGHEST) });
  return {
    lines,
    cursor,
    searchedToMs: cursor === undefined ? undefined : searchedToMs,
    problems,
    files: searched,
  };
}

const LOWEST = { stream: '', sequence: 0 };
const HIGHEST = { stream: '\uffff', sequence: Number.MAX_SAFE_INTEGER };

/** The last time that one meets before an edge. */
function timeBefore(edgeMs: number, sign: number): number {
  return sign === -1 ? edgeMs : edgeMs - 1;
}

/** The end of a file's time that is met last (1) or first (-1) when one goes on in time. */
function edge({ period }: ArchivedFile, side: number): number {
  if (!period) return side === 1 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  return side === 1 ? period.toMs : period.fromMs;
}

function isWanted(file: ArchivedFile, search: ArchiveSearch, from: Place | undefined, sign: number): boolean {
  const { period, listed } = file;
  const { groups, streams, fromMs, toMs } = search;
  if (
    period &&
    ((fromMs !== undefined && period.toMs <= fromMs) || (toMs !== undefined && period.fromMs >= toMs))
  )
    return false;
  if (period && from && (sign === -1 ? period.fromMs > from.timeMs : period.toMs <= from.timeMs))
    return false;
  if (!listed) return groups === undefined && streams === undefined;
  if (groups && !groups.includes(listed.group.id)) return false;
  return streams === undefined || listed.streams.some(({ id }) => streams.includes(id));
}

interface LineTest {
  /** Without reading it: may it be one? */
  mayMatch(text: string): boolean;
  matches(line: ReadLine, place: Place): boolean;
}

function lineTest(search: ArchiveSearch, from: Place | undefined, sign: number): LineTest {
  const { query, fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY, streams } = search;
  const matchers = new Map<string | undefined, QueryMatcher | undefined>();
  const matcherOf = (app: string | undefined): QueryMatcher | undefined => {
    if (!query) return undefined;
    if (!matchers.has(app)) {
      const own = app === undefined ? query : withKnownSender(query, app);
      matchers.set(app, own && new QueryMatcher(own, 'archive'));
    }
    return matchers.get(app);
  };
  const literals = query && queryLiterals(query);
  const rough =
    literals?.every(({ text }) => PLAIN_LITERAL.test(text)) === true
      ? new RegExp(literals.map(({ text }) => text).join('|'), 'i')
      : undefined;
  return {
    // Between the letters of a word there may be color codes.
    mayMatch: (text) => !rough || rough.test(text) || text.includes('\\u001b') || text.includes('\u001b'),
    matches(line, place) {
      if (line.timeMs < fromMs || line.timeMs >= toMs) return false;
      if (from && sign * compare(place, from) <= 0) return false;
      if (streams && (line.stream === undefined || !streams.includes(line.stream))) return false;
      const matcher = matcherOf(line.app);
      if (!matcher) return true;
      const record = Buffer.from(line.record.buffer, line.record.byteOffset, line.record.length);
      const cursor = new RecordCursor(record, 0);
      return cursor.advance() && matcher.matches(cursor, record);
    },
  };
}

async function searchFile(
  catalog: ArchiveCatalog,
  file: ArchivedFile,
  test: LineTest,
  hits: Hits,
  signal: AbortSignal | undefined,
): Promise<void> {
  const lines = new FileLines(file.key, file.format === 'text' ? undefined : file.format);
  let number = 0;
  const take = (found: readonly ReadLine[]): void => {
    for (const line of found) {
      number++;
      const stream = line.stream ?? file.key;
      const sequence = line.position ?? number;
      const place = { timeMs: line.timeMs, stream, sequence };
      if (!test.matches(line, place)) continue;
      const { timeMs, receivedAtMs, app } = line;
      const record = Buffer.from(line.record);
      hits.add({ timeMs, receivedAtMs, record, stream: stream as AppId, sequence, file: file.key, app });
    }
  };
  // A line that goes on in the next one is looked at as a whole; a line without a number of its own has to be counted.
  const isFiltered = file.format === 'ndjson' && file.listed !== undefined;
  for await (const texts of textLines(await catalog.storage.read(file.key), file.key)) {
    signal?.throwIfAborted();
    take(lines.take(isFiltered ? texts.filter((text) => test.mayMatch(text)) : texts));
  }
  take(lines.end());
}

/** The first so many of what was found. */
class Hits {
  private readonly max: number;
  private readonly sign: number;
  private all: ArchiveHit[] = [];
  /** What comes behind it doesn't count: so many are better already. */
  private bound: ArchiveHit | undefined;

  constructor(max: number, sign: number) {
    this.max = max;
    this.sign = sign;
  }

  add(hit: ArchiveHit): void {
    if (this.bound && this.order(hit, this.bound) >= 0) return;
    this.all.push(hit);
    if (this.all.length >= this.max * 2) this.cut();
  }

  /** The last one that still counts; undefined while there is room. */
  get worst(): ArchiveHit | undefined {
    this.cut();
    return this.bound;
  }

  sorted(): readonly ArchiveHit[] {
    this.cut();
    return this.all;
  }

  private cut(): void {
    this.all.sort((a, b) => this.order(a, b));
    this.all.length = Math.min(this.all.length, this.max);
    this.bound = this.all[this.max - 1];
  }

  private order(a: ArchiveHit, b: ArchiveHit): number {
    return this.sign * compare(a, b);
  }
}

function compare(a: Place, b: Place): number {
  return (
    a.timeMs - b.timeMs || (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : a.sequence - b.sequence)
  );
}

function writeCursor({ timeMs, stream, sequence }: Place): string {
  return Buffer.from(JSON.stringify([timeMs, stream, sequence])).toString('base64url');
}

function readCursor(text: string): Place {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(value) && value.length === 3) {
      const [timeMs, stream, sequence] = value;
      if (typeof timeMs === 'number' && typeof stream === 'string' && typeof sequence === 'number')
        return { timeMs, stream, sequence };
    }
  } catch {
    // Said below.
  }
  throw new TailraceError('invalid_params', 'A cursor is one that an answer of a search in the archive had.');
}
