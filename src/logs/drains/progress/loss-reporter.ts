import { platformErrorTitle } from '../../../common/platform-errors.ts';
import { formatTimestamp } from '../../syslog/timestamp.ts';
import type { LossNotice } from '../outlet.ts';
import type { LossSpan } from './cursor-record.ts';
import type { CursorState } from './cursor-state.ts';
import type { LogToApp } from './drain-events.ts';

/** While losses go on, the app's stream reports them this often. */
const REPORT_INTERVAL_MS = 60_000;

/**
 * Reports what a drain loses (L10): to the drain with its next shipment, in the app's stream as it happens. What isn't reported
 * yet is saved with the cursor, so that it is after a restart.
 */
export class LossReporter {
  private readonly drainToken: string;
  private readonly cursor: CursorState;
  private readonly logToApp: LogToApp;
  private pendingNotice: LossNotice | undefined;
  /** On the clock of `performance.now()`. */
  private lastReportedAtMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  constructor(drainToken: string, cursor: CursorState, logToApp: LogToApp) {
    this.drainToken = drainToken;
    this.cursor = cursor;
    this.logToApp = logToApp;
  }

  /** These lines were trimmed from the stream before they were sent, or the destination refused them for good. */
  record(span: LossSpan): void {
    const { forDrain, forApp } = this.cursor.record;
    this.cursor.setPendingNotices(mergeSpans(forDrain, span), mergeSpans(forApp, span));
    this.scheduleReport();
  }

  /** Reports what the router before this one couldn't. */
  resume(): void {
    if (this.cursor.record.forApp) this.scheduleReport();
  }

  /** What goes in front of the next shipment: the same, to the byte, until more is lost. */
  get notice(): LossNotice | undefined {
    const { forDrain } = this.cursor.record;
    if (!forDrain) return undefined;
    if (this.pendingNotice?.count !== forDrain.count)
      this.pendingNotice = {
        drainToken: this.drainToken,
        count: forDrain.count,
        message: this.lossMessage(forDrain),
        timestamp: formatTimestamp(Date.now()),
      };
    return this.pendingNotice;
  }

  /** The drain accepted a shipment that came with a notice of `count`. */
  noticeDelivered(count: number): void {
    const { forDrain, forApp } = this.cursor.record;
    const left = (forDrain?.count ?? 0) - count;
    this.pendingNotice = undefined;
    this.cursor.setPendingNotices(forDrain && left > 0 ? { ...forDrain, count: left } : undefined, forApp);
    this.report();
  }

  /** What it waits to say isn't said here any more: the cursor has it, for whoever works on the drain next. */
  stop(): void {
    clearTimeout(this.timer);
  }

  /** Now, or when the interval since the last report is over. */
  private scheduleReport(): void {
    const waitMs = this.lastReportedAtMs + REPORT_INTERVAL_MS - performance.now();
    if (waitMs <= 0) this.report();
    else this.timer ??= setTimeout(() => this.report(), waitMs).unref();
  }

  private report(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { forDrain, forApp } = this.cursor.record;
    if (!forApp) return;
    this.lastReportedAtMs = performance.now();
    this.logToApp('loss', this.lossMessage(forApp));
    this.cursor.setPendingNotices(forDrain, undefined);
  }

  private lossMessage({ count, sinceMs, untilMs, refusal }: LossSpan): string {
    const since = formatTimestamp(sinceMs);
    const untilText = untilMs > sinceMs ? ` The last of them came by ${formatTimestamp(untilMs)}.` : '';
    const reason = refusal ? ` Refused, and kept aside for tailrace drains:refused: ${refusal}.` : '';
    return `${platformErrorTitle('L10')}: drain '${this.drainToken}' dropped ${count} messages since ${since}.${untilText}${reason}`;
  }
}

function mergeSpans(a: LossSpan | undefined, b: LossSpan): LossSpan {
  if (!a) return b;
  return {
    count: a.count + b.count,
    sinceMs: Math.min(a.sinceMs, b.sinceMs),
    untilMs: Math.max(a.untilMs, b.untilMs),
    refusal: b.refusal ?? a.refusal,
  };
}
