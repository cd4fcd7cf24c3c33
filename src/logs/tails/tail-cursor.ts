/**
 * What a tail session decides, apart from reading, writing and waiting: which lines of the stream come next, which are lost, when
 * there are no more, and when the position has to be reported to the reader.
 */
import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { LineRange, ScanResult } from './line-scan.ts';
import type { TailOverflow } from './tail-overflow.ts';

/**
 * Lines that are written at a time: up to the next multiple of this, so that tails that lag behind at different positions
 * still write the same. Where lines are long, a quarter of it, and so on.
 */
const CHUNK_LINES = 512;
const CHUNK_BYTES_MAX = 262_144;
/** While nothing matches, the position is reported this often. */
const POSITION_REPORT_MS = 500;

/** A range of a stream; without any bound, all that is stored. */
export interface TailRange {
  /** Only the last so many lines of the range that match; ignored with `after`. */
  readonly lines?: number;
  /** Only the first so many. */
  readonly first?: number;
  /** Lines after this position, and before that one. */
  readonly after?: Sequence;
  readonly before?: Sequence;
  /** Lines that were stored from this time on, and up to that one; milliseconds since 1970. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Go on with what comes later. */
  readonly tail: boolean;
}

/** Lines up to which whoever asks for a range takes the stream to go; 0 and less: they name none. */
export function seenLines({ after = 0, before = 0 }: TailRange): readonly Sequence[] {
  return [after, before - 1];
}

/**
 * The line after which a range begins.
 * @param newest the stream's newest line: a position from before the stream was dropped may be above it
 * @param sinceSequence the last line that was stored before `sinceMs`; 0 without one
 */
export function lowerBound({ after = 0 }: TailRange, newest: Sequence, sinceSequence: Sequence): Sequence {
  return Math.max(Math.min(after, newest), sinceSequence);
}

/**
 * The last line of a range, of those that are stored now.
 * @param untilSequence the last line that was stored up to `untilMs`; infinite without one
 */
export function upperBound({ before }: TailRange, newest: Sequence, untilSequence: Sequence): Sequence {
  const through = before === undefined ? newest : Math.min(newest, Math.max(0, before - 1));
  return Math.min(through, untilSequence);
}

/** The last line of a chunk that begins after `position`, where lines are as long as those of `batch`. */
export function chunkEndAfter(position: Sequence, batch: StoredBatch): Sequence {
  const lineBytes = batch.bytes.length / batch.count;
  let size = CHUNK_LINES;
  while (size > 2 && lineBytes * size > CHUNK_BYTES_MAX) size /= 4;
  return (Math.floor(position / size) + 1) * size;
}

/** The index after the last batch of a chunk that begins with `batches[from]`: where the next begins, or lines are missing. */
export function chunkBatchesEnd(batches: readonly StoredBatch[], from: number, chunkEnd: Sequence): number {
  let to = from + 1;
  while (
    to < batches.length &&
    batches[to].first <= chunkEnd &&
    batches[to].first === batches[to - 1].last + 1
  )
    to++;
  return to;
}

/** How far a tail session is. */
export class TailCursor {
  private readonly tails: boolean;
  private readonly now: () => number;
  /** The last line of the range. */
  private end: Sequence = Number.POSITIVE_INFINITY;
  /** How many lines may still be written. */
  private remaining: number;
  private live = false;
  /** Lines before the next batch were promised: their absence is a loss. */
  private gapIsLoss: boolean;
  /** When the reader got lines or a position last. */
  private lastReportAtMs: number;
  /** When the last batch that was sent was stored, milliseconds since 1970; undefined before the first one. */
  private lastBatchAtMs: number | undefined;
  /** Everything up to here was scanned. */
  position: Sequence = 0;

  /** @param now milliseconds on a clock that never goes back. */
  constructor({ first, after, tail }: TailRange, now: () => number = () => performance.now()) {
    this.tails = tail;
    this.now = now;
    this.remaining = first ?? Number.POSITIVE_INFINITY;
    this.gapIsLoss = after !== undefined;
    this.lastReportAtMs = now();
  }

  /** The range is known now: lines after one, up to the other; a session that stays goes on behind it. */
  start(after: Sequence, through: Sequence): void {
    this.position = after;
    if (!this.tails) this.end = through;
  }

  /** There is nothing more to send, ever. */
  get isDone(): boolean {
    return this.position >= this.end || this.remaining <= 0;
  }

  /** Any number of lines may still be written. */
  get isUnlimited(): boolean {
    return this.remaining === Number.POSITIVE_INFINITY;
  }

  /** Up to which line the range goes, and how many lines may still be written. */
  get rest(): { readonly through: Sequence; readonly count: number } {
    return { through: this.end, count: this.remaining };
  }

  /** All that is stored was sent: true the first time, when that has to be reported to the reader. */
  becomesLive(): boolean {
    if (this.live) return false;
    this.live = true;
    return true;
  }

  /**
   * The stream goes on with `next`: moves over the lines between the position and it, which are gone. Returns what the reader
   * lost by that; undefined when that is nothing, or nothing that they were promised.
   */
  skipGap(next: StoredBatch): TailOverflow | undefined {
    return this.skipUpTo(next.first - 1, next.storedAtMs);
  }

  /**
   * Nothing is stored behind the position up to this line: it was trimmed, damaged, or the stream was dropped. Returns what the reader
   * lost by that, as {@link skipGap}.
   */
  skipMissingEnd(newest: Sequence, nowMs: number): TailOverflow | undefined {
    return this.skipUpTo(newest, nowMs);
  }

  private skipUpTo(through: Sequence, untilMs: number): TailOverflow | undefined {
    const isLoss = this.gapIsLoss;
    this.gapIsLoss = true;
    if (through <= this.position) return undefined;
    const count = through - this.position;
    this.position = through;
    if (!isLoss) return undefined;
    return { count, sinceMs: this.lastBatchAtMs, untilMs, position: through };
  }

  /** The lines that come next, up to the end of a chunk whose last batch is `last`. */
  nextRange(last: StoredBatch, chunkEnd: Sequence): LineRange {
    this.lastBatchAtMs = last.storedAtMs;
    return {
      after: this.position,
      through: Math.min(last.last, chunkEnd, this.end),
      count: this.remaining,
    };
  }

  /** Lines were scanned, and those that match are sent: true when none match, and it is time to report the position. */
  advance({ count, last }: ScanResult): boolean {
    this.position = Math.max(this.position, last);
    if (count === 0) return !this.live && this.now() - this.lastReportAtMs > POSITION_REPORT_MS;
    this.remaining -= count;
    this.reported();
    return false;
  }

  /** The reader got lines, or a position. */
  reported(): void {
    this.lastReportAtMs = this.now();
  }
}
