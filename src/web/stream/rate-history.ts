/** Lines per second of the last minutes. */
import type { Line } from './line.ts';

/** How far back is shown. */
export const HISTORY_SECONDS = 300;

export class RateHistory {
  /** Rings: second `s` (since 1970) is at `s % HISTORY_SECONDS`. */
  private readonly all = new Uint32Array(HISTORY_SECONDS);
  private readonly errors = new Uint32Array(HISTORY_SECONDS);
  private newestSecond = 0;
  private lastPosition = 0;
  /** Of what was before this time nothing is known here, milliseconds since 1970: those lines weren't read. */
  completeFromMs = 0;

  /**
   * Counts lines at their own time. When that is out of range, live ones count at their arrival: some senders' clocks are
   * wrong. A line counts once.
   */
  add(lines: readonly Line[], nowMs: number, isLive: boolean): void {
    this.advanceTo(nowMs);
    for (const line of lines) {
      if (line.at <= this.lastPosition) continue;
      this.lastPosition = line.at;
      const lineSecond = Math.floor(line.ms / 1_000);
      const isInRange = lineSecond <= this.newestSecond && lineSecond > this.newestSecond - HISTORY_SECONDS;
      if (!isInRange && !isLive) continue;
      const second = isInRange ? lineSecond : this.newestSecond;
      this.all[second % HISTORY_SECONDS]++;
      if (line.level === 'error') this.errors[second % HISTORY_SECONDS]++;
    }
  }

  /** One value a second, oldest first; the last one is the second that is still running. */
  snapshot(nowMs: number): { all: number[]; errors: number[]; endMs: number } {
    this.advanceTo(nowMs);
    const order = Array.from(
      { length: HISTORY_SECONDS },
      (_, i) => (this.newestSecond + 1 + i) % HISTORY_SECONDS,
    );
    return {
      all: order.map((i) => this.all[i]),
      errors: order.map((i) => this.errors[i]),
      endMs: (this.newestSecond + 1) * 1_000,
    };
  }

  clear(): void {
    this.all.fill(0);
    this.errors.fill(0);
    this.lastPosition = 0;
    this.completeFromMs = 0;
  }

  private advanceTo(nowMs: number): void {
    const now = Math.floor(nowMs / 1_000);
    if (now <= this.newestSecond) return;
    const passed = Math.min(HISTORY_SECONDS, now - this.newestSecond);
    for (let i = 1; i <= passed; i++) {
      this.all[(now - passed + i) % HISTORY_SECONDS] = 0;
      this.errors[(now - passed + i) % HISTORY_SECONDS] = 0;
    }
    this.newestSecond = now;
  }
}
