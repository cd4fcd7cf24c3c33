import type { Sequence } from '../store/contract.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { FormatName } from './format.ts';
import { noticeLine } from './notice.ts';

/** Lines that a tail was too slow for. */
export interface Loss {
  readonly count: number;
  /** When the last line came that the tail did get, milliseconds since 1970. */
  readonly sinceMs: number;
  /** Of the last line that is lost. */
  readonly position: Sequence;
}

/** The line that tells a tail's reader what they have missed: Heroku's error L11. */
export function lossLine({ count, sinceMs, position }: Loss, format: FormatName): string {
  const message = `Error L11 (Tail buffer overflow) -> This tail session dropped ${count} messages since ${formatTimestamp(sinceMs)}.`;
  return noticeLine(message, position, format);
}
