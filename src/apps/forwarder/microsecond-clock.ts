/** Often enough to follow corrections of the system's clock, rarely enough to cost nothing. */
const ADJUST_EVERY_MS = 1_000;

const THREE_DIGITS = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, '0'));

/** Timestamps in microseconds for a hot path: all but the last three digits are formatted once a millisecond. */
export class MicrosecondClock {
  private offsetMs = 0;
  private adjustAt = Number.NEGATIVE_INFINITY;
  private last = 0;
  private millisecond = -1;
  private prefix = '';

  /** Now, as `2013-11-04T21:31:32.125756+00:00`. Never earlier than the one before, unless the clock was set back. */
  timestamp(): string {
    const monotonic = performance.now();
    if (monotonic >= this.adjustAt) this.adjust(monotonic);
    // Not below the last one: each adjustment may be off by the part of a millisecond that Date.now() leaves out.
    this.last = Math.max(this.last, this.offsetMs + monotonic);
    const millisecond = Math.floor(this.last);
    if (millisecond !== this.millisecond) {
      this.millisecond = millisecond;
      this.prefix = new Date(millisecond).toISOString().slice(0, -1);
    }
    return `${this.prefix}${THREE_DIGITS[Math.floor((this.last - millisecond) * 1000)]}+00:00`;
  }

  private adjust(monotonic: number): void {
    this.adjustAt = monotonic + ADJUST_EVERY_MS;
    const offsetMs = Date.now() - monotonic;
    if (Math.abs(offsetMs - this.offsetMs) < 2) return;
    this.offsetMs = offsetMs;
    this.last = 0;
  }
}
