import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';
import { RECORD_HEADER, type RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { compareRanks, type LineRank } from './line-rank.ts';

interface Hit {
  readonly timeMs: number;
  readonly sequence: Sequence;
  readonly receivedAtMs: number;
  readonly record: Uint8Array;
}

/** Lines that were found, as they travel between threads. */
export interface HitArrays {
  readonly times: Float64Array;
  readonly sequences: Float64Array;
  readonly received: Float64Array;
  readonly ends: Float64Array;
  readonly records: Uint8Array;
}

/** A line of the block at hand: it is copied when it is known to be among the first. */
interface SeenLine {
  readonly timeMs: number;
  readonly sequence: Sequence;
  readonly receivedAtMs: number;
  readonly start: number;
  readonly end: number;
}

/** Collects lines of one stream: those that come first in a direction, `limit` of them at the most. */
export class HitCollector {
  private readonly stream: AppId;
  private readonly sign: 1 | -1;
  private readonly cursor: LineRank | undefined;
  private readonly limit: number;
  /** In the direction's order. */
  private hits: Hit[] = [];
  /** Of the block at hand. */
  private seen: SeenLine[] = [];
  private bytes: Buffer = Buffer.alloc(0);

  constructor(stream: AppId, direction: 'before' | 'after', cursor: LineRank | undefined, limit: number) {
    this.stream = stream;
    this.sign = direction === 'after' ? 1 : -1;
    this.cursor = cursor;
    this.limit = limit;
  }

  /** A line that matches, of the block at hand. It is copied later: `bytes` have to stay until {@link endBlock}. */
  add(line: RecordCursor, bytes: Buffer, sequence: Sequence, timeMs: number, receivedAtMs: number): void {
    const { cursor, stream, sign, limit, hits } = this;
    if (cursor && compareRanks({ timeMs, stream, sequence }, cursor) * sign <= 0) return;
    if (hits.length >= limit) {
      const worst = hits[limit - 1];
      if ((timeMs - worst.timeMs || sequence - worst.sequence) * sign > 0) return;
    }
    this.bytes = bytes;
    const start = line.textStart - RECORD_HEADER;
    this.seen.push({ timeMs, sequence, receivedAtMs, start, end: line.textEnd });
    if (this.seen.length >= limit * 2 + 1_000) this.endBlock();
  }

  /** The bytes that lines were added from are of no use any more. */
  endBlock(): void {
    const { seen, sign, limit, bytes } = this;
    if (seen.length === 0) return;
    seen.sort((a, b) => (a.timeMs - b.timeMs || a.sequence - b.sequence) * sign);
    if (seen.length > limit) seen.length = limit;
    // Bytes of their own: what they were found in is reused, or large.
    for (const { timeMs, sequence, receivedAtMs, start, end } of seen)
      this.hits.push({
        timeMs,
        sequence,
        receivedAtMs,
        record: Uint8Array.prototype.slice.call(bytes, start, end),
      });
    this.seen = [];
    this.sortAndCut();
  }

  /** What was found, in the direction's order. */
  take(): HitArrays {
    this.endBlock();
    const { hits } = this;
    const count = hits.length;
    const times = new Float64Array(count);
    const sequences = new Float64Array(count);
    const received = new Float64Array(count);
    const ends = new Float64Array(count);
    const records = new Uint8Array(hits.reduce((sum, { record }) => sum + record.length, 0));
    let end = 0;
    for (const [i, hit] of hits.entries()) {
      times[i] = hit.timeMs;
      sequences[i] = hit.sequence;
      received[i] = hit.receivedAtMs;
      records.set(hit.record, end);
      end += hit.record.length;
      ends[i] = end;
    }
    this.hits = [];
    return { times, sequences, received, ends, records };
  }

  private sortAndCut(): void {
    const { sign } = this;
    this.hits.sort((a, b) => (a.timeMs - b.timeMs || a.sequence - b.sequence) * sign);
    if (this.hits.length > this.limit) this.hits.length = this.limit;
  }
}
