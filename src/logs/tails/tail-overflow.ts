import { platformErrorTitle } from '../../common/platform-errors.ts';
import type { Sequence } from '../store/contract.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { TailFormat } from './output/line-format.ts';
import { platformLine } from './tail-notices.ts';

/** Lines that a tail was too slow for, or came too late for. */
export interface TailOverflow {
  readonly count: number;
  /** When the last line came that the tail did get, milliseconds since 1970; undefined when it got none. */
  readonly sinceMs: number | undefined;
  /** When the first line came that the stream still has. */
  readonly untilMs: number;
  /** Of the last line that is lost. */
  readonly position: Sequence;
}

/** The line that tells a tail's reader what they have missed: Heroku's error L11. */
export function tailOverflowLine(
  { count, sinceMs, untilMs, position }: TailOverflow,
  format: TailFormat,
): string {
  const when =
    sinceMs === undefined
      ? `from before ${formatTimestamp(untilMs)}: the stream no longer has them`
      : `since ${formatTimestamp(sinceMs)}`;
  const message = `${platformErrorTitle('L11')} -> This tail session dropped ${count} messages ${when}.`;
  return platformLine(message, position, format);
}
