import { formatTimestamp } from '../../syslog/timestamp.ts';
import type { LossNotice } from '../outlet.ts';
import type { LossSpan } from './cursor-record.ts';
import type { Progress } from './progress.ts';
import type { TellApp } from './tidings.ts';

/** While losses go on, the app's stream is told this often. */
const TELL_MS = 60_000;

/**
 * Counts what a drain loses, and says so (L10): to the drain with its next shipment, to the app's stream as it
 * happens. What wasn't told yet is written down with the cursor, so that it is told after a restart.
 */
export class Losses {
  private readonly drainToken: string;
  private readonly progress: Progress;
  private readonly tellApp: TellApp;
  private sent: LossNotice | undefined;
  private toldAtMs = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(drainToken: string, progress: Progress, tellApp: TellApp) {
    this.drainToken = drainToken;
    this.progress = progress;
    this.tellApp = tellApp;
  }

  /** The stream no longer held these lines when their turn came, or the destination refused them for good. */
  add(span: LossSpan): void {
    const { forDrain, forApp } = this.progress.cursor;
    this.progress.untold(sum(forDrain, span), sum(forApp, span));
    this.tellSoon();
  }

  /** Goes on telling what a process before this one couldn't. */
  resume(): void {
    if (this.progress.cursor.forApp) this.tellSoon();
  }

  /** What the drain has to be told with the next shipment: the same, to the byte, until there is more of it. */
  get notice(): LossNotice | undefined {
    const { forDrain } = this.progress.cursor;
    if (!forDrain) return undefined;
    if (this.sent?.count !== forDrain.count)
      this.sent = {
        drain: this.drainToken,
        count: forDrain.count,
        message: this.message(forDrain),
        timestamp: formatTimestamp(Date.now()),
      };
    return this.sent;
  }

  /** The drain accepted a shipment that came with a notice of `count`. */
  delivered(count: number): void {
    const { forDrain, forApp } = this.progress.cursor;
    const left = (forDrain?.count ?? 0) - count;
    this.sent = undefined;
    this.progress.untold(forDrain && left > 0 ? { ...forDrain, count: left } : undefined, forApp);
    this.tell();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** Now, or, when the app was told a while ago, a while after that. */
  private tellSoon(): void {
    const waitMs = this.toldAtMs + TELL_MS - Date.now();
    if (waitMs <= 0) this.tell();
    else this.timer ??= setTimeout(() => this.tell(), waitMs).unref();
  }

  private tell(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { forDrain, forApp } = this.progress.cursor;
    if (!forApp) return;
    this.toldAtMs = Date.now();
    this.tellApp('loss', this.message(forApp));
    this.progress.untold(forDrain, undefined);
  }

  private message({ count, sinceMs, untilMs, refusal }: LossSpan): string {
    const since = formatTimestamp(sinceMs);
    const range = untilMs > sinceMs ? ` The last of them came by ${formatTimestamp(untilMs)}.` : '';
    const why = refusal ? ` Refused, and kept aside for tailrace drains:refused: ${refusal}.` : '';
    return `Error L10 (output buffer overflow): drain '${this.drainToken}' dropped ${count} messages since ${since}.${range}${why}`;
  }
}

function sum(a: LossSpan | undefined, b: LossSpan): LossSpan {
  if (!a) return b;
  return {
    count: a.count + b.count,
    sinceMs: Math.min(a.sinceMs, b.sinceMs),
    untilMs: Math.max(a.untilMs, b.untilMs),
    refusal: b.refusal ?? a.refusal,
  };
}
