/**
 * A write that took this long means that the system throttles writers (by 10 ms and more; less is another process being scheduled):
 * then another thread writes, for so long.
 */
const SLOW_MS = 8;
const SLOW_FOR_MS = 1_000;

/** Tells whether the system throttles writers, by how long the last write took that the event loop waited for. */
export class SlowWrites {
  /** On the clock of `performance.now()`; 0 when they aren't slow. */
  private untilMs = 0;

  /** May the event loop wait for a write? */
  get mayBlock(): boolean {
    return this.untilMs === 0 || performance.now() >= this.untilMs;
  }

  /** A write is done that the event loop has waited for. @param startMs when it began, on the clock of `performance.now()` */
  waited(startMs: number): void {
    const endMs = performance.now();
    this.untilMs = endMs - startMs > SLOW_MS ? endMs + SLOW_FOR_MS : 0;
  }
}
