/** Does something grow? Robust figures of a series: what a single peak, or a pause of the collector, doesn't change. */

/** A value at a time, seconds since the beginning. */
export type Point = readonly [seconds: number, value: number];

export interface Trend {
  readonly firstQuarter: number;
  readonly lastQuarter: number;
  /** Theil–Sen: the median of the slopes between all pairs of points; an hour's. */
  readonly perHour: number;
  /** The lower end of its 95 % interval (Sen 1968): above 0 it grows, and that is no chance. */
  readonly perHourAtLeast: number;
}

/** Of so many points, evenly chosen, all pairs are compared. */
const POINTS_MAX = 400;
/** Of the normal distribution, two-sided 95 %. */
const Z = 1.96;

/** NaN throughout when there are fewer than eight points. */
export function trendOf(points: readonly Point[]): Trend {
  if (points.length < 8) return { firstQuarter: NaN, lastQuarter: NaN, perHour: NaN, perHourAtLeast: NaN };
  const quarter = points.length >> 2;
  const values = points.map(([, value]) => value);
  const chosen = thinOut(points);
  const slopes: number[] = [];
  for (let i = 0; i < chosen.length; i++)
    for (let k = i + 1; k < chosen.length; k++) {
      const seconds = chosen[k][0] - chosen[i][0];
      if (seconds > 0) slopes.push(((chosen[k][1] - chosen[i][1]) / seconds) * 3_600);
    }
  slopes.sort((a, b) => a - b);
  const n = chosen.length;
  // The variance of Kendall's S, of which the interval's ranks come.
  const spread = Z * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const lower = Math.max(0, Math.floor((slopes.length - spread) / 2));
  return {
    firstQuarter: medianOf(values.slice(0, quarter)),
    lastQuarter: medianOf(values.slice(-quarter)),
    perHour: medianOf(slopes),
    perHourAtLeast: slopes[lower] ?? NaN,
  };
}

/** More than chance, and more than a share of what was there, or than `floor`, within what was watched: a leak, or something that isn't full yet. */
export function grows(
  trend: Trend,
  { share, floor }: { readonly share: number; readonly floor: number },
): boolean {
  const { firstQuarter, lastQuarter, perHourAtLeast } = trend;
  return perHourAtLeast > 0 && lastQuarter - firstQuarter > Math.max(floor, share * firstQuarter);
}

function thinOut(points: readonly Point[]): readonly Point[] {
  if (points.length <= POINTS_MAX) return points;
  return Array.from({ length: POINTS_MAX }, (_, i) => points[Math.floor((i * points.length) / POINTS_MAX)]);
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
