/** How many lines of each level a block has in each minute: what counts are made of without unpacking it. */
import type { LogLevel } from '../../../../src/logs/syslog/level.ts';

export const MINUTE_MS = 60_000;
/** A minute's number since 1970, errors, warnings, others. */
const COLUMNS = 4;

/** Counts of one block: a row a minute, of minute (since 1970), errors, warnings and others. */
export class MinuteCounts {
  private readonly minutes = new Map<number, Uint32Array>();
  private lastMinute = -1;
  private last: Uint32Array = new Uint32Array(COLUMNS);

  /** Counts a line. @param timeMs milliseconds since 1970 */
  add(timeMs: number, level: LogLevel): void {
    const minute = Math.floor(timeMs / MINUTE_MS);
    if (minute !== this.lastMinute) {
      let counts = this.minutes.get(minute);
      if (!counts) {
        counts = new Uint32Array(COLUMNS);
        counts[0] = minute;
        this.minutes.set(minute, counts);
      }
      this.last = counts;
      this.lastMinute = minute;
    }
    this.last[level === 'error' ? 1 : level === 'warn' ? 2 : 3]++;
  }

  /** The counts of all minutes, one after the other, in {@link COLUMNS}; the counter is empty then. */
  take(): Uint32Array {
    const all = new Uint32Array(this.minutes.size * COLUMNS);
    let at = 0;
    for (const counts of this.minutes.values()) {
      all.set(counts, at);
      at += COLUMNS;
    }
    this.minutes.clear();
    this.lastMinute = -1;
    return all;
  }
}

/** Calls `take` with the counts of each minute. */
export function forEachMinute(
  counts: Uint32Array,
  take: (startMs: number, error: number, warning: number, other: number) => void,
): void {
  for (let i = 0; i + COLUMNS <= counts.length; i += COLUMNS)
    take(counts[i] * MINUTE_MS, counts[i + 1], counts[i + 2], counts[i + 3]);
}
