/** How often what has come is taken in while nobody looks. */
const HIDDEN_FLUSH_MS = 500;
/** So many at once fill the screen anew. */
const SCREENFUL = 100;
/** Then the next frame waits, a millisecond for each line but no longer: screens that change more often can't be read, and drawing them takes the time in which lines are taken in. */
const FRAME_WAIT_MAX_MS = 300;

/** Lines that have come and wait for the page's next frame, so that many of them are drawn at once. */
export class FrameQueue<T> {
  private readonly onFrame: (items: readonly T[]) => void;
  private readonly abort: AbortSignal;
  private pending: T[] = [];
  private flushScheduled = false;
  /** Not before this time on the clock of `performance.now()`. */
  private nextFlushMs = 0;

  /** @param abort ends it: what waits then is dropped */
  constructor(onFrame: (items: readonly T[]) => void, abort: AbortSignal) {
    this.onFrame = onFrame;
    this.abort = abort;
    document.addEventListener('visibilitychange', () => this.flush(), { signal: abort });
  }

  push(items: readonly T[]): void {
    for (const item of items) this.pending.push(item);
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    const waitMs = this.nextFlushMs - performance.now();
    // A hidden page draws no frames.
    if (document.hidden) setTimeout(() => this.flush(), HIDDEN_FLUSH_MS);
    else if (waitMs > 0) setTimeout(() => this.flush(), waitMs);
    else requestAnimationFrame(() => this.flush());
  }

  /** Forgets what waits. */
  clear(): void {
    this.pending = [];
  }

  private flush(): void {
    this.flushScheduled = false;
    const items = this.pending;
    if (items.length === 0 || this.abort.aborted) return;
    this.pending = [];
    this.nextFlushMs =
      items.length < SCREENFUL ? 0 : performance.now() + Math.min(items.length, FRAME_WAIT_MAX_MS);
    this.onFrame(items);
  }
}
