/** Lets something happen at once, and then no more than once in an interval: for warnings about what may happen all the time. */
export class Throttle {
  private readonly intervalMs: number;
  private readonly now: () => number;
  private lastAllowedMs = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds on a clock that never goes back. */
  constructor(intervalMs: number, now: () => number = () => performance.now()) {
    this.intervalMs = intervalMs;
    this.now = now;
  }

  /** May it happen now? True starts a new interval. */
  allow(): boolean {
    const now = this.now();
    if (now - this.lastAllowedMs < this.intervalMs) return false;
    this.lastAllowedMs = now;
    return true;
  }
}
