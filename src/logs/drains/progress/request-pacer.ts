/**
 * While lines come all the time, requests to a destination begin at this interval at the least: each costs it, and us, as much
 * as hundreds of lines do.
 */
const REQUEST_INTERVAL_MS = 20;
/** Of more destinations that get lines all the time, each has a longer interval: a millisecond for each of them, so a thousand requests a second are made. */
const SHARE_MS = 1;
/** Beyond so many, each counts for more: at a thousand there are five hundred requests a second, and it becomes no longer. */
const FEW_DESTINATIONS = 200;
const FURTHER_SHARE_MS = 2.25;
const REQUEST_INTERVAL_MAX_MS = 2_000;
/** Destinations are counted in periods in which each of them has a request, whatever the interval. */
const PERIOD_MS = 3_000;
/** Requests of many destinations begin together, at moments that are so far apart: their cursors are in one commit then. */
const MOMENT_MS = 25;
/** From this interval on. Before, each begins when it may. */
const TOGETHER_FROM_MS = 8 * MOMENT_MS;
/** From this interval on, lines may gather before they are stored: nobody gets them sooner, anyway. */
const RESTING_FROM_MS = 1_000;
/** So many lines are sent at once. */
const FULL_REQUEST_LINES = 500;

/** Whose request begins with others. */
interface Beginner {
  /** It begins in the next turn of the event loop. */
  prepare(): void;
  begin(): void;
}

/** Milliseconds from one request to a destination to the next, when so many destinations get lines all the time. */
export function requestIntervalMs(destinations: number): number {
  const further = Math.max(0, destinations - FEW_DESTINATIONS);
  const shareMs = SHARE_MS * (destinations - further) + FURTHER_SHARE_MS * further;
  return Math.min(Math.max(REQUEST_INTERVAL_MS, shareMs), REQUEST_INTERVAL_MAX_MS);
}

/** How many destinations of this process get requests. */
export class RequestLoad {
  private period = -1;
  private busy = 0;
  private busyBefore = 0;
  /** Who begins at a moment, by its number. */
  private readonly moments = new Map<number, Set<Beginner>>();

  /** A destination gets a request. @param lastMs when it got the one before */
  requestStarted(nowMs: number, lastMs: number): void {
    this.advance(nowMs);
    if (Math.floor(lastMs / PERIOD_MS) !== this.period) this.busy++;
  }

  /** Milliseconds from one request to a destination to the next. */
  intervalMs(nowMs: number): number {
    this.advance(nowMs);
    return requestIntervalMs(Math.max(this.busy, this.busyBefore));
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
    for (const who of this.moments.get(moment) ?? []) who.prepare();
    setImmediate(() => {
      const waiting = this.moments.get(moment) ?? [];
      this.moments.delete(moment);
      for (const who of waiting) who.begin();
    });
  }

  private advance(nowMs: number): void {
    const period = Math.floor(nowMs / PERIOD_MS);
    if (period === this.period) return;
    this.busyBefore = period === this.period + 1 ? this.busy : 0;
    this.busy = 0;
    this.period = period;
  }
}

const processLoad = new RequestLoad();

/** Batches lines that come one by one (linger). The first line after a pause isn't delayed. */
export class RequestPacer implements Beginner {
  private readonly pendingLines: () => number;
  private readonly prepareRequest: () => void;
  private readonly load: RequestLoad;
  private lastStartMs = Number.NEGATIVE_INFINITY;
  /** The last request has to be repeated. */
  private hasFailed = false;
  /** Of who waits for the next request. */
  private resolve: (() => void) | undefined;
  /** What it waits for: its own time, or a moment of many. */
  private timer: NodeJS.Timeout | undefined;
  private moment = 0;

  /**
   * @param pendingLines how many lines wait to be sent
   * @param prepareRequest called in the turn of the event loop before a request that begins with others
   * @param load of all destinations
   */
  constructor(
    pendingLines: () => number,
    prepareRequest: () => void = () => {},
    load: RequestLoad = processLoad,
  ) {
    this.pendingLines = pendingLines;
    this.prepareRequest = prepareRequest;
    this.load = load;
  }

  /** A request begins. */
  requestStarted(): void {
    const now = performance.now();
    this.load.requestStarted(now, this.lastStartMs);
    this.lastStartMs = now;
    this.hasFailed = false;
  }

  /** The last request wasn't accepted, and comes again, or in parts: when is up to others. */
  requestFailed(): void {
    this.hasFailed = true;
  }

  /** Many destinations get requests, and it isn't this one's turn yet: lines that are stored now aren't sent now. */
  get isResting(): boolean {
    const now = performance.now();
    const intervalMs = this.load.intervalMs(now);
    return !this.hasFailed && intervalMs >= RESTING_FROM_MS && now < this.lastStartMs + intervalMs;
  }

  /** More lines may wait. */
  linesArrived(): void {
    if (!this.resolve || this.pendingLines() < FULL_REQUEST_LINES) return;
    if (this.timer) clearTimeout(this.timer);
    else this.load.leave(this, this.moment);
    this.begin();
  }

  prepare(): void {
    this.prepareRequest();
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
    if (this.hasFailed || remainingMs <= 0 || pending === 0 || pending >= FULL_REQUEST_LINES) return;
    await new Promise<void>((resolve) => {
      this.resolve = resolve;
      if (intervalMs >= TOGETHER_FROM_MS) this.moment = this.load.join(this, remainingMs, now);
      else this.timer = setTimeout(() => this.begin(), remainingMs);
    });
  }
}
