/** A search may work so long before it has to yield. */
const SLICE_MS = 5;

/**
 * Cooperative scheduling: whoever scans much history works a few milliseconds at a time, one of them in each turn of
 * the event loop, so that ingress goes on however many search.
 */
const waiting: (() => void)[] = [];
let scheduled = false;

function schedule(): void {
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    const next = waiting.shift();
    if (waiting.length > 0) schedule();
    next?.();
  });
}

/** The time of one piece of work; make a new one whenever work starts. */
export class TimeSlice {
  private startedMs = performance.now();

  /** The time is used up: await {@link yieldNow}. */
  get expired(): boolean {
    return performance.now() - this.startedMs > SLICE_MS;
  }

  /** Resolves when this work may go on. */
  yieldNow(): Promise<void> {
    return new Promise((resolve) => {
      waiting.push(() => {
        this.startedMs = performance.now();
        resolve();
      });
      if (!scheduled) schedule();
    });
  }
}
