/** What a tail itself has to say to its reader: a line like the platform's own, which stands in no stream. */
import type { Sequence } from '../store/contract.ts';
import { platformRecord, toRecordJson } from '../syslog/record.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { TailFormat, TailRecordJson } from './output/line-format.ts';
import { terminalSafeJson } from './output/sanitize.ts';

/** @param position where the reader is. */
export function platformLine(message: string, position: Sequence, format: TailFormat): string {
  const timestamp = formatTimestamp(Date.now());
  if (format === 'text') return `${timestamp} heroku[logplex]: ${message}`;
  const fields: TailRecordJson = {
    position: String(position),
    ...toRecordJson(platformRecord(timestamp, message), 'warn'),
  };
  return terminalSafeJson(fields);
}

/** What a reader is told when the store goes away, and when it is back. */
export class OutageNotices {
  private readonly notify: (message: string) => void;
  private unavailableSinceMs: number | undefined;

  /** @param tell gives the reader a message. */
  constructor(tell: (message: string) => void) {
    this.notify = tell;
  }

  onChange(unavailable: boolean): void {
    if (unavailable) {
      this.unavailableSinceMs = Date.now();
      this.notify(
        'The store is away: lines wait at their senders, and this tail goes on by itself when it is back.',
      );
    } else if (this.unavailableSinceMs !== undefined) {
      const seconds = Math.round((Date.now() - this.unavailableSinceMs) / 1_000);
      this.unavailableSinceMs = undefined;
      this.notify(`The store is back after ${seconds} s: this tail goes on.`);
    }
  }
}
