/** A search may work so long before it has to wait for its next turn. */
const SLICE_MS = 5;

/**
 * Turns at the processor: whoever looks through much history works a few milliseconds at a time, one of them in each turn of
 * the event loop, so that lines go on coming in however many look for something.
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

/** One worker's time; take a new one whenever work starts. */
export class TimeSlice {
  private startedMs = performance.now();

  /** The time is used up: wait for {@link yieldNow}. */
  get expired(): boolean {
    return performance.now() - this.startedMs > SLICE_MS;
  }

  /** Resolves when it is this worker's turn again. */
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
