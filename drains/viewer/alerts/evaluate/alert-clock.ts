import {
  StoreClock,
  type StoreClockRecord,
  type TimeSources,
} from '../../../../src/logs/store/embedded/store-clock.ts';

/** How long ago the system's clock was set is forgotten: lines that were stored before are evaluated long since. */
const STEPS_KEPT_MS = 7 * 86_400_000;

/**
 * The clock of alerts: never set, and going on over restarts, as the store's is, so that no jump of the system's clock fires an alert or
 * silences one. Lines have stamps of the system's clock: how long ago one was given is known, also when the clock was set since.
 */
export class AlertClock {
  private readonly clock: StoreClock;
  private readonly wall: () => number;
  /** For each stream when its last line came. */
  private readonly lastMs = new Map<string, number>();
  /** When it was kept the last time: nobody looked at lines from then until it was opened. */
  readonly savedMs: number;
  readonly openedMs: number;

  constructor(saved: StoreClockRecord | undefined, sources?: TimeSources) {
    this.clock = new StoreClock(saved, sources);
    this.wall = sources?.wall ?? Date.now;
    this.openedMs = this.clock.now();
    this.savedMs = saved?.nowMs ?? this.openedMs;
  }

  /** Milliseconds that never go back, also over restarts. */
  now(): number {
    return this.clock.now();
  }

  /** What has to be known after a restart. */
  save(): StoreClockRecord {
    this.clock.forgetBefore(STEPS_KEPT_MS);
    return this.clock.save();
  }

  /** When a line came that has a stamp of the system's clock; never before the line before it in its stream, and never in the future. */
  arrival(stream: string, stampMs: number): number {
    // Notices that it was set.
    this.clock.stamp();
    const nowMs = this.clock.now();
    const cameMs = nowMs - this.clock.ageOf(stampMs);
    const atMs = Math.min(nowMs, Math.max(this.lastMs.get(stream) ?? 0, cameMs));
    this.lastMs.set(stream, atMs);
    return atMs;
  }

  /** A time of this clock on the system's, for people. */
  toWall(ms: number): number {
    return Math.round(this.wall() - (this.now() - ms));
  }
}
