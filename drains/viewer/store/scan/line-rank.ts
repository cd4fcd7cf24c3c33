/** The order of lines: by time, then stream, then sequence; and cursors, which are places in it. */
import { TailraceError } from '../../../../src/common/errors.ts';
import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';

/** A place in the order. */
export interface LineRank {
  readonly timeMs: number;
  readonly stream: AppId;
  readonly sequence: Sequence;
}

/** Below 0, 0, above 0: is `a` before `b`, the same, or behind it? */
export function compareRanks(a: LineRank, b: LineRank): number {
  if (a.timeMs !== b.timeMs) return a.timeMs - b.timeMs;
  if (a.stream !== b.stream) return a.stream < b.stream ? -1 : 1;
  return a.sequence - b.sequence;
}

/** Before all lines of this time. */
export function rankBefore(timeMs: number): LineRank {
  return { timeMs, stream: '' as AppId, sequence: Number.MIN_SAFE_INTEGER };
}

/** Names the place right at a line; {@link readCursor} reads it. */
export function writeCursor({ timeMs, stream, sequence }: LineRank): string {
  return `${timeMs}.${sequence}.${stream}`;
}

const CURSOR = /^(-?\d{1,16})\.(-?\d{1,16})\.([\w-]{0,64})$/;

/** @throws TailraceError `invalid_params` for what is no cursor. */
export function readCursor(text: string): LineRank {
  const match = CURSOR.exec(text);
  if (!match)
    throw new TailraceError(
      'invalid_params',
      'This is no cursor: take one that a search has answered with, unchanged.',
    );
  return { timeMs: Number(match[1]), sequence: Number(match[2]), stream: match[3] as AppId };
}
