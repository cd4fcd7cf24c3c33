/** A token bucket: so much a second, and what was not used for a while at once. What is taken whole may overdraw it. */
export class TokenBucket {
  private readonly rate: number;
  private readonly capacity: number;
  private remaining: number;
  private refilledMs: number;

  /**
   * @param rate what may be taken a second
   * @param now milliseconds on a clock that never goes back
   * @param capacity what it holds at the most, and at first; left out: as much as comes in one second
   */
  constructor(rate: number, now: number, capacity = rate) {
    this.rate = rate;
    this.capacity = capacity;
    this.remaining = capacity;
    this.refilledMs = now;
  }

  /** What may be taken now; negative while it is overdrawn. @param now on the constructor's clock */
  available(now: number): number {
    if (now > this.refilledMs) {
      this.remaining = Math.min(
        this.capacity,
        this.remaining + ((now - this.refilledMs) * this.rate) / 1_000,
      );
      this.refilledMs = now;
    }
    return this.remaining;
  }

  /** Takes so much, whether or not it is there; ask {@link available} first. */
  take(amount: number): void {
    this.remaining -= amount;
  }
}
