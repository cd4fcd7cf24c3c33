/** What a histogram shows: how many lines there were in each stretch of time, by how serious they were. */

export interface HistogramCounts {
  /** Where the first bucket begins, milliseconds since 1970. */
  readonly sinceMs: number;
  /** Milliseconds that a bucket is long. */
  readonly stepMs: number;
  /** One number a bucket, oldest first; the three are equally long. */
  readonly errors: readonly number[];
  readonly warnings: readonly number[];
  readonly others: readonly number[];
  /** What was before this time isn't counted, or not yet: no zeros. Milliseconds since 1970. */
  readonly countedSinceMs: number;
}

/** A stretch of time: milliseconds since 1970, without the end. */
export interface TimeRange {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Each of the three lists has as many numbers. */
export function bucketCount({ others }: HistogramCounts): number {
  return others.length;
}

/** Where the last bucket ends. */
export function endOf(counts: HistogramCounts): number {
  return counts.sinceMs + counts.stepMs * bucketCount(counts);
}

/** All lines of a bucket. */
export function totalOf({ errors, warnings, others }: HistogramCounts, bucket: number): number {
  return errors[bucket] + warnings[bucket] + others[bucket];
}

/** The bucket that has a time, or the nearest one. */
export function bucketAt(counts: HistogramCounts, ms: number): number {
  const bucket = Math.floor((ms - counts.sinceMs) / counts.stepMs);
  return Math.max(0, Math.min(bucketCount(counts) - 1, bucket));
}

/** Where a bucket begins and ends. */
export function rangeOfBuckets(counts: HistogramCounts, one: number, other = one): TimeRange {
  const { sinceMs, stepMs } = counts;
  return {
    sinceMs: sinceMs + Math.min(one, other) * stepMs,
    untilMs: sinceMs + (Math.max(one, other) + 1) * stepMs,
  };
}

/** The sums, and the bucket with the most lines. */
export function summarize(counts: HistogramCounts): {
  readonly lines: number;
  readonly errors: number;
  readonly warnings: number;
  readonly busiest: number;
} {
  let [lines, errors, warnings, busiest] = [0, 0, 0, 0];
  for (let i = 0; i < bucketCount(counts); i++) {
    lines += totalOf(counts, i);
    errors += counts.errors[i];
    warnings += counts.warnings[i];
    if (totalOf(counts, i) > totalOf(counts, busiest)) busiest = i;
  }
  return { lines, errors, warnings, busiest };
}
