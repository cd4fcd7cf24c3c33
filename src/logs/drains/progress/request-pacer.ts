/**
 * While lines come all the time, requests to a destination begin at this interval at the least: each costs it, and us, as much
 * as hundreds of lines do.
 */
const REQUEST_INTERVAL_MS = 20;
/** Of many destinations that get lines all the time, each has a longer interval: so many requests a second are made for all of them. */
const REQUESTS_A_SECOND = 1_000;
const REQUEST_INTERVAL_MAX_MS = 1_000;
const SECOND_MS = 1_000;
/** Requests of many destinations begin together, at moments that are so far apart: their cursors are in one commit then. */
const MOMENT_MS = 25;
/** From this interval on. Before, each begins when it may. */
const TOGETHER_FROM_MS = 8 * MOMENT_MS;
/** So many lines are sent at once. */
const FULL_REQUEST_LINES = 500;

/** Whose request begins with others. */
interface Beginner {
  begin(): void;
}

/** How many destinations of this process get requests: counted by the second. */
export class RequestLoad {
  private second = -1;
  private busy = 0;
  private busyBefore = 0;
  /** Who begins at a moment, by its number. */
  private readonly moments = new Map<number, Set<Beginner>>();

  /** A destination gets a request. @param lastMs when it got the one before */
  requestStarted(nowMs: number, lastMs: number): void {
    this.advance(nowMs);
    if (Math.floor(lastMs / SECOND_MS) !== this.second) this.busy++;
  }

  /** Milliseconds from one request to a destination to the next. */
  intervalMs(nowMs: number): number {
    this.advance(nowMs);
    const busy = Math.max(this.busy, this.busyBefore);
    const shareMs = (busy * SECOND_MS) / REQUESTS_A_SECOND;
    return Math.min(Math.max(REQUEST_INTERVAL_MS, shareMs), REQUEST_INTERVAL_MAX_MS);
  }

  /**
   * Has a request begin in so many milliseconds, together with others: up to {@link MOMENT_MS} sooner or later.
   * @returns the number of the moment, for {@link leave}
   */
  join(who: Beginner, ms: number, nowMs: number): number {
    // Rounded up, each interval would be longer than the one before.
    const moment = Math.max(Math.floor((nowMs + ms) / MOMENT_MS), Math.floor(nowMs / MOMENT_MS) + 1);
    let waiting = this.moments.get(moment);
    if (!waiting) {
      waiting = new Set();
      this.moments.set(moment, waiting);
      setTimeout(() => this.beginAll(moment), moment * MOMENT_MS - nowMs);
    }
    waiting.add(who);
    return moment;
  }

  /** It begins without the others. */
  leave(who: Beginner, moment: number): void {
    this.moments.get(moment)?.delete(who);
  }

  private beginAll(moment: number): void {
    const waiting = this.moments.get(moment) ?? [];
    this.moments.delete(moment);
    for (const who of waiting) who.begin();
  }

  private advance(nowMs: number): void {
    const second = Math.floor(nowMs / SECOND_MS);
    if (second === this.second) return;
    this.busyBefore = second === this.second + 1 ? this.busy : 0;
    this.busy = 0;
    this.second = second;
  }
}

const processLoad = new RequestLoad();

/** Batches lines that come one by one (linger). The first line after a pause isn't delayed. */
export class RequestPacer implements Beginner {
  private readonly pendingLines: () => number;
  private readonly load: RequestLoad;
  private lastStartMs = Number.NEGATIVE_INFINITY;
  /** Of who waits for the next request. */
  private resolve: (() => void) | undefined;
  /** What it waits for: its own time, or a moment of many. */
  private timer: NodeJS.Timeout | undefined;
  private moment = 0;

  /**
   * @param pendingLines how many lines wait to be sent
   * @param load of all destinations
   */
  constructor(pendingLines: () => number, load: RequestLoad = processLoad) {
    this.pendingLines = pendingLines;
    this.load = load;
  }

  /** A request begins. */
  requestStarted(): void {
    const now = performance.now();
    this.load.requestStarted(now, this.lastStartMs);
    this.lastStartMs = now;
  }

  /** More lines may wait. */
  linesArrived(): void {
    if (!this.resolve || this.pendingLines() < FULL_REQUEST_LINES) return;
    if (this.timer) clearTimeout(this.timer);
    else this.load.leave(this, this.moment);
    this.begin();
  }

  /** The time has come that {@link waitForNext} waits for. */
  begin(): void {
    const { resolve } = this;
    this.resolve = undefined;
    this.timer = undefined;
    resolve?.();
  }

  /** Resolves when the next request may begin: the interval is over, or enough lines wait. At once when there is nothing to send. */
  async waitForNext(): Promise<void> {
    const now = performance.now();
    const intervalMs = this.load.intervalMs(now);
    const remainingMs = this.lastStartMs + intervalMs - now;
    const pending = this.pendingLines();
    if (remainingMs <= 0 || pending === 0 || pending >= FULL_REQUEST_LINES) return;
    await new Promise<void>((resolve) => {
      this.resolve = resolve;
      if (intervalMs >= TOGETHER_FROM_MS) this.moment = this.load.join(this, remainingMs, now);
      else this.timer = setTimeout(() => this.begin(), remainingMs);
    });
  }
}
