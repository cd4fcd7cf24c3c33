import type { Sequence } from '../store/contract.ts';
import type { Reader } from '../store/reader.ts';
import type { Filter } from './filter.ts';
import type { Wire, Written } from './output/wire.ts';
import { eachMatch } from './range.ts';
import { Turn } from './turns.ts';

/** Found lines, in bytes of their batches, that are kept while the search goes on; beyond, they are read again. */
const KEPT_BYTES_MAX = 4 * 1_048_576;

export interface Wanted<T> {
  /** How many lines. */
  readonly lines: number;
  /** Only lines after this one, up to that one. */
  readonly after: Sequence;
  readonly through: Sequence;
  readonly filter: Filter;
  readonly wire: Wire<T>;
}

/** Where the last lines that were wanted begin. */
export interface Found<T> {
  /** These are the lines, oldest first, as long as they aren't too many. */
  readonly kept: readonly Written<T>[];
  /** Behind this position they begin. */
  readonly start: Sequence;
  /** Read on behind this position. */
  readonly position: Sequence;
}

/**
 * Looks backwards for the last lines that match: the filter counts before the limit does, and all of the stream is looked
 * through if need be.
 */
export async function findLast<T>(
  reader: Reader,
  wanted: Wanted<T>,
  isGivenUp: () => boolean,
): Promise<Found<T>> {
  const { lines, after, through, filter, wire } = wanted;
  if (lines === 0 || through <= after) return from(Math.max(after, through));
  // Sequences have no gaps: without a filter there is nothing to look for.
  if (filter.empty) return from(Math.max(after, through - lines));
  const turn = new Turn();
  const kept: Written<T>[] = [];
  let bytes = 0;
  let count = 0;
  const found = (start: Sequence): Found<T> =>
    bytes > KEPT_BYTES_MAX
      ? from(start)
      : { kept: kept.reverse(), start: kept.length > 0 ? start : through, position: through };
  for (let before = through + 1; before > after + 1; ) {
    const batches = await reader.readBefore(before);
    if (batches.length === 0) break;
    for (const batch of batches) {
      before = batch.first;
      const inside = {
        after: Math.max(after, batch.first - 1),
        through: Math.min(through, batch.last),
        count: Number.POSITIVE_INFINITY,
      };
      const matches: Sequence[] = [];
      eachMatch([batch], inside, filter, (_line, _bytes, sequence) => matches.push(sequence));
      const surplus = Math.max(0, count + matches.length - lines);
      const start = surplus === 0 ? inside.after : matches[surplus] - 1;
      count += matches.length - surplus;
      if (matches.length > 0) {
        bytes += (batch.bytes.length * matches.length) / batch.count;
        if (bytes <= KEPT_BYTES_MAX) kept.push(wire.write([batch], { ...inside, after: start }, filter));
      }
      if (count >= lines) return found(start);
      if (before <= after + 1) break;
      if (turn.over) await turn.next();
      if (isGivenUp()) return from(through);
    }
  }
  return found(after);
}

function from(start: Sequence): { kept: []; start: Sequence; position: Sequence } {
  return { kept: [], start, position: start };
}
