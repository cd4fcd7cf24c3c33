/** Which stretch of time a view's histogram shows: the last hour, or from one time to another. */
import { parseDuration } from '../../../common/time-expression.ts';
import { stepFor } from './time-steps.ts';

/** The last so many milliseconds, up to now; or from one time to another, milliseconds since 1970. */
export type ViewRange = { readonly lastMs: number } | { readonly sinceMs: number; readonly untilMs: number };

/** The ranges to choose from. */
export const LAST_RANGES = ['5m', '15m', '1h', '6h', '1d', '7d'] as const;
export const RANGE_DEFAULT = '15m';
/** Bars that are drawn at the most. */
const BUCKETS_MAX = 150;
const STEP_MS_MIN = 1_000;
/** How much longer the range is that is zoomed out to. */
const ZOOM_OUT_FACTOR = 4;

/** Reads what stands in an address: `1h`, or two times with a slash between them (ISO 8601, 4.4). Undefined when it is neither. */
export function parseRange(text: string): ViewRange | undefined {
  const [since, until] = text.split('/').map(Date.parse);
  if (until !== undefined) return since < until ? { sinceMs: since, untilMs: until } : undefined;
  const lastMs = parseDuration(text);
  return lastMs ? { lastMs } : undefined;
}

/** As it stands in an address. */
export function formatRange(sinceMs: number, untilMs: number): string {
  return [sinceMs, untilMs].map((ms) => new Date(ms).toISOString().replace('.000Z', 'Z')).join('/');
}

/** Milliseconds from its beginning to its end. */
export function lengthOf(range: ViewRange): number {
  return 'lastMs' in range ? range.lastMs : range.untilMs - range.sinceMs;
}

/** How long its buckets are. */
export function bucketStep(range: ViewRange): number {
  return Math.max(STEP_MS_MIN, stepFor(lengthOf(range), BUCKETS_MAX));
}

/** A longer range around what is shown, as it stands in an address; up to now it is one of {@link LAST_RANGES}. Undefined when it is the longest. */
export function zoomedOut(
  shown: { readonly sinceMs: number; readonly untilMs: number },
  nowMs: number,
): string | undefined {
  const longest = parseDuration(LAST_RANGES[LAST_RANGES.length - 1]) ?? 0;
  const length = shown.untilMs - shown.sinceMs;
  if (length >= longest && shown.untilMs >= nowMs) return undefined;
  const wanted = Math.min(longest, length * ZOOM_OUT_FACTOR);
  const middle = (shown.sinceMs + shown.untilMs) / 2;
  const untilMs = Math.round(middle + wanted / 2);
  if (untilMs < nowMs) return formatRange(untilMs - wanted, untilMs);
  return (
    LAST_RANGES.find((text) => (parseDuration(text) ?? 0) >= nowMs - (untilMs - wanted)) ?? LAST_RANGES.at(-1)
  );
}
