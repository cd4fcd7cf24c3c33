/** Seconds over which a rate is told. */
const SECONDS = 10;

/** How many lines a second went through lately: ten buckets of a second, whatever the traffic. */
export class Rate {
  private readonly buckets = new Array<number>(SECONDS).fill(0);
  private second = 0;

  add(count: number, nowMs: number = Date.now()): void {
    this.turn(nowMs);
    this.buckets[this.second % SECONDS] += count;
  }

  /** Lines a second over the last ten seconds. */
  perSecond(nowMs: number = Date.now()): number {
    this.turn(nowMs);
    return this.buckets.reduce((sum, count) => sum + count, 0) / SECONDS;
  }

  /** Empties the buckets of the seconds that went by. */
  private turn(nowMs: number): void {
    const now = Math.floor(nowMs / 1_000);
    const from = Math.max(this.second + 1, now - SECONDS + 1);
    for (let second = from; second <= now; second++) this.buckets[second % SECONDS] = 0;
    this.second = Math.max(this.second, now);
  }
}
