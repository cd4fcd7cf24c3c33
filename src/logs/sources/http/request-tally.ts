import { TailraceError } from '../../../common/errors.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import type { LogSource } from '../../router/token-cache.ts';
import type { LineAdmission } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';

/** What is asked about requests. */
export type RequestLimiter = LineAdmission & Pick<RateLimiter, 'allowsRequest' | 'countLimited'>;

/** For lines that were admitted before. */
export const ADMITTED: RequestLimiter = {
  disabled: true,
  admit: (_logSource, lines) => lines,
  charge() {},
  allowsRequest: () => true,
  countLimited() {},
};

interface Amount {
  lines: number;
  bytes: number;
}

/**
 * What the lines of one request with several sources take of the limits: they are counted first, and then all of them are
 * admitted or none, since the request is stored or refused as a whole.
 */
export class RequestTally implements LineAdmission {
  readonly disabled = false;
  private readonly rateLimiter: RequestLimiter;
  private readonly counters: ListenerCounters;
  private readonly amounts = new Map<LogSource, Amount>();

  constructor(rateLimiter: RequestLimiter, counters: ListenerCounters) {
    this.rateLimiter = rateLimiter;
    this.counters = counters;
  }

  /** Counts lines; all of them may pass so far. */
  admit(logSource: LogSource, lines: number, bytes: number): number {
    this.charge(logSource, lines, bytes);
    return lines;
  }

  charge(logSource: LogSource, lines: number, bytes: number): void {
    const amount = this.amounts.get(logSource) ?? { lines: 0, bytes: 0 };
    this.amounts.set(logSource, amount);
    amount.lines += lines;
    amount.bytes += bytes;
  }

  /** @throws TailraceError `rate_limited` when one of the sources has sent more than it may: nothing is taken then. */
  chargeAll(): void {
    const sources = [...this.amounts];
    if (sources.every(([logSource]) => this.rateLimiter.allowsRequest(logSource))) {
      for (const [logSource, { lines, bytes }] of sources) this.rateLimiter.charge(logSource, lines, bytes);
      return;
    }
    for (const [{ app }, { lines }] of sources) {
      this.counters.limited += lines;
      this.rateLimiter.countLimited(app, lines);
    }
    throw new TailraceError(
      'rate_limited',
      'A source of these lines or its app has sent more than it may: try again in a moment.',
    );
  }
}
