/**
 * While lines come all the time, requests to a destination begin at this interval at the least: each costs it, and us, as much
 * as hundreds of lines do.
 */
const REQUEST_INTERVAL_MS = 20;
/** So many lines are sent at once. */
const FULL_REQUEST_LINES = 500;

/** Batches lines that come one by one (linger). The first line after a pause isn't delayed. */
export class RequestPacer {
  private readonly pendingLines: () => number;
  private lastStartMs = Number.NEGATIVE_INFINITY;
  private proceed = (): void => {};

  /** @param pendingLines how many lines wait to be sent */
  constructor(pendingLines: () => number) {
    this.pendingLines = pendingLines;
  }

  /** A request begins. */
  requestStarted(): void {
    this.lastStartMs = performance.now();
  }

  /** More lines may wait. */
  linesArrived(): void {
    if (this.pendingLines() >= FULL_REQUEST_LINES) this.proceed();
  }

  /** Resolves when the next request may begin: the interval is over, or enough lines wait. At once when there is nothing to send. */
  async waitForNext(): Promise<void> {
    const remainingMs = this.lastStartMs + REQUEST_INTERVAL_MS - performance.now();
    const pending = this.pendingLines();
    if (remainingMs <= 0 || pending === 0 || pending >= FULL_REQUEST_LINES) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, remainingMs);
      this.proceed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
