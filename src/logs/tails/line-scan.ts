import type { Sequence, StoredBatch } from '../store/contract.ts';
import { RecordCursor } from '../syslog/batch.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import { areMarked, markEvents, wantedLines } from './event-scan.ts';

/** Which lines of some batches are scanned. */
export interface LineRange {
  /** Only lines after this one. */
  readonly after: Sequence;
  /** Only lines up to this one. */
  readonly through: Sequence;
  /** At the most so many that match. */
  readonly count: number;
}

/** How far a scan came. */
export interface ScanResult {
  /** Lines that matched. */
  readonly count: number;
  /** The last line that was scanned, whether it matched or not. */
  readonly last: Sequence;
}

/** Calls `onMatch` for each line of the batches (oldest first) that is in a range and matches a filter. */
export function forEachMatch(
  batches: readonly StoredBatch[],
  range: LineRange,
  filter: LineFilter,
  onMatch: (line: RecordCursor, bytes: Buffer, sequence: Sequence) => void,
): ScanResult {
  const { after, through } = range;
  let count = 0;
  let last = after;
  if (filter.wholeEvents && !areMarked(batches, filter)) markEvents(batches, filter);
  for (const batch of batches) {
    if (batch.first > through) break;
    last = Math.max(last, Math.min(batch.last, through));
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const wanted = filter.wholeEvents ? wantedLines(batch, filter) : undefined;
    if (filter.wholeEvents ? !wanted : !filter.mayMatch(bytes)) continue;
    const cursor = new RecordCursor(bytes);
    const skipped = Math.max(0, after + 1 - batch.first);
    cursor.skip(skipped);
    let candidate = 0;
    for (let sequence = batch.first + skipped; sequence <= through && cursor.advance(); sequence++) {
      if (wanted) {
        if (wanted[sequence - batch.first] === 0) continue;
      } else if (!filter.matchesAll) {
        if (cursor.textEnd <= candidate) continue;
        candidate = filter.nextCandidate(cursor.textStart);
        if (candidate === Number.POSITIVE_INFINITY) break;
        if (cursor.textEnd <= candidate || !filter.matches(cursor, bytes)) continue;
      }
      onMatch(cursor, bytes, sequence);
      if (++count >= range.count) return { count, last: sequence };
    }
  }
  return { count, last };
}

/** Lines that are written together. */
const CHUNK_LINES = 512;
const CHUNK_BYTES = 262_144;

/** Batches put together with their neighbors, as far as they are small, in their order. */
export function chunksOfBatches(batches: readonly StoredBatch[]): StoredBatch[][] {
  const chunks: StoredBatch[][] = [];
  let lines = Number.POSITIVE_INFINITY;
  let bytes = 0;
  for (const batch of batches) {
    lines += batch.count;
    bytes += batch.bytes.length;
    if (lines > CHUNK_LINES || bytes > CHUNK_BYTES) {
      chunks.push([]);
      lines = batch.count;
      bytes = batch.bytes.length;
    }
    chunks[chunks.length - 1].push(batch);
  }
  return chunks;
}
