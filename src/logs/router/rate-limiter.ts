/** How much a token and an app may send. What is over is rejected, and logged to the app once a minute. */
import { TokenBucket } from '../../common/limits/token-bucket.ts';
import type { AppId, LimitsByApp } from '../store/contract.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import { AppReports } from './app-reports.ts';
import type { LogSource } from './token-cache.ts';

/** Lines and bytes a second; undefined: as many as they like. */
export interface RateLimit {
  readonly lines: number | undefined;
  readonly bytes: number | undefined;
}

export interface RateLimiterOptions {
  readonly token: RateLimit;
  readonly app: RateLimit;
  /** Where apps have rates of their own, in place of `app`. */
  readonly limits: LimitsByApp;
  /** Adds a line to the app's stream. */
  readonly logToApp: (app: AppId, message: string) => void;
}

interface Buckets {
  readonly rate: RateLimit;
  readonly lines: TokenBucket | undefined;
  readonly bytes: TokenBucket | undefined;
}

export class RateLimiter {
  private readonly options: RateLimiterOptions;
  private readonly now: () => number;
  private readonly buckets = new Map<string, Buckets>();
  private readonly reports: AppReports;
  /** The settings limit something. */
  private readonly limitsAll: boolean;
  /** Nothing is limited: callers needn't ask now. */
  disabled: boolean;

  constructor(options: RateLimiterOptions, now: () => number = () => performance.now()) {
    const { token, app, limits } = options;
    this.options = options;
    this.now = now;
    this.reports = new AppReports((app, count, sinceMs) => {
      const since = formatTimestamp(sinceMs);
      const message = `Rate limit: ${count} messages refused since ${since}. Allowed are ${formatRates(options.token, this.rateOf(app))}.`;
      options.logToApp(app, message);
    });
    this.limitsAll = [token.lines, token.bytes, app.lines, app.bytes].some((rate) => rate !== undefined);
    this.disabled = !this.limitsAll && !limits.hasRates;
    limits.watch((apps) => this.onLimitsChanged(apps));
  }

  /**
   * Asks for `lines` lines of `bytes` bytes in all; returns how many of them may pass. Bytes are checked before they are taken,
   * not after: the last lines may go over the limit, by less than a chunk.
   */
  admit(logSource: LogSource, lines: number, bytes: number): number {
    const now = this.now();
    const allBuckets = this.bucketsFor(logSource);
    let granted = lines;
    for (const buckets of allBuckets) {
      if (buckets.bytes && buckets.bytes.available(now) <= 0) granted = 0;
      if (buckets.lines) granted = Math.min(granted, Math.max(0, Math.floor(buckets.lines.available(now))));
    }
    this.takeFrom(allBuckets, granted, (bytes * granted) / lines);
    if (granted < lines) this.countLimited(logSource.app, lines - granted);
    return granted;
  }

  /** May a request be taken now? It is taken whole and overdraws the bucket: {@link charge} it afterwards. */
  allowsRequest(logSource: LogSource): boolean {
    const now = this.now();
    return this.bucketsFor(logSource).every(
      ({ lines, bytes }) => (lines?.available(now) ?? 1) >= 1 && (bytes?.available(now) ?? 1) > 0,
    );
  }

  /** Takes lines off the budget without asking: they were taken. */
  charge(logSource: LogSource, lines: number, bytes: number): void {
    this.takeFrom(this.bucketsFor(logSource), lines, bytes);
  }

  /** Counts lines that were rejected, for the report in the app's stream. */
  countLimited(app: AppId, lines: number): void {
    this.reports.count(app, lines);
  }

  /** Logs what hasn't been logged yet. */
  close(): void {
    this.reports.close();
  }

  private takeFrom(allBuckets: readonly Buckets[], lines: number, bytes: number): void {
    for (const buckets of allBuckets) {
      buckets.lines?.take(lines);
      buckets.bytes?.take(bytes);
    }
  }

  private bucketsFor({ token, app }: LogSource): readonly Buckets[] {
    const ofApp = this.buckets.get(app) ?? this.makeBuckets(app, this.rateOf(app));
    if (!token) return [ofApp];
    return [this.buckets.get(token) ?? this.makeBuckets(token, this.options.token), ofApp];
  }

  private makeBuckets(name: string, rate: RateLimit): Buckets {
    const now = this.now();
    const buckets = {
      rate,
      lines: rate.lines === undefined ? undefined : new TokenBucket(rate.lines, now),
      bytes: rate.bytes === undefined ? undefined : new TokenBucket(rate.bytes, now),
    };
    this.buckets.set(name, buckets);
    return buckets;
  }

  /** What an app's sources may send together. */
  private rateOf(app: AppId): RateLimit {
    const { linesPerS, bytesPerS } = this.options.limits.of(app) ?? {};
    const { lines, bytes } = this.options.app;
    return {
      lines: linesPerS === undefined ? lines : (linesPerS ?? undefined),
      bytes: bytesPerS === undefined ? bytes : (bytesPerS ?? undefined),
    };
  }

  private onLimitsChanged(apps: readonly AppId[]): void {
    this.disabled = !this.limitsAll && !this.options.limits.hasRates;
    for (const app of apps) {
      const { lines, bytes } = this.rateOf(app);
      const had = this.buckets.get(app)?.rate;
      if (had?.lines !== lines || had?.bytes !== bytes) this.buckets.delete(app);
    }
  }
}

function formatRates(token: RateLimit, app: RateLimit): string {
  const rates = (name: string, { lines, bytes }: RateLimit): string[] => [
    ...(lines === undefined ? [] : [`${lines} lines/s ${name}`]),
    ...(bytes === undefined ? [] : [`${bytes} bytes/s ${name}`]),
  ];
  return [...rates('a token', token), ...rates('an app', app)].join(', ');
}
