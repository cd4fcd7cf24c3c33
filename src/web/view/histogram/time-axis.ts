/** The time axis: which times are written below it, and how. */

import type { TimeRange } from '../../stream/counts/histogram-counts.ts';
import { stepFor } from '../../stream/counts/time-steps.ts';
import { formatTimeOfDay, shortDate, type TimeZone, zoneOffsetMs } from '../../text/format.ts';

const [M, D] = [60_000, 86_400_000];
/** So far apart are the beginnings of two labels at the least, in pixels. */
const LABEL_PX = 84;

export interface TimeTick {
  readonly ms: number;
  readonly label: string;
}

/**
 * The times to write below a range.
 * @param widthPx how wide it is drawn
 */
export function timeTicks({ sinceMs, untilMs }: TimeRange, widthPx: number, zone: TimeZone): TimeTick[] {
  const step = stepFor(untilMs - sinceMs, Math.max(1, Math.floor(widthPx / LABEL_PX)));
  const ticks: TimeTick[] = [];
  // At whole hours and days of the zone, also where its clocks are changed within the range.
  const first = Math.ceil((sinceMs + zoneOffsetMs(sinceMs, zone)) / step);
  for (let i = first; ; i++) {
    const clockMs = i * step;
    const ms = clockMs - zoneOffsetMs(clockMs - zoneOffsetMs(clockMs, zone), zone);
    if (ms >= untilMs) return ticks;
    if (ms >= sinceMs) ticks.push({ ms, label: tickLabel(ms, step, zone) });
  }
}

/** `14:05`, with seconds where they matter; the day where one begins. */
function tickLabel(ms: number, step: number, zone: TimeZone): string {
  const time = formatTimeOfDay(ms, zone);
  if (step >= D || time === '00:00:00') return shortDate(ms, zone);
  return step < M ? time : time.slice(0, 5);
}

/** A time in a histogram's own accuracy: `14:05:09`, `Nov 21, 14:05`. */
export function formatBucketTime(ms: number, range: TimeRange, stepMs: number, zone: TimeZone): string {
  const time = formatTimeOfDay(ms, zone);
  const shown = stepMs < M ? time : time.slice(0, 5);
  const isOneDay = shortDate(range.sinceMs, zone) === shortDate(range.untilMs - 1, zone);
  return isOneDay ? shown : `${shortDate(ms, zone)}, ${shown}`;
}
