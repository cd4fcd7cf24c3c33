/**
 * A tail session: lines of a stream that were, then those that come, for one reader. The stream itself is the buffer: a
 * reader who is slow lags behind, and only what is trimmed under it is lost, counted, and told (L11).
 */

import { TailraceError } from '../../common/errors.ts';
import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { StreamReader } from '../store/stream-reader.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import { hasOtherTails, onGrowth } from './growth-notifier.ts';
import { findLastLines } from './last-lines.ts';
import { type EncodedLines, encodeShared, type TailEncoding } from './output/encodings.ts';
import { cachedRead } from './read-cache.ts';
import { OutageNotices, platformLine } from './tail-notices.ts';
import { tailOverflowLine } from './tail-overflow.ts';
import { TimeSlice } from './time-slice.ts';

/** Lines a reader may ask for: more than a stream holds. */
export const TAIL_LINES_MAX = 100_000_000;
/**
 * Lines that are written at a time: up to the next multiple of this, so that tails who are behind at different places
 * still write the same. Where lines are long, a quarter of it, and so on.
 */
const CHUNK_LINES = 512;
const CHUNK_BYTES_MAX = 262_144;
/** While nothing matches, a reader is told this often how far the search is. */
const POSITION_REPORT_MS = 500;
/** A store that is away is asked again after this time. */
const RETRY_MS = 250;

/** Where a session's lines go. */
export interface TailSink<T> {
  readonly encoding: TailEncoding<T>;
  /** Takes lines; `last` is the position to resume after. Readers of the same lines get the same object. */
  write(lines: T, last: Sequence): void;
  /** Told where the session is: at its start, and when it has caught up. */
  reportPosition?(report: PositionReport): void;
  /** Takes something that stands in no stream, also written as a line; left out: the line alone, as any other. */
  notice?(message: string, line: string, position: Sequence): void;
  /** Can it take more now? When it says no, `session.resume()` has to be called later. */
  canWrite(): boolean;
  /** There is no more, and nothing will come. */
  end(): void;
}

export interface PositionReport {
  /** Everything up to here was looked at: the position to resume after. */
  readonly position: Sequence;
  /** At the start: the stream's newest line. */
  readonly newest?: Sequence;
  /** What comes from here on is new. */
  readonly live?: true;
}

/** A range of a stream; without any bound, all that is there. */
export interface TailSessionOptions {
  /** Only the last so many lines of the range that match; ignored with `after`. */
  readonly lines?: number;
  /** Only the first so many. */
  readonly first?: number;
  /** Lines behind this position, and before that one. */
  readonly after?: Sequence;
  readonly before?: Sequence;
  /** Lines that the store took from this time on, and up to that one; milliseconds since 1970. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Stay for what comes. */
  readonly tail: boolean;
  readonly filter: LineFilter;
}

export class TailSession<T> {
  private readonly reader: StreamReader;
  private readonly options: TailSessionOptions;
  private readonly sink: TailSink<T>;
  private lastPosition = Number.POSITIVE_INFINITY;
  /** How many lines may still come. */
  private remaining: number;
  private busy = false;
  private live = false;
  private closed = false;
  /** Lines before the next batch were promised: their absence is a loss. */
  private gapIsLoss = false;
  /** When the sink was told something last. */
  private lastReportAtMs = performance.now();
  /** When the last batch that was sent came, milliseconds since 1970; undefined before the first one. */
  private lastBatchAtMs: number | undefined;
  private stopListening = () => {};
  private stopWatchingOutage = () => {};
  /** Called when the stream can't be read; the session is over. */
  onFailure: (error: unknown) => void = () => {};
  /** Everything up to here was looked at. */
  position: Sequence = 0;

  constructor(reader: StreamReader, options: TailSessionOptions, sink: TailSink<T>) {
    this.reader = reader;
    this.options = options;
    this.sink = sink;
    this.remaining = options.first ?? Number.POSITIVE_INFINITY;
  }

  /** Sends the history and, with `tail`, goes on until {@link close}. */
  async start(): Promise<void> {
    if (this.options.tail) {
      const notices = new OutageNotices((message) => this.writeNotice(message));
      this.stopWatchingOutage = this.reader.onOutage((unavailable) => notices.onChange(unavailable));
    }
    await this.reader.ready;
    const newest = this.reader.newest;
    const after = await this.withRetry(() => this.lowerBound(newest));
    const through = await this.withRetry(() => this.upperBound(newest));
    if (this.closed) return;
    if (!this.options.tail) this.lastPosition = through;
    const { lines, filter } = this.options;
    this.position = after;
    if (lines !== undefined && this.options.after === undefined) {
      const query = { lines, after, through, filter, encoding: this.sink.encoding };
      const { encoded, start, position } = await this.withRetry(() =>
        findLastLines(this.reader, query, () => this.closed),
      );
      if (this.closed) return;
      this.reportPosition({ position: start, newest });
      for (const lines of encoded) this.emit(lines);
      this.position = position;
    } else this.reportPosition({ position: after, newest });
    if (this.closed) return;
    this.stopListening = onGrowth(this.reader, () => this.resume());
    this.resume();
  }

