/** How long a reading of the store's clock is believed, ms. */
const READING_MS = 60_000;

/**
 * The clock of alerts: the store's, which is never set and goes on over restarts, so that no jump of the system's clock fires an alert or
 * silences one. Lines have stamps of the system's clock: how long ago a line came, by that clock, is how long ago it came by this one.
 */
export class AlertClock {
  private readonly readStore: () => Promise<number>;
  private readonly wall: () => number;
  private readonly monotonic: () => number;
  private baseMs = 0;
  private baseMonotonicMs = Number.NEGATIVE_INFINITY;
  /** For each stream the last time that a line was given. */
  private readonly lastMs = new Map<string, number>();

  constructor(
    readStore: () => Promise<number>,
    wall: () => number = Date.now,
    monotonic: () => number = () => performance.now(),
  ) {
    this.readStore = readStore;
    this.wall = wall;
    this.monotonic = monotonic;
  }

  /** Has to be called before it is asked, and now and then. */
  async adjust(): Promise<void> {
    if (this.monotonic() - this.baseMonotonicMs < READING_MS) return;
    const ms = await this.readStore();
    this.baseMs = Math.max(ms, this.baseMonotonicMs === Number.NEGATIVE_INFINITY ? 0 : this.now());
    this.baseMonotonicMs = this.monotonic();
  }

  now(): number {
    return this.baseMs + this.monotonic() - this.baseMonotonicMs;
  }

  /** When a line came that has a stamp of the system's clock; never before the line before it in its stream, and never in the future. */
  arrival(stream: string, stampMs: number): number {
    const nowMs = this.now();
    const agoMs = Math.max(0, this.wall() - stampMs);
    const atMs = Math.min(nowMs, Math.max(this.lastMs.get(stream) ?? 0, nowMs - agoMs));
    this.lastMs.set(stream, atMs);
    return atMs;
  }

  /** A time of this clock on the system's, for people. */
  toWall(ms: number): number {
    return Math.round(this.wall() - (this.now() - ms));
  }
}
