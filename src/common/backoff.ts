/** The shortest pause, before the first retry, and the longest one, milliseconds. */
export interface BackoffRange {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait before retry number `attempt` (1 for the first): doubling from `firstMs` up to `maxMs`, and anywhere in
 * the upper half of that ("equal jitter"), so that many who failed together don't come back together.
 *
 * @param random gives numbers from 0 up to 1.
 * @returns whole milliseconds.
 */
export function backoffMs(
  attempt: number,
  { firstMs, maxMs }: BackoffRange,
  random: () => number = Math.random,
): number {
  const fullMs = Math.min(maxMs, firstMs * 2 ** (attempt - 1));
  return Math.round(fullMs / 2 + (fullMs / 2) * random());
}
