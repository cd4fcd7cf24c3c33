/** Counts what happens to an app's lines again and again, and reports it to the app's stream: soon the first time, then once a minute. */
import type { AppId } from '../store/contract.ts';

/** The first report comes after this time, so that there is something to count. */
const FIRST_REPORT_MS = 1_000;
const REPORT_INTERVAL_MS = 60_000;

interface Counted {
  count: number;
  sinceMs: number;
  timer: NodeJS.Timeout | undefined;
}

export class AppReports {
  private readonly report: (app: AppId, count: number, sinceMs: number) => void;
  private readonly now: () => number;
  private readonly counts = new Map<AppId, Counted>();

  /** @param report gets how often it happened since when (milliseconds since 1970) */
  constructor(report: (app: AppId, count: number, sinceMs: number) => void, now: () => number = Date.now) {
    this.report = report;
    this.now = now;
  }

  /** It happened `count` times more. */
  count(app: AppId, count: number): void {
    let counted = this.counts.get(app);
    if (!counted) {
      counted = { count: 0, sinceMs: this.now(), timer: undefined };
      this.counts.set(app, counted);
    }
    counted.count += count;
    if (!counted.timer) this.schedule(app, counted, FIRST_REPORT_MS);
  }

  /** Reports what hasn't been reported yet. */
  close(): void {
    for (const [app, counted] of this.counts) {
      clearTimeout(counted.timer);
      if (counted.count > 0) this.reportNow(app, counted);
    }
    this.counts.clear();
  }

  private schedule(app: AppId, counted: Counted, afterMs: number): void {
    counted.timer = setTimeout(() => {
      if (counted.count === 0) {
        this.counts.delete(app);
        return;
      }
      this.reportNow(app, counted);
      this.schedule(app, counted, REPORT_INTERVAL_MS);
    }, afterMs);
    counted.timer.unref();
  }

  private reportNow(app: AppId, counted: Counted): void {
    const { count, sinceMs } = counted;
    counted.count = 0;
    counted.sinceMs = this.now();
    this.report(app, count, sinceMs);
  }
}
