/**
 * A tail session: lines of a stream that were, then those that come, for one reader. The stream itself is the buffer: a
 * reader who is slow lags behind, and only what is trimmed under it is lost, counted, and told (L11).
 */

import { TailraceError } from '../../common/errors.ts';
import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { Reader } from '../store/reader.ts';
import type { Filter } from './filter.ts';
import { findLast } from './history.ts';
import { lossLine } from './loss.ts';
import { AbsenceNotices, noticeLine } from './notice.ts';
import { sharedWrite, type Wire, type Written } from './output/wire.ts';
import { hasCompany, onPulse } from './pulse.ts';
import { sharedRead } from './shared-reads.ts';
import { Turn } from './turns.ts';

/** Lines a reader may ask for: more than a stream holds. */
export const LINES_MAX = 100_000_000;
/**
 * Lines that are written at a time: up to the next multiple of this, so that tails who are behind at different places
 * still write the same. Where lines are long, a quarter of it, and so on.
 */
const CHUNK_LINES = 512;
const CHUNK_BYTES_MAX = 262_144;
/** While nothing matches, a reader is told this often how far the search is. */
const MARK_MS = 500;
/** A store that is away is asked again after this time. */
const RETRY_MS = 250;

/** Where a session's lines go. */
export interface TailSink<T> {
  readonly wire: Wire<T>;
  /** Takes lines; `last` is the position to resume after. Readers of the same lines get the same object. */
  take(lines: T, last: Sequence): void;
  /** Told where the session is: at its start, and when it has caught up. */
  mark?(mark: TailMark): void;
  /** Takes something that stands in no stream, also written as a line; left out: the line alone, as any other. */
  notice?(message: string, line: string, position: Sequence): void;
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
}

export class TailSession<T> {
  private readonly reader: Reader;
  private readonly options: TailOptions;
  private readonly sink: TailSink<T>;
  private through = Number.POSITIVE_INFINITY;
  /** How many lines may still come. */
  private left: number;
  private busy = false;
  private live = false;
  private closed = false;
  /** Lines before the next batch were promised: their absence is a loss. */
  private joined = false;
  /** When the sink was told something last. */
  private toldAtMs = performance.now();
  /** When the last batch that was sent came, milliseconds since 1970; undefined before the first one. */
  private sentAtMs: number | undefined;
  private leave = () => {};
  private ignoreAbsence = () => {};
  /** Called when the stream can't be read; the session is over. */
  onFailure: (error: unknown) => void = () => {};
  /** Everything up to here was looked at. */
  position: Sequence = 0;

  constructor(reader: Reader, options: TailOptions, sink: TailSink<T>) {
    this.reader = reader;
    this.options = options;
    this.sink = sink;
    this.left = options.first ?? Number.POSITIVE_INFINITY;
  }

  /** Sends the history and, with `tail`, goes on until {@link close}. */
  async start(): Promise<void> {
    if (this.options.tail) {
      const notices = new AbsenceNotices((message) => this.notice(message));
      this.ignoreAbsence = this.reader.onAbsence((away) => notices.change(away));
    }
    await this.reader.ready;
    const newest = this.reader.newest;
    const after = await this.patiently(() => this.lowerBound(newest));
    const through = await this.patiently(() => this.upperBound(newest));
    if (this.closed) return;
    if (!this.options.tail) this.through = through;
    const { lines, filter } = this.options;
    this.position = after;
    if (lines !== undefined && this.options.after === undefined) {
      const wanted = { lines, after, through, filter, wire: this.sink.wire };
      const { kept, start, position } = await this.patiently(() =>
        findLast(this.reader, wanted, () => this.closed),
      );
      if (this.closed) return;
      this.mark({ position: start, newest });
      for (const written of kept) this.pass(written);
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
      this.sendSome(batches, turn);
      if (turn.over) void this.later(() => turn.next());
    }
  }

  close(): void {
    this.closed = true;
    this.leave();
    this.ignoreAbsence();
  }

  private finish(): void {
    this.close();
    this.sink.end();
  }

  private mark(mark: TailMark): void {
    this.toldAtMs = performance.now();
    this.sink.mark?.(mark);
  }

  private async lowerBound(newest: Sequence): Promise<Sequence> {
    const { after, sinceMs } = this.options;
    this.joined = after !== undefined;
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

  /** Asks the store; while that is away, a tail that is to stay waits for it. */
  private async patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        const isAway = error instanceof TailraceError && error.code === 'unavailable';
        if (!isAway || !this.options.tail || this.closed) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Says something to the reader that stands in no stream; who can't take more has other things to read. */
  private notice(message: string): void {
    if (this.closed || !this.sink.ready()) return;
    const { wire } = this.sink;
    const line = noticeLine(message, this.position, wire.format);
    if (this.sink.notice) this.sink.notice(message, line, this.position);
    else this.sink.take(wire.writeOne(line, this.position), this.position);
  }

  /** What isn't in memory comes from the store. */
  private async readOn(): Promise<void> {
    const turn = new Turn();
    const batches = await this.patiently(() => sharedRead(this.reader, this.position));
    // Nothing there: trimmed or dropped meanwhile.
    if (batches.length === 0) this.position = Math.max(this.position, this.reader.newest);
    while (this.sendSome(batches, turn)) await turn.next();
  }

  /** Sends of the batches what the sink takes; true when only the time was too short. */
  private sendSome(batches: readonly StoredBatch[], turn: Turn): boolean {
    for (let from = 0; from < batches.length && !this.closed && this.sink.ready(); ) {
      if (this.position >= this.through || this.left <= 0) return false;
      if (turn.over) return true;
      this.sendChunk(batches, from);
      while (from < batches.length && batches[from].last <= this.position) from++;
    }
    return false;
  }

  /** Sends lines behind the position, beginning with `batches[from]`, up to the end of a chunk. */
  private sendChunk(batches: readonly StoredBatch[], from: number): void {
    const first = batches[from];
    if (first.first > this.position + 1) {
      if (this.joined) this.tellLoss(first);
      this.position = first.first - 1;
    }
    this.joined = true;
    const { position, left } = this;
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
    this.sentAtMs = last.storedAtMs;
    const range = { after: position, through: Math.min(last.last, chunkEnd, this.through), count: left };
    const { wire } = this.sink;
    const isShared = left === Number.POSITIVE_INFINITY && hasCompany(this.reader);
    const { filter } = this.options;
    this.pass(isShared ? sharedWrite(wire, chunk, range, filter) : wire.write(chunk, range, filter));
  }

  private pass({ lines, count, last }: Written<T>): void {
    this.position = Math.max(this.position, last);
    if (count === 0) {
      if (!this.live && performance.now() - this.toldAtMs > MARK_MS) this.mark({ position: this.position });
      return;
    }
    this.toldAtMs = performance.now();
    this.left -= count;
    this.sink.take(lines, last);
  }

  /** The stream goes on with `next`; what was before it and behind the position is gone. */
  private tellLoss(next: StoredBatch): void {
    const through = next.first - 1;
    const loss = {
      count: through - this.position,
      sinceMs: this.sentAtMs,
      untilMs: next.storedAtMs,
      position: through,
    };
    const { wire } = this.sink;
    this.sink.take(wire.writeOne(lossLine(loss, wire.format), through), through);
  }
}
