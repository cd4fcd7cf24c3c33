/** Lengths of time that people count in. */

const [S, M, H, D] = [1_000, 60_000, 3_600_000, 86_400_000];
const STEPS_MS: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * S),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * M),
  ...[1, 2, 3, 6, 12].map((count) => count * H),
  ...[1, 2, 7, 14, 28, 91, 182, 364].map((count) => count * D),
];

/** The shortest length of people's with which a range has no more buckets than this. */
export function stepFor(rangeMs: number, bucketsMax: number): number {
  const longest = STEPS_MS[STEPS_MS.length - 1];
  return (
    STEPS_MS.find((step) => rangeMs / step <= bucketsMax) ??
    Math.ceil(rangeMs / bucketsMax / longest) * longest
  );
}
