/**
 * A tail session: lines of a stream that were, then those that come, for one reader. The stream itself is the buffer: a
 * reader who is slow lags behind, and only what is trimmed under it is lost, counted, and told (L11).
 */

import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { Reader } from '../store/reader.ts';
import type { Filter } from './filter.ts';
import { type FormatName, type Formatted, formatBatches } from './format.ts';
import { findLast } from './history.ts';
import { lossLine } from './loss.ts';
import { onPulse } from './pulse.ts';
import { sharedLines } from './shared-lines.ts';
import { sharedRead } from './shared-reads.ts';
import { Turn } from './turns.ts';

/** Lines a reader may ask for: more than a stream holds. */
export const LINES_MAX = 100_000_000;
/** Bytes of a stream that are written at a time. */
const CHUNK_BYTES = 131_072;

/** Where a session's lines go. */
export interface TailSink {
  /** Takes lines; `last` is the position to resume after. Readers of the same lines get the same array. */
  lines(lines: readonly string[], last: Sequence): void;
  /** Told where the session is: at its start, and when it has caught up. */
  mark?(mark: TailMark): void;
  /** Can it take more now? When it says no, `session.resume()` has to be called later. */
  ready(): boolean;
  /** There is no more, and nothing will come. */
  end(): void;
}

export interface TailMark {
  /** Everything up to here was looked at: the position to resume after. */
  readonly position: Sequence;
  /** At the start: the stream's newest line. */
  readonly newest?: Sequence;
  /** What comes from here on is new. */
  readonly live?: true;
}

/** A range of a stream; without any bound, all that is there. */
export interface TailOptions {
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
  readonly filter: Filter;
  readonly format: FormatName;
}

export class TailSession {
  private readonly reader: Reader;
  private readonly options: TailOptions;
  private readonly sink: TailSink;
  private through = Number.POSITIVE_INFINITY;
  /** How many lines may still come. */
  private left: number;
  private busy = false;
  private live = false;
  private closed = false;
  /** Lines before the next batch were promised: their absence is a loss. */
  private joined = false;
  /** When the last batch that was sent came, milliseconds since 1970. */
  private sentAtMs = Date.now();
  private leave = () => {};
  /** Called when the stream can't be read; the session is over. */
  onFailure: (error: unknown) => void = () => {};
  /** Everything up to here was looked at. */
  position: Sequence = 0;

  constructor(reader: Reader, options: TailOptions, sink: TailSink) {
    this.reader = reader;
    this.options = options;
    this.sink = sink;
    this.left = options.first ?? Number.POSITIVE_INFINITY;
  }

  /** Sends the history and, with `tail`, goes on until {@link close}. */
  async start(): Promise<void> {
    await this.reader.ready;
    const newest = this.reader.newest;
    const after = await this.lowerBound(newest);
    const through = await this.upperBound(newest);
    if (!this.options.tail) this.through = through;
    const { lines, filter, format } = this.options;
    this.position = after;
    if (lines !== undefined && this.options.after === undefined) {
      const wanted = { lines, after, through, filter, format };
      const { kept, start, position } = await findLast(this.reader, wanted, () => this.closed);
      if (this.closed) return;
      this.mark({ position: start, newest });
      for (const formatted of kept) this.pass(formatted);
      this.position = position;
    } else this.mark({ position: after, newest });
    if (this.closed) return;
    this.leave = onPulse(this.reader, () => this.resume());
    this.resume();
  }

  /** Sends what there is, as long as the sink takes it. */
  resume(): void {
    const turn = new Turn();
    while (!this.closed && !this.busy && this.sink.ready()) {
      if (this.position >= this.through || this.left <= 0) {
        this.finish();
        return;
      }
      const batches = this.reader.recentAfter(this.position);
      if (!batches) {
        void this.later(() => this.readOn());
        return;
      }
      if (batches.length === 0) {
        if (!this.live) this.mark({ position: this.position, live: true });
        this.live = true;
        return;
      }
      this.sendChunk(batches, 0);
      if (turn.over) void this.later(() => turn.next());
    }
  }

  close(): void {
    this.closed = true;
    this.leave();
  }

  private finish(): void {
    this.close();
    this.sink.end();
  }

  private mark(mark: TailMark): void {
    this.sink.mark?.(mark);
  }

  private async lowerBound(newest: Sequence): Promise<Sequence> {
    const { after, sinceMs } = this.options;
    this.joined = after !== undefined && after > 0;
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
  private async later(work: () => Promise<void>): Promise<void> {
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

  /** What isn't in memory comes from the store. */
  private async readOn(): Promise<void> {
    const turn = new Turn();
    const batches = await sharedRead(this.reader, this.position);
    // Nothing there: trimmed or dropped meanwhile.
    if (batches.length === 0) this.position = Math.max(this.position, this.reader.newest);
    for (let from = 0; from < batches.length && !this.closed && this.left > 0 && this.sink.ready(); ) {
      from = this.sendChunk(batches, from);
      if (turn.over) await turn.next();
    }
  }

  /** Sends some of the batches, beginning with `batches[from]`; returns which one is next. */
  private sendChunk(batches: readonly StoredBatch[], from: number): number {
    const { filter, format } = this.options;
    let next = from;
    for (let size = 0; next < batches.length && size < CHUNK_BYTES; next++)
      size += batches[next].bytes.length;
    const chunk = from === 0 && next === batches.length ? batches : batches.slice(from, next);
    const first = chunk[0];
    const last = chunk[chunk.length - 1];
    if (first.first > this.position + 1 && this.joined) this.tellLoss(first.first - 1);
    this.joined = true;
    this.sentAtMs = last.storedAtMs;
    const { position, through, left } = this;
    const whole = last.last <= through && left === Number.POSITIVE_INFINITY;
    this.pass(
      whole
        ? sharedLines(this.reader, chunk, position, filter, format)
        : formatBatches(chunk, { after: position, through, count: left }, filter, format),
    );
    return next;
  }

  private pass({ lines, last }: Formatted): void {
    this.position = Math.max(this.position, last);
    if (lines.length === 0) return;
    this.left -= lines.length;
    this.sink.lines(lines, last);
  }

  private tellLoss(through: Sequence): void {
    const loss = { count: through - this.position, sinceMs: this.sentAtMs, position: through };
    this.sink.lines([lossLine(loss, this.options.format)], through);
  }
}
