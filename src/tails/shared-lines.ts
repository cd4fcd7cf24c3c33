import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { Reader } from '../store/reader.ts';
import type { Filter } from './filter.ts';
import { type FormatName, type Formatted, formatBatches } from './format.ts';

/** Results of one stream that are remembered: tails that see the same ask for it one after the other. */
const REMEMBERED_MAX = 8;
const remembered = new WeakMap<Reader, Map<string, Formatted>>();

/**
 * The lines of batches after a sequence, written once for all tails who are at the same place and want the same. They get the
 * same object, under which what is made of it (a frame, an event) can be remembered too.
 */
export function sharedLines(
  reader: Reader,
  batches: readonly StoredBatch[],
  after: Sequence,
  filter: Filter,
  format: FormatName,
): Formatted {
  let results = remembered.get(reader);
  if (!results) {
    results = new Map();
    remembered.set(reader, results);
  }
  const through = batches[batches.length - 1].last;
  const key = `${after} ${through} ${format} ${filter.key}`;
  let formatted = results.get(key);
  if (!formatted) {
    formatted = formatBatches(batches, { after, through, count: Number.POSITIVE_INFINITY }, filter, format);
    for (const oldest of results.keys()) {
      if (results.size < REMEMBERED_MAX) break;
      results.delete(oldest);
    }
    results.set(key, formatted);
  }
  return formatted;
}
