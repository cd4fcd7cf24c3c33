import type { Sequence } from '../store/contract.ts';
import type { Reader } from '../store/reader.ts';
import type { Filter } from './filter.ts';
import { type FormatName, type Formatted, formatBatches, matchesIn } from './format.ts';
import { Turn } from './turns.ts';

/** Characters of found lines that are kept while the search goes on; beyond, they are read again. */
const KEPT_LENGTH_MAX = 4 * 1_048_576;

export interface Wanted {
  /** How many lines. */
  readonly lines: number;
  /** Only lines after this one, up to that one. */
  readonly after: Sequence;
  readonly through: Sequence;
  readonly filter: Filter;
  readonly format: FormatName;
}

/** Where the last lines that were wanted begin. */
export interface Found {
  /** These are the lines, oldest first, as long as they aren't too many; go on behind the last of them. */
  readonly kept: readonly Formatted[];
  /** Behind this position they begin. */
  readonly start: Sequence;
  /** Read on behind this position. */
  readonly position: Sequence;
}

/**
 * Looks backwards for the last lines that match: the filter counts before the limit does, and all of the stream is looked
 * through if need be.
 */
export async function findLast(reader: Reader, wanted: Wanted, isGivenUp: () => boolean): Promise<Found> {
  const { lines, after, through, filter, format } = wanted;
  if (lines === 0 || through <= after) return from(Math.max(after, through));
  // Sequences have no gaps: without a filter there is nothing to look for.
  if (filter.empty) return from(Math.max(after, through - lines));
  const turn = new Turn();
  const kept: Formatted[] = [];
  let length = 0;
  let count = 0;
  for (let before = through + 1; before > after + 1; ) {
    const batches = await reader.readBefore(before);
    if (batches.length === 0) break;
    for (const batch of batches) {
      before = batch.first;
      const inside = { after: Math.max(after, batch.first - 1), through: Math.min(through, batch.last) };
      const matches = matchesIn(batch, inside, filter);
      const surplus = Math.max(0, count + matches.length - lines);
      const start = surplus === 0 ? inside.after : matches[surplus] - 1;
      count += matches.length - surplus;
      if (matches.length > 0 && length <= KEPT_LENGTH_MAX) {
        const range = { after: start, through: inside.through, count: Number.POSITIVE_INFINITY };
        const formatted = formatBatches([batch], range, filter, format);
        for (const line of formatted.lines) length += line.length;
        kept.push(formatted);
      }
      if (count >= lines) return found(kept, length, start, through);
      if (before <= after + 1) break;
      if (turn.over) await turn.next();
      if (isGivenUp()) return from(through);
    }
  }
  return found(kept, length, after, through);
}

function found(kept: Formatted[], length: number, start: Sequence, through: Sequence): Found {
  if (length > KEPT_LENGTH_MAX) return from(start);
  return { kept: kept.reverse(), start, position: through };
}

function from(start: Sequence): Found {
  return { kept: [], start, position: start };
}
