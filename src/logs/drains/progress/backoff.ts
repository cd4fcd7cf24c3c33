/** Pause before the first retry, and the longest one, milliseconds. */
const FIRST_MS = 100;
const LONGEST_MS = 30_000;

/**
 * How long to wait before retry number `attempt` (from 1): doubling from 0.1 s up to 30 s, and anywhere in the
 * upper half of that, so that many drains to one destination don't come back all at once.
 * @param random a number from 0 to 1.
 */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.round(full / 2 + (full / 2) * random);
}
