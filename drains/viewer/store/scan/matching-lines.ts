import { QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import type { Sequence } from '../../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import type { BlockLines, ReceivedRun } from '../blocks/block-format.ts';
import { LineTimes } from '../blocks/line-time.ts';

/** Takes a line that matches. */
export type TakeLine = (
  line: RecordCursor,
  bytes: Buffer,
  sequence: Sequence,
  timeMs: number,
  receivedAtMs: number,
) => void;

/** Lines of a block: a bit each, from `from` on. */
export interface WantedLines {
  readonly bits: { get(line: number): boolean };
  readonly from: number;
}

/** Finds the lines of a selection, block by block. */
export class MatchingLines {
  private readonly matcher: QueryMatcher | undefined;
  private readonly fromMs: number;
  private readonly toMs: number;
  private readonly times = new LineTimes();

  constructor(query: QueryNode | undefined, fromMs: number, toMs: number) {
    this.matcher = query && new QueryMatcher(query, '');
    this.fromMs = fromMs;
    this.toMs = toMs;
  }

  /**
   * Calls `take` with each line of a block that matches, in their order.
   * @param wanted only these of the block's lines, by their numbers from 0
   */
  forEach({ bytes, end, first, runs }: BlockLines, take: TakeLine, wanted?: WantedLines): void {
    const { matcher, fromMs, toMs, times } = this;
    if (matcher && !matcher.mayMatch(bytes)) return;
    const line = new RecordCursor(bytes, 0, end);
    const received = new ReceivedTimes(runs);
    for (let sequence = first; line.advance(); sequence++) {
      const receivedAtMs = received.next();
      if (wanted && !wanted.bits.get(wanted.from + sequence - first)) continue;
      if (matcher && !matcher.matches(line, bytes)) continue;
      const timeMs = times.read(line, bytes) || receivedAtMs;
      if (timeMs >= fromMs && timeMs < toMs) take(line, bytes, sequence, timeMs, receivedAtMs);
    }
  }
}

/** When each line was received, one after the other. */
class ReceivedTimes {
  private readonly runs: readonly ReceivedRun[];
  private index = 0;
  private left: number;

  constructor(runs: readonly ReceivedRun[]) {
    this.runs = runs;
    this.left = runs[0]?.count ?? 0;
  }

  next(): number {
    while (this.left === 0 && this.index < this.runs.length - 1) this.left = this.runs[++this.index].count;
    this.left--;
    return this.runs[this.index]?.receivedAtMs ?? 0;
  }
}
