import { createHash } from 'node:crypto';

/** So many hash values are kept; with more, the count is an estimate, right within about 6 % two times in three. */
const KEPT_MAX = 256;
const HASHES = 2 ** 32;

/**
 * Counts different texts in bounded space: of their hash values the smallest are kept, and the largest of these says how densely they lie
 * (k minimum values: Bar-Yossef et al., "Counting distinct elements in a data stream", 2002). Exact up to 256.
 *
 * @param kept hash values, ascending
 * @returns those with that of `text`; the same array when it changes nothing
 */
export function addDistinct(kept: readonly number[], text: string): readonly number[] {
  const hash = createHash('sha256').update(text).digest().readUInt32BE(0);
  if (kept.includes(hash) || (kept.length >= KEPT_MAX && hash > (kept.at(-1) ?? 0))) return kept;
  return [...kept, hash].sort((a, b) => a - b).slice(0, KEPT_MAX);
}

/** How many different texts were added. */
export function countDistinct(kept: readonly number[]): number {
  const largest = kept.at(-1) ?? 0;
  return kept.length < KEPT_MAX ? kept.length : Math.round(((KEPT_MAX - 1) / (largest + 1)) * HASHES);
}
