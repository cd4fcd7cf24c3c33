import { TimeSlices } from '../../common/limits/turns.ts';
import type { Sequence } from '../store/contract.ts';
import type { StreamReader } from '../store/stream-reader.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import { lineLevel } from '../syslog/record.ts';
import { markEvents, repeatedErrors } from './event-scan.ts';
import { FileSearch, type SearchedStream } from './history/file-search.ts';
import { COLUMNS } from './history/scan-job.ts';
import { SEARCH_SLICE_MS } from './last-lines.ts';
import { forEachMatch } from './line-scan.ts';

/** What is counted by the second serves for every step of whole seconds. */
const SECOND_MS = 1_000;
/** One count takes so long at the most, in milliseconds; who asked goes on where it ended. */
const COUNT_MS_MAX = 1_500;

export interface LineCountQuery {
  /** Only lines after this one, up to that one. */
  readonly after: Sequence;
  readonly through: Sequence;
  /** Where the first bucket begins, milliseconds since 1970. */
  readonly sinceMs: number;
  readonly stepMs: number;
  readonly buckets: number;
  readonly filter: LineFilter;
}

export interface LineCounts {
  /** A number for each bucket. */
  readonly errors: number[];
  readonly warnings: number[];
  readonly others: number[];
  /** What is before this position wasn't counted, for want of time; undefined when everything was. */
  readonly before: Sequence | undefined;
  /** Everything that was stored from this time on is counted, milliseconds since 1970. */
  readonly countedSinceMs: number;
}

/** What is read of a stream. */
export type CountedStream = Pick<StreamReader, 'readBefore' | 'isTooOld' | 'oldestShownMs'> & SearchedStream;

/**
 * Counts lines by when they were stored and by how serious they are, newest first, in slices: what isn't done in the time of one
 * count is left to the next.
 * @param now milliseconds on a clock that never goes back
 */
export async function countLines(
  reader: CountedStream,
  query: LineCountQuery,
  isCancelled: () => boolean,
  now: () => number = () => performance.now(),
): Promise<LineCounts> {
  const { after, through, sinceMs, stepMs, buckets, filter } = query;
  const [errors, warnings, others] = [0, 1, 2].map(() => new Array<number>(buckets).fill(0));
  const endMs = now() + COUNT_MS_MAX;
  const slice = new TimeSlices(SEARCH_SLICE_MS);
  // A clock that was set may have stored lines at a time before or after their neighbors.
  const bucketOf = (ms: number): number =>
    Math.max(0, Math.min(buckets - 1, Math.floor((ms - sinceMs) / stepMs)));
  const unitMs = [SECOND_MS, stepMs].find((unit) => stepMs % unit === 0 && sinceMs % unit === 0) ?? 1;
  const files = new FileSearch(reader, filter, isCancelled);
  let countedSinceMs = sinceMs + buckets * stepMs;
  let before = through + 1;
  const result = (rest: Sequence | undefined): LineCounts => ({
    errors,
    warnings,
    others,
    before: rest,
    countedSinceMs: rest === undefined ? sinceMs : countedSinceMs,
  });
  while (before > after + 1) {
    const counted = await files.counts(after, before - 1, unitMs, reader.oldestShownMs);
    if (counted) {
      for (let i = 0; i < counted.counts.length; i += COLUMNS) {
        const bucket = bucketOf(counted.counts[i]);
        errors[bucket] += counted.counts[i + 1];
        warnings[bucket] += counted.counts[i + 2];
        others[bucket] += counted.counts[i + 3];
      }
      before = counted.first;
      countedSinceMs = Math.min(countedSinceMs, counted.oldestMs);
      if (before > after + 1 && (isCancelled() || now() >= endMs)) return result(before);
      continue;
    }
    const batches = await reader.readBefore(before);
    if (batches.length === 0) break;
    if (filter.wholeEvents) markEvents(batches.toReversed(), filter);
    for (const [i, batch] of batches.entries()) {
      const { storedAtMs } = batch;
      if (before <= after + 1 || reader.isTooOld(storedAtMs)) return result(undefined);
      const range = { after, through: Math.min(through, before - 1), count: Number.POSITIVE_INFINITY };
      const bucket = bucketOf(storedAtMs);
      const errorLines = new Set<number>();
      forEachMatch([batch], range, filter, (line, bytes, sequence) => {
        const level = lineLevel(line, bytes);
        if (level === 'error') errorLines.add(sequence - batch.first);
        else if (level === 'warn') warnings[bucket]++;
        else others[bucket]++;
      });
      if (errorLines.size > 0) {
        // A stack trace is one error: its other lines are lines like any.
        const repeated = repeatedErrors(batch, batches.slice(i + 1), (index) => errorLines.has(index));
        errors[bucket] += errorLines.size - repeated;
        others[bucket] += repeated;
      }
      before = batch.first;
      countedSinceMs = Math.min(countedSinceMs, storedAtMs);
      if (before > after + 1 && (isCancelled() || now() >= endMs)) return result(before);
      if (slice.isOver) await slice.next();
    }
  }
  return result(undefined);
}
