import { platformErrorTitle } from '../../common/platform-errors.ts';
import type { Sequence } from '../store/contract.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { TailFormat } from './output/line-format.ts';
import { platformLine } from './tail-notices.ts';

/** Lines that were trimmed before a tail could read them. */
export interface TailOverflow {
  readonly count: number;
  /** When the last line that the tail did get was stored, milliseconds since 1970; undefined when it got none. */
  readonly sinceMs: number | undefined;
  /** When the first line that the stream still has was stored. */
  readonly untilMs: number;
  /** Of the last line that is lost. */
  readonly position: Sequence;
}

/** The line that reports a loss to a tail's reader: Heroku's error L11. @param position behind what is lost */
export function tailOverflowLine(
  { count, sinceMs, untilMs }: Omit<TailOverflow, 'position'>,
  position: number,
  format: TailFormat,
): string {
  const when =
    sinceMs === undefined
      ? `from before ${formatTimestamp(untilMs)}: the stream no longer has them`
      : `since ${formatTimestamp(sinceMs)}`;
  const message = `${platformErrorTitle('L11')} -> This tail session dropped ${count} messages ${when}.`;
  return platformLine(message, position, format);
}