  /** Sends what there is, as long as the sink takes it. */
  resume(): void {
    const slice = new TimeSlice();
    while (!this.closed && !this.busy && this.sink.canWrite()) {
      if (this.position >= this.lastPosition || this.remaining <= 0) {
        this.finish();
        return;
      }
      const batches = this.reader.recentAfter(this.position);
      if (!batches) {
        void this.runAsync(() => this.readFromStore());
        return;
      }
      if (batches.length === 0) {
        if (!this.live) this.reportPosition({ position: this.position, live: true });
        this.live = true;
        return;
      }
      this.sendBatches(batches, slice);
      if (slice.expired) void this.runAsync(() => slice.yieldNow());
    }
  }

  close(): void {
    this.closed = true;
    this.stopListening();
    this.stopWatchingOutage();
  }

  private finish(): void {
    this.close();
    this.sink.end();
  }

  private reportPosition(report: PositionReport): void {
    this.lastReportAtMs = performance.now();
    this.sink.reportPosition?.(report);
  }

  private async lowerBound(newest: Sequence): Promise<Sequence> {
    const { after, sinceMs } = this.options;
    this.gapIsLoss = after !== undefined;
    if (sinceMs === undefined) return Math.min(after ?? 0, newest);
    return Math.max(Math.min(after ?? 0, newest), await this.reader.sequenceAt(sinceMs));
  }

  private async upperBound(newest: Sequence): Promise<Sequence> {
    const { before, untilMs } = this.options;
    const through = before === undefined ? newest : Math.min(newest, Math.max(0, before - 1));
    if (untilMs === undefined) return through;
    return Math.min(through, await this.reader.sequenceAt(untilMs + 1));
  }

  /** Does something that takes time, and goes on. */
  private async runAsync(work: () => Promise<void>): Promise<void> {
    this.busy = true;
    try {
      await work();
    } catch (error) {
      this.close();
      this.onFailure(error);
    }
    this.busy = false;
    this.resume();
  }

  /** Asks the store; while that is away, a tail that is to stay waits for it. */
  private async withRetry<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const isUnavailable = error instanceof TailraceError && error.code === 'unavailable';
        if (!isUnavailable || !this.options.tail || this.closed) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Says something to the reader that stands in no stream; who can't take more has other things to read. */
  private writeNotice(message: string): void {
    if (this.closed || !this.sink.canWrite()) return;
    const { encoding } = this.sink;
    const line = platformLine(message, this.position, encoding.format);
    if (this.sink.notice) this.sink.notice(message, line, this.position);
    else this.sink.write(encoding.encodeOne(line, this.position), this.position);
  }

  /** What isn't in memory comes from the store. */
  private async readFromStore(): Promise<void> {
    const slice = new TimeSlice();
    const batches = await this.withRetry(() => cachedRead(this.reader, this.position));
    // Nothing there: trimmed or dropped meanwhile.
    if (batches.length === 0) this.position = Math.max(this.position, this.reader.newest);
    while (this.sendBatches(batches, slice)) await slice.yieldNow();
  }

  /** Sends of the batches what the sink takes; true when only the time was too short. */
  private sendBatches(batches: readonly StoredBatch[], slice: TimeSlice): boolean {
    for (let from = 0; from < batches.length && !this.closed && this.sink.canWrite(); ) {
      if (this.position >= this.lastPosition || this.remaining <= 0) return false;
      if (slice.expired) return true;
      this.sendChunk(batches, from);
      while (from < batches.length && batches[from].last <= this.position) from++;
    }
    return false;
  }

  /** Sends lines behind the position, beginning with `batches[from]`, up to the end of a chunk. */
  private sendChunk(batches: readonly StoredBatch[], from: number): void {
    const first = batches[from];
    if (first.first > this.position + 1) {
      if (this.gapIsLoss) this.reportLoss(first);
      this.position = first.first - 1;
    }
    this.gapIsLoss = true;
    const { position, remaining } = this;
    let size = CHUNK_LINES;
    while (size > 2 && (first.bytes.length / first.count) * size > CHUNK_BYTES_MAX) size /= 4;
    const chunkEnd = (Math.floor(position / size) + 1) * size;
    let to = from + 1;
    // What is missing between two batches is told in front of the next chunk.
    while (
      to < batches.length &&
      batches[to].first <= chunkEnd &&
      batches[to].first === batches[to - 1].last + 1
    )
      to++;
    const chunk = batches.slice(from, to);
    const last = chunk[chunk.length - 1];
    this.lastBatchAtMs = last.storedAtMs;
    const range = {
      after: position,
      through: Math.min(last.last, chunkEnd, this.lastPosition),
      count: remaining,
    };
    const { encoding } = this.sink;
    const isShared = remaining === Number.POSITIVE_INFINITY && hasOtherTails(this.reader);
    const { filter } = this.options;
    this.emit(
      isShared ? encodeShared(encoding, chunk, range, filter) : encoding.encode(chunk, range, filter),
    );
  }

  private emit({ lines, count, last }: EncodedLines<T>): void {
    this.position = Math.max(this.position, last);
    if (count === 0) {
      if (!this.live && performance.now() - this.lastReportAtMs > POSITION_REPORT_MS)
        this.reportPosition({ position: this.position });
      return;
    }
    this.lastReportAtMs = performance.now();
    this.remaining -= count;
    this.sink.write(lines, last);
  }

  /** The stream goes on with `next`; what was before it and behind the position is gone. */
  private reportLoss(next: StoredBatch): void {
    const through = next.first - 1;
    const loss = {
      count: through - this.position,
      sinceMs: this.lastBatchAtMs,
      untilMs: next.storedAtMs,
      position: through,
    };
    const { encoding } = this.sink;
    this.sink.write(encoding.encodeOne(tailOverflowLine(loss, encoding.format), through), through);
  }
}
