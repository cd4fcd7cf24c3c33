/** Seconds over which a rate is averaged. */
const WINDOW_S = 10;

/** Lines a second, averaged over a sliding window of ten buckets of a second; times are on `performance.now`'s clock. */
export class RateMeter {
  private readonly buckets = new Array<number>(WINDOW_S).fill(0);
  private second = 0;

  /** Counts lines that went just now. */
  add(count: number, nowMs: number = performance.now()): void {
    this.advance(nowMs);
    this.buckets[this.second % WINDOW_S] += count;
  }

  /** Lines a second over the last ten seconds. */
  perSecond(nowMs: number = performance.now()): number {
    this.advance(nowMs);
    return this.buckets.reduce((sum, count) => sum + count, 0) / WINDOW_S;
  }

  /** Empties the buckets of the seconds that have passed. */
  private advance(nowMs: number): void {
    const now = Math.floor(nowMs / 1_000);
    const from = Math.max(this.second + 1, now - WINDOW_S + 1);
    for (let second = from; second <= now; second++) this.buckets[second % WINDOW_S] = 0;
    this.second = Math.max(this.second, now);
  }
}
