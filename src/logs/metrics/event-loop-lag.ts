/** How late the event loop comes to what is due: what everybody waits who wants something of the server. */

const SAMPLE_MS = 500;
/** The longest of so many samples is shown: two scrapes see it at the usual intervals. */
const SAMPLES = 120;

export class EventLoopLag {
  private readonly samples: number[] = [];
  private readonly timer: NodeJS.Timeout;
  private dueMs = performance.now() + SAMPLE_MS;

  constructor() {
    this.timer = setInterval(() => {
      const nowMs = performance.now();
      this.samples.push(Math.max(0, nowMs - this.dueMs));
      if (this.samples.length > SAMPLES) this.samples.shift();
      this.dueMs = nowMs + SAMPLE_MS;
    }, SAMPLE_MS).unref();
  }

  /** The longest of the last minute, ms. */
  get maxMs(): number {
    return this.samples.reduce((most, ms) => Math.max(most, ms), Math.max(0, performance.now() - this.dueMs));
  }

  close(): void {
    clearInterval(this.timer);
  }
}
