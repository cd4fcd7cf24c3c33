import type { Sequence } from '../store/contract.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import { noticeLine } from './notice.ts';
import type { FormatName } from './output/format.ts';

/** Lines that a tail was too slow for, or came too late for. */
export interface Loss {
  readonly count: number;
  /** When the last line came that the tail did get, milliseconds since 1970; undefined when it got none. */
  readonly sinceMs: number | undefined;
  /** When the first line came that the stream still has. */
  readonly untilMs: number;
  /** Of the last line that is lost. */
  readonly position: Sequence;
}

/** The line that tells a tail's reader what they have missed: Heroku's error L11. */
export function lossLine({ count, sinceMs, untilMs, position }: Loss, format: FormatName): string {
  const when =
    sinceMs === undefined
      ? `from before ${formatTimestamp(untilMs)}: the stream no longer has them`
      : `since ${formatTimestamp(sinceMs)}`;
  const message = `Error L11 (Tail buffer overflow) -> This tail session dropped ${count} messages ${when}.`;
  return noticeLine(message, position, format);
}
