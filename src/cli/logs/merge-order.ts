/** A line of one of several streams, in its stream's order. */
export interface StreamLine {
  readonly app: string;
  /** Its own time, milliseconds since 1970; NaN when nobody can read it. */
  readonly ms: number;
}

/**
 * The lines of several streams in one order: by time, but never against a stream's own order, which is that of arrival. So a sender
 * whose clock is wrong doesn't move its newest line to the beginning, where it would be cut off. Lines without a readable time stay
 * with those around them; a stream that has no others is as new as can be.
 *
 * @param lines of each stream in its order
 */
export function mergeInOrder<T extends StreamLine>(lines: readonly T[]): T[] {
  const latest = new Map<string, number>();
  const times = lines.map(({ app, ms }) => {
    const before = latest.get(app);
    if (Number.isNaN(ms)) return before;
    const time = before === undefined ? ms : Math.max(before, ms);
    latest.set(app, time);
    return time;
  });
  // Before a stream's first readable time: that time.
  const next = new Map<string, number>();
  const placed = lines.map((line) => ({ line, time: 0 }));
  for (let i = lines.length - 1; i >= 0; i--) {
    const time = times[i] ?? next.get(lines[i].app) ?? Number.POSITIVE_INFINITY;
    next.set(lines[i].app, time);
    placed[i].time = time;
  }
  placed.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return placed.map(({ line }) => line);
}
