import { formatTimestamp } from '../syslog/timestamp.ts';
import type { LossNotice } from './outlet.ts';

/** While losses go on, the app's stream is told this often. */
const TELL_MS = 60_000;

/** Counts what a drain loses, and says so: to the drain with its next shipment, to the app's stream as it happens. */
export class Losses {
  private readonly drainToken: string;
  private readonly tellApp: (message: string) => void;
  /** Not yet told to the drain. */
  private forDrain = 0;
  private forApp = 0;
  private sinceMs = 0;
  private toldAtMs = 0;

  constructor(drainToken: string, tellApp: (message: string) => void) {
    this.drainToken = drainToken;
    this.tellApp = tellApp;
  }

  /** The stream no longer held `count` lines when their turn came. */
  add(count: number, sinceMs: number): void {
    if (this.forDrain === 0) this.sinceMs = sinceMs;
    this.forDrain += count;
    this.forApp += count;
    if (Date.now() - this.toldAtMs >= TELL_MS) this.tell();
  }

  /** What the drain has to be told with the next shipment. */
  get notice(): LossNotice | undefined {
    if (this.forDrain === 0) return undefined;
    return {
      count: this.forDrain,
      message: this.message(this.forDrain),
      timestamp: formatTimestamp(Date.now()),
    };
  }

  /** The drain accepted a shipment that came with a notice of `count`. */
  delivered(count: number): void {
    this.forDrain -= count;
    if (this.forApp > 0) this.tell();
  }

  private tell(): void {
    this.toldAtMs = Date.now();
    this.tellApp(this.message(this.forApp));
    this.forApp = 0;
  }

  private message(count: number): string {
    const since = formatTimestamp(this.sinceMs);
    return `Error L10 (output buffer overflow): drain '${this.drainToken}' dropped ${count} messages since ${since}.`;
  }
}
