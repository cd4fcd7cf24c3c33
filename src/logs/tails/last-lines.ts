import { TimeSlices } from '../../common/limits/turns.ts';
import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { StreamReader } from '../store/stream-reader.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import { markEvents } from './event-scan.ts';
import { EVERYTHING, type FileSearch, type LastFound } from './history/file-search.ts';
import { chunksOfBatches, forEachMatch, type LineRange } from './line-scan.ts';
import type { EncodedLines, TailEncoding } from './output/encodings.ts';

/** A search works so long at a time, in milliseconds: lines are taken meanwhile, however many search. */
export const SEARCH_SLICE_MS = 5;
/** Lines of a batch that are looked at before others may have their turn: an expression takes up to a tenth of a millisecond for each. */
const SCANNED_LINES = 128;
/** Lines that were found, in bytes of their batches, that are kept while the search goes on; if there are more, they are read again. */
const CACHED_BYTES_MAX = 4 * 1_048_576;

export interface LastLinesQuery<T> {
  /** How many lines. */
  readonly lines: number;
  /** Only lines after this one, up to that one. */
  readonly after: Sequence;
  readonly through: Sequence;
  readonly filter: LineFilter;
  readonly encoding: TailEncoding<T>;
}

/** Where the last lines that match begin. */
export interface LastLinesResult<T> {
  /** The lines, oldest first; empty when they are too many to be kept. */
  readonly encoded: readonly EncodedLines<T>[];
  /** They begin after this position. */
  readonly start: Sequence;
  /** What comes next begins after this position. */
  readonly position: Sequence;
}

/**
 * Searches backwards for the last lines that match: the filter applies before the limit, so that all of the stream is searched
 * if need be.
 * @param files searches what is in closed files
 */
export async function findLastLines<T>(
  reader: StreamReader,
  files: FileSearch,
  query: LastLinesQuery<T>,
  isCancelled: () => boolean,
): Promise<LastLinesResult<T>> {
  const { lines, after, through, filter } = query;
  if (lines === 0 || through <= after) return readFrom(Math.max(after, through));
  // Sequences have no gaps, unless lines were deleted: without a filter there is nothing to search for.
  if (filter.matchesAll && reader.edition === 0) return readFrom(Math.max(after, through - lines));
  return new LastLinesSearch(reader, files, query, isCancelled).run();
}

class LastLinesSearch<T> {
  private readonly reader: StreamReader;
  private readonly files: FileSearch;
  private readonly query: LastLinesQuery<T>;
  private readonly isCancelled: () => boolean;
  private readonly slice = new TimeSlices(SEARCH_SLICE_MS);
  /** What was found, newest first. */
  private readonly encoded: EncodedLines<T>[] = [];
  /** Of the batches that they are of; more than {@link CACHED_BYTES_MAX}: they aren't kept. */
  private bytes = 0;
  private count = 0;
  /** What comes before this one is still to be searched. */
  private before: Sequence;
  /** The lines begin after this one; undefined until there are enough. */
  private start: Sequence | undefined;

  constructor(reader: StreamReader, files: FileSearch, query: LastLinesQuery<T>, isCancelled: () => boolean) {
    this.reader = reader;
    this.files = files;
    this.query = query;
    this.isCancelled = isCancelled;
    this.before = query.through + 1;
  }

  async run(): Promise<LastLinesResult<T>> {
    const { lines, after, through } = this.query;
    while (this.hasMore) {
      const found = await this.files.last(after, this.before - 1, lines - this.count, CACHED_BYTES_MAX);
      if (found) {
        await this.takeFound(found);
        continue;
      }
      const batches = await this.reader.readBefore(this.before);
      if (batches.length === 0) break;
      await this.takeBatches(batches);
    }
    if (this.isCancelled()) return readFrom(through);
    const start = this.start ?? after;
    if (this.bytes > CACHED_BYTES_MAX) return readFrom(start);
    const encoded = this.encoded.reverse();
    return { encoded, start: encoded.length > 0 ? start : through, position: through };
  }

  private get hasMore(): boolean {
    return this.start === undefined && this.before > this.query.after + 1 && !this.isCancelled();
  }

  /** Others have their turn: what many have asked for comes in one. */
  private async giveWay(): Promise<void> {
    if (this.slice.isOver) await this.slice.next();
  }

  /** Takes what was found in closed files. */
  private async takeFound({ first, sequences, batches }: LastFound): Promise<void> {
    const { lines, through, encoding } = this.query;
    this.before = first;
    this.count += sequences.length;
    this.bytes += batches ? sizeOf(batches) : Number.POSITIVE_INFINITY;
    if (this.count >= lines) this.start = sequences[0] - 1;
    if (!batches || this.bytes > CACHED_BYTES_MAX) return;
    const after = this.start ?? first - 1;
    for (const chunk of chunksOfBatches(batches).reverse()) {
      const inside = { after, through, count: Number.POSITIVE_INFINITY };
      const found = encoding.encode(chunk, inside, EVERYTHING, this.reader.positions);
      if (found.count > 0) this.encoded.push(found);
      await this.giveWay();
      if (this.isCancelled()) return;
    }
  }

  /** Looks through batches, newest first. */
  private async takeBatches(batches: readonly StoredBatch[]): Promise<void> {
    const { filter } = this.query;
    await this.giveWay();
    // Events go on in the other direction.
    if (filter.wholeEvents) markEvents(batches.toReversed(), filter);
    for (const batch of batches) {
      if (!this.hasMore) return;
      await this.takeBatch(batch);
      if (this.hasMore) await this.giveWay();
    }
  }

  private async takeBatch(batch: StoredBatch): Promise<void> {
    const { lines, after, through, filter, encoding } = this.query;
    this.before = batch.first;
    const inside = {
      after: Math.max(after, batch.first - 1),
      through: Math.min(through, batch.last),
      count: Number.POSITIVE_INFINITY,
    };
    const matches = await this.findMatches(batch, inside);
    const surplus = Math.max(0, this.count + matches.length - lines);
    const start = surplus === 0 ? inside.after : matches[surplus] - 1;
    this.count += matches.length - surplus;
    if (this.count >= lines) this.start = start;
    if (matches.length === 0) return;
    this.bytes += (batch.bytes.length * matches.length) / batch.count;
    if (this.bytes <= CACHED_BYTES_MAX)
      this.encoded.push(encoding.encode([batch], { ...inside, after: start }, filter, this.reader.positions));
  }

  private async findMatches(batch: StoredBatch, inside: LineRange): Promise<Sequence[]> {
    const matches: Sequence[] = [];
    for (let scanned = inside.after; scanned < inside.through; ) {
      const through = Math.min(scanned + SCANNED_LINES, inside.through);
      const range = { ...inside, after: scanned, through };
      forEachMatch([batch], range, this.query.filter, (_line, _bytes, sequence) => matches.push(sequence));
      scanned = through;
      if (scanned < inside.through) await this.giveWay();
      if (this.isCancelled()) return [];
    }
    return matches;
  }
}

function sizeOf(batches: readonly StoredBatch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function readFrom(start: Sequence): { encoded: []; start: Sequence; position: Sequence } {
  return { encoded: [], start, position: start };
}
