/** Notices of a tail itself to its reader: lines like the platform's own, which are stored in no stream. */
import { platformRecord, toRecordJson } from '../syslog/record.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { TailFormat, TailRecordJson } from './output/line-format.ts';
import { terminalSafeJson } from './output/sanitize.ts';

/** @param position where the reader is; undefined while nobody knows */
export function platformLine(message: string, position: number | undefined, format: TailFormat): string {
  const timestamp = formatTimestamp(Date.now());
  if (format === 'text') return `${timestamp} heroku[logplex]: ${message}`;
  const fields: Partial<TailRecordJson> = {
    ...(position !== undefined && { position: String(position) }),
    ...toRecordJson(platformRecord(timestamp, message), 'warn'),
  };
  return terminalSafeJson(fields);
}

/**
 * What a reader is told who goes on behind a line that the stream never had, or has no more: what there is up to its newest one wasn't sent.
 * @param after its position
 * @param newest that of the newest line
 */
export function foreignPosition(after: number, newest: number): string {
  const missed =
    newest === 0
      ? 'There are no lines yet.'
      : `Lines up to ${newest} may be missing here: ask without \`after\` for all.`;
  return `Position ${after} isn't of this stream, which ends with ${newest}: the app was made anew under its name, or the stream lost its end. ${missed}`;
}

/**
 * What a reader is told who has had lines that a power cut took.
 * @param after its position
 * @param end that of the line with which the stream ended then; 0 when there was none
 */
export function lostEnd(after: number, end: number): string {
  const rest = end === 0 ? 'left nothing of the stream' : `left the stream up to ${end}`;
  return `Position ${after} is of lines that are lost: a power cut ${rest}. What came since follows, at positions far above.`;
}

/** Notifies a tail's reader when the store becomes unavailable, and when it is available again. */
export class OutageNotices {
  private readonly notify: (message: string) => void;
  private readonly now: () => number;
  private unavailableSinceMs: number | undefined;

  /**
   * @param notify gives the reader a message
   * @param now milliseconds on a clock that is never set
   */
  constructor(notify: (message: string) => void, now: () => number = () => performance.now()) {
    this.notify = notify;
    this.now = now;
  }

  /** Takes what {@link Store.watchOutage} says. */
  onChange(unavailable: boolean): void {
    if (unavailable) {
      this.unavailableSinceMs = this.now();
      this.notify(
        'The store is away: lines wait at their senders, and this tail goes on by itself when it is back.',
      );
    } else if (this.unavailableSinceMs !== undefined) {
      const seconds = Math.round((this.now() - this.unavailableSinceMs) / 1_000);
      this.unavailableSinceMs = undefined;
      this.notify(`The store is back after ${seconds} s: this tail goes on.`);
    }
  }
}
