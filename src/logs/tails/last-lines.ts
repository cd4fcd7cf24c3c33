import { TimeSlices } from '../../common/limits/turns.ts';
import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { StreamReader } from '../store/stream-reader.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import { markEvents } from './event-scan.ts';
import { EVERYTHING, type FileSearch } from './history/file-search.ts';
import { chunksOfBatches, forEachMatch } from './line-scan.ts';
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
  const { lines, after, through, filter, encoding } = query;
  if (lines === 0 || through <= after) return readFrom(Math.max(after, through));
  // Sequences have no gaps, unless lines were deleted: without a filter there is nothing to search for.
  if (filter.matchesAll && reader.edition === 0) return readFrom(Math.max(after, through - lines));
  const slice = new TimeSlices(SEARCH_SLICE_MS);
  const encoded: EncodedLines<T>[] = [];
  let bytes = 0;
  let count = 0;
  const result = (start: Sequence): LastLinesResult<T> =>
    bytes > CACHED_BYTES_MAX
      ? readFrom(start)
      : { encoded: encoded.reverse(), start: encoded.length > 0 ? start : through, position: through };
  for (let before = through + 1; before > after + 1; ) {
    const found = await files.last(after, before - 1, lines - count, CACHED_BYTES_MAX);
    if (isCancelled()) return readFrom(through);
    if (found) {
      const { sequences, batches = [] } = found;
      before = found.first;
      count += sequences.length;
      bytes += found.batches ? sizeOf(batches) : Number.POSITIVE_INFINITY;
      const start = count >= lines ? sequences[0] - 1 : before - 1;
      if (bytes <= CACHED_BYTES_MAX) {
        const inside = { after: start, through, count: Number.POSITIVE_INFINITY };
        for (const chunk of chunksOfBatches(batches).reverse()) {
          const lines = encoding.encode(chunk, inside, EVERYTHING, reader.positions);
          if (lines.count > 0) encoded.push(lines);
          if (slice.isOver) await slice.next();
          if (isCancelled()) return readFrom(through);
        }
      }
      if (count >= lines) return result(start);
      continue;
    }
    const batches = await reader.readBefore(before);
    if (batches.length === 0) break;
    // What many have asked for comes in one turn.
    if (slice.isOver) await slice.next();
    if (isCancelled()) return readFrom(through);
    // They come newest first, and events go on in the other direction.
    if (filter.wholeEvents) markEvents(batches.toReversed(), filter);
    for (const batch of batches) {
      before = batch.first;
      const inside = {
        after: Math.max(after, batch.first - 1),
        through: Math.min(through, batch.last),
        count: Number.POSITIVE_INFINITY,
      };
      const matches: Sequence[] = [];
      for (let scanned = inside.after; scanned < inside.through; ) {
        const range = {
          ...inside,
          after: scanned,
          through: Math.min(scanned + SCANNED_LINES, inside.through),
        };
        forEachMatch([batch], range, filter, (_line, _bytes, sequence) => matches.push(sequence));
        scanned = range.through;
        if (slice.isOver && scanned < inside.through) await slice.next();
        if (isCancelled()) return readFrom(through);
      }
      const surplus = Math.max(0, count + matches.length - lines);
      const start = surplus === 0 ? inside.after : matches[surplus] - 1;
      count += matches.length - surplus;
      if (matches.length > 0) {
        bytes += (batch.bytes.length * matches.length) / batch.count;
        if (bytes <= CACHED_BYTES_MAX)
          encoded.push(encoding.encode([batch], { ...inside, after: start }, filter, reader.positions));
      }
      if (count >= lines) return result(start);
      if (before <= after + 1) break;
      if (slice.isOver) await slice.next();
      if (isCancelled()) return readFrom(through);
    }
  }
  return result(after);
}

function sizeOf(batches: readonly StoredBatch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function readFrom(start: Sequence): { encoded: []; start: Sequence; position: Sequence } {
  return { encoded: [], start, position: start };
}
