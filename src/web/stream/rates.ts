/** Lines per second of the last minutes. */
import type { Line } from './line.ts';

/** How far back is shown. */
export const SECONDS = 300;

export class Rates {
  /** Rings: second `s` (since 1970) is at `s % SECONDS`. */
  private readonly all = new Uint32Array(SECONDS);
  private readonly errors = new Uint32Array(SECONDS);
  private newest = 0;
  private lastAt = 0;
  /** Of what was before this time nothing is known here, milliseconds since 1970: those lines weren't read. */
  knownFromMs = 0;

  /**
   * Counts lines at their own time. When that is out of sight, those that are `fresh` count at their arrival: some senders'
   * clocks are wrong. A line counts once.
   */
  add(lines: readonly Line[], nowMs: number, fresh: boolean): void {
    this.moveTo(nowMs);
    for (const line of lines) {
      if (line.at <= this.lastAt) continue;
      this.lastAt = line.at;
      const own = Math.floor(line.ms / 1_000);
      const isInSight = own <= this.newest && own > this.newest - SECONDS;
      if (!isInSight && !fresh) continue;
      const second = isInSight ? own : this.newest;
      this.all[second % SECONDS]++;
      if (line.level === 'error') this.errors[second % SECONDS]++;
    }
  }

  /** One value a second, oldest first; the last one is the second that is still running. */
  read(nowMs: number): { all: number[]; errors: number[]; endMs: number } {
    this.moveTo(nowMs);
    const order = Array.from({ length: SECONDS }, (_, i) => (this.newest + 1 + i) % SECONDS);
    return {
      all: order.map((i) => this.all[i]),
      errors: order.map((i) => this.errors[i]),
      endMs: (this.newest + 1) * 1_000,
    };
  }

  clear(): void {
    this.all.fill(0);
    this.errors.fill(0);
    this.lastAt = 0;
    this.knownFromMs = 0;
  }

  private moveTo(nowMs: number): void {
    const now = Math.floor(nowMs / 1_000);
    if (now <= this.newest) return;
    const passed = Math.min(SECONDS, now - this.newest);
    for (let i = 1; i <= passed; i++) {
      this.all[(now - passed + i) % SECONDS] = 0;
      this.errors[(now - passed + i) % SECONDS] = 0;
    }
    this.newest = now;
  }
}
