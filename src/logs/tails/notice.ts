/** What a tail itself has to say to its reader: a line like the platform's own, which stands in no stream. */
import type { Sequence } from '../store/contract.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { FormatName, LineFields } from './output/format.ts';
import { harmlessJson } from './output/sanitize.ts';

/** @param position where the reader is. */
export function noticeLine(message: string, position: Sequence, format: FormatName): string {
  const timestamp = formatTimestamp(Date.now());
  if (format === 'text') return `${timestamp} heroku[logplex]: ${message}`;
  const fields: LineFields = {
    position: String(position),
    timestamp,
    facility: 21,
    severity: 4,
    level: 'warn',
    hostname: 'host',
    source: 'heroku',
    dyno: 'logplex',
    message,
  };
  return harmlessJson(fields);
}

/** What a reader is told when the store goes away, and when it is back. */
export class AbsenceNotices {
  private readonly tell: (message: string) => void;
  private awaySinceMs: number | undefined;

  /** @param tell gives the reader a message. */
  constructor(tell: (message: string) => void) {
    this.tell = tell;
  }

  change(away: boolean): void {
    if (away) {
      this.awaySinceMs = Date.now();
      this.tell(
        'The store is away: lines wait at their senders, and this tail goes on by itself when it is back.',
      );
    } else if (this.awaySinceMs !== undefined) {
      const seconds = Math.round((Date.now() - this.awaySinceMs) / 1_000);
      this.awaySinceMs = undefined;
      this.tell(`The store is back after ${seconds} s: this tail goes on.`);
    }
  }
}
