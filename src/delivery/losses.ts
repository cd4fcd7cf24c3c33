import { formatTimestamp } from '../syslog/timestamp.ts';
import type { LossNotice } from './outlet.ts';

/** While losses go on, the app's stream is told this often. */
const TELL_MS = 60_000;

/**
 * Counts what a drain loses, and says so: to the drain with its next shipment (unless it refused the lines itself), to the
 * app's stream at once, and then once a minute for as long as it goes on.
 */
export class Losses {
  private readonly drainToken: string;
  private readonly tellApp: (message: string) => void;
  /** Not yet told to the drain. */
  private readonly forDrain = { count: 0, sinceMs: 0 };
  private readonly forApp = { count: 0, sinceMs: 0 };
  /** Why, when it was the destination's own decision. */
  private reason = '';
  private sent: LossNotice | undefined;
  private toldAtMs = 0;
  private timer: NodeJS.Timeout | undefined;
  /** Lines of ours in the stream that the drain hasn't got yet: when only these are refused, that is no news. */
  private ownLines = 0;

  constructor(drainToken: string, tellApp: (message: string) => void) {
    this.drainToken = drainToken;
    this.tellApp = tellApp;
  }

  /** The stream no longer held `count` lines when their turn came. */
  trimmed(count: number, sinceMs: number): void {
    if (this.forDrain.count === 0) this.forDrain.sinceMs = sinceMs;
    this.forDrain.count += count;
    this.reason = '';
    this.note(count, sinceMs);
  }

  /** The destination said that it will never take `count` lines. */
  refused(count: number, reason: string): void {
    this.reason = reason;
    this.note(count, Date.now());
  }

  /** What the drain has to be told with the next shipment: the same, to the byte, until there is more of it. */
  get notice(): LossNotice | undefined {
    const { count, sinceMs } = this.forDrain;
    if (count === 0) return undefined;
    if (this.sent?.count !== count)
      this.sent = { count, message: this.message(count, sinceMs), timestamp: formatTimestamp(Date.now()) };
    return this.sent;
  }

  /** The drain accepted a shipment, which may have come with a notice. */
  accepted(notice: LossNotice | undefined): void {
    this.ownLines = 0;
    if (!notice) return;
    this.forDrain.count -= notice.count;
    this.sent = undefined;
    if (this.forApp.count > 0) this.tell();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private note(count: number, sinceMs: number): void {
    if (this.forApp.count === 0) this.forApp.sinceMs = sinceMs;
    this.forApp.count += count;
    if (this.forApp.count <= this.ownLines) return;
    const waitMs = this.toldAtMs + TELL_MS - Date.now();
    if (waitMs <= 0) this.tell();
    else {
      this.timer ??= setTimeout(() => this.tell(), waitMs);
      this.timer.unref();
    }
  }

  private tell(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.toldAtMs = Date.now();
    const { count, sinceMs } = this.forApp;
    this.forApp.count = 0;
    this.ownLines = 1;
    this.tellApp(this.message(count, sinceMs, this.reason));
  }

  private message(count: number, sinceMs: number, reason = ''): string {
    const why = reason ? `: ${reason}` : '';
    return `Error L10 (output buffer overflow): drain '${this.drainToken}' dropped ${count} messages since ${formatTimestamp(sinceMs)}${why}.`;
  }
}
