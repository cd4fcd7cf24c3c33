/**
 * A tail session: lines that are stored, then those that come, for one reader. The stream itself is the buffer: a slow reader lags
 * behind, and loses only what is trimmed meanwhile, which is counted and reported (L11). Reads, writes and waits; what it decides is in
 * `tail-cursor.ts`.
 */
import { TailraceError } from '../../common/errors.ts';
import { TimeSlices } from '../../common/limits/turns.ts';
import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { StreamReader } from '../store/stream-reader.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import { hasOtherTails, onGrowth } from './growth-notifier.ts';
import { EVERYTHING, FileSearch } from './history/file-search.ts';
import { findLastLines, SEARCH_SLICE_MS } from './last-lines.ts';
import { chunksOfBatches } from './line-scan.ts';
import { type EncodedLines, encodeShared, type TailEncoding } from './output/encodings.ts';
import { cachedRead } from './read-cache.ts';
import {
  chunkBatchesEnd,
  chunkEndAfter,
  lowerBound,
  seenLines,
  TailCursor,
  type TailRange,
  upperBound,
} from './tail-cursor.ts';
import { foreignPosition, lostEnd, OutageNotices, platformLine } from './tail-notices.ts';
import { type TailOverflow, tailOverflowLine } from './tail-overflow.ts';

/** Lines that a reader may ask for: more than a stream holds. */
export const TAIL_LINES_MAX = 100_000_000;
/** A store that is unavailable is asked again after this time. */
const RETRY_MS = 250;
/** Of lines that are found in closed files so many, and so many bytes, are taken at a time. */
const FOUND_LINES = 10_000;
const FOUND_BYTES = 1_048_576;

/** What was found in closed files and isn't written yet. */
interface FoundChunks {
  readonly chunks: readonly StoredBatch[][];
  /** The first of them that isn't written. */
  next: number;
  /** Everything up to this line was looked at. */
  readonly scanned: Sequence;
}

/** Where a session's lines go. */
export interface TailSink<T> {
  readonly encoding: TailEncoding<T>;
  /** Takes lines; `last` is the position to resume after. Readers of the same lines get the same object. */
  write(lines: T, last: number): void;
  /** Called with the session's position: at its start, and when it has caught up. */
  reportPosition?(report: PositionReport): void;
  /**
   * Takes a notice, which is stored in no stream, also as a line; left out: the line is written, as any other.
   * @param position undefined while nobody knows where the session begins: told 0, a reader that comes again would get everything
   */
  notice?(message: string, line: string, position: number | undefined): void;
  /** Can it take more now? When not, `session.resume()` has to be called later. */
  canWrite(): boolean;
  /** The session is over: there are no more lines. */
  end(): void;
}

export interface PositionReport {
  /** Everything up to here was scanned: the position to resume after. */
  readonly position: number;
  /** At the start: that of the stream's newest line. */
  readonly newest?: number;
  /** What comes from here on is new. */
  readonly live?: true;
}

/** `after` and `before` are positions. */
export interface TailSessionOptions extends TailRange {
  readonly filter: LineFilter;
}

export class TailSession<T> {
  private readonly reader: StreamReader;
  private readonly options: TailSessionOptions;
  private readonly sink: TailSink<T>;
  private readonly cursor: TailCursor;
  private readonly files: FileSearch;
  private found: FoundChunks | undefined;
  /** Where the session begins is known. */
  private isPlaced = false;
  /** The position behind which its reader goes on, if it is of this stream: they are told none below it. */
  private givenPosition = 0;
  private busy = false;
  private closed = false;
  private stopListening = () => {};
  private stopWatchingOutage = () => {};
  /** Called when the stream can't be read; the session is over. */
  onFailure: (error: unknown) => void = () => {};

  constructor(reader: StreamReader, options: TailSessionOptions, sink: TailSink<T>) {
    this.reader = reader;
    this.options = options;
    this.sink = sink;
    this.cursor = new TailCursor(options);
    this.files = new FileSearch(
      reader,
      options.filter,
      () => this.closed,
      () =>
        this.writeNotice(
          'Many searches run at the moment: this one waits for its turn, and goes on by itself.',
        ),
    );
  }

  /** The position to resume after: everything up to there was scanned. */
  get position(): number {
    return this.positionOf(this.cursor.position);
  }

  private positionOf(sequence: Sequence): number {
    return Math.max(this.givenPosition, this.reader.positions.of(sequence));
  }

  /** Sends the history and, with `tail`, goes on until {@link close}. */
  async start(): Promise<void> {
    if (this.options.tail) {
      const notices = new OutageNotices((message) => this.writeNotice(message));
      this.stopWatchingOutage = this.reader.onOutage((unavailable) => notices.onChange(unavailable));
    }
    const { reader } = this;
    const startedAt = { uptimeMs: performance.now(), wallMs: Date.now() };
    const isLate = !reader.isReady && this.options.tail;
    await reader.ready;
    const { positions } = reader;
    // Whoever was told that the tail is open may have sent lines while nobody knew where the stream ends.
    const known = !isLate
      ? reader.newest
      : Math.min(reader.newest, await this.withRetry(() => reader.sequenceAtMoment(startedAt)));
    const range = this.rangeOfSequences();
    const newest = await this.newestForReader(known, range);
    const { lines, filter, sinceMs, untilMs } = range;
    const sinceSequence = sinceMs === undefined ? 0 : await this.sequenceAt(sinceMs);
    const untilSequence =
      untilMs === undefined ? Number.POSITIVE_INFINITY : await this.sequenceAt(untilMs + 1);
    if (this.closed) return;
    const after = lowerBound(range, newest, sinceSequence);
    const through = upperBound(range, newest, untilSequence);
    this.cursor.start(after, through);
    const { after: seen = 0 } = range;
    const { after: given = 0 } = this.options;
    const isForeign = seen > newest;
    const end = positions.lostBehind(given);
    if (!isForeign) this.givenPosition = end === undefined ? given : positions.behindEnd(end);
    if (lines !== undefined && range.after === undefined) {
      const query = { lines, after, through, filter, encoding: this.sink.encoding };
      const { encoded, start, position } = await this.withRetry(() =>
        findLastLines(this.reader, this.files, query, () => this.closed),
      );
      if (this.closed) return;
      this.reportPosition(start, { newest: positions.of(newest) });
      for (const lines of encoded) this.emit(lines);
      this.cursor.position = position;
    } else this.reportPosition(after, { newest: positions.of(newest) });
    this.isPlaced = true;
    if (isForeign) this.writeNotice(foreignPosition(given, positions.of(newest)));
    else if (end !== undefined) this.writeNotice(lostEnd(given, positions.of(end)));
    if (this.closed) return;
    this.stopListening = onGrowth(this.reader, () => this.resume());
    this.resume();
  }

  /** Sends what there is, as long as the sink takes it. */
  resume(): void {
    const slice = new TimeSlices(SEARCH_SLICE_MS);
    while (!this.closed && !this.busy && this.sink.canWrite()) {
      if (this.cursor.isDone) {
        this.finish();
        return;
      }
      const batches = this.reader.recentAfter(this.cursor.position);
      if (!batches) {
        void this.runAsync(() => this.readFromStore());
        return;
      }
      if (batches.length === 0) {
        if (this.cursor.becomesLive()) this.reportPosition(this.cursor.position, { live: true });
        return;
      }
      this.sendBatches(batches, slice);
      if (slice.isOver) void this.runAsync(() => slice.next());
    }
  }

  /** Its reader has gone: nothing is read or sent any more. */
  close(): void {
    this.closed = true;
    this.stopListening();
    this.stopWatchingOutage();
  }

  private finish(): void {
    this.close();
    this.sink.end();
  }

  private reportPosition(sequence: Sequence, more?: Omit<PositionReport, 'position'>): void {
    this.cursor.reported();
    this.sink.reportPosition?.({ position: this.positionOf(sequence), ...more });
  }

  /** What it is asked for, with sequences in the places of positions. */
  private rangeOfSequences(): TailSessionOptions {
    const { positions } = this.reader;
    const { after, before } = this.options;
    return {
      ...this.options,
      after: after && positions.sequenceOf(after),
      before: before && positions.sequenceOf(before - 1) + 1,
    };
  }

  /**
   * The stream's newest line, also when it isn't known here yet, and the reader got it from another router: they would get again what comes up to it, or
   * not be given what is before it. What comes while that is found out is new.
   * @param known the newest line that is known here
   */
  private async newestForReader(known: Sequence, range: TailRange): Promise<Sequence> {
    let newest = known;
    for (const seen of seenLines(range))
      if (seen > newest && (await this.withRetry(() => this.reader.hasReached(seen)))) newest = seen;
    return newest;
  }

  private sequenceAt(ms: number): Promise<Sequence> {
    return this.withRetry(() => this.reader.sequenceAt(ms));
  }

  /** Does asynchronous work, and goes on after it. */
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

  /** Asks the store; while that is unavailable, a session with `tail` tries again. */
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

  /** Gives the reader a notice, unless their sink is full. */
  private writeNotice(message: string): void {
    if (this.closed || !this.sink.canWrite()) return;
    const { encoding } = this.sink;
    const position = this.isPlaced ? this.position : this.options.after;
    const line = platformLine(message, position, encoding.format);
    if (this.sink.notice) this.sink.notice(message, line, position);
    else this.sink.write(encoding.encodeOne(line, position), this.position);
  }

  /** Reads from the store what isn't in memory. */
  private async readFromStore(): Promise<void> {
    const slice = new TimeSlices(SEARCH_SLICE_MS);
    const { newest } = this.reader;
    const { position } = this.cursor;
    this.found ??= await this.findInFiles();
    if (this.found) {
      while (this.sendFound(this.found, slice)) await slice.next();
      return;
    }
    const batches = await this.withRetry(() => cachedRead(this.reader, this.cursor.position));
    if (batches.length === 0 && newest > position) await this.skipMissingEnd(position);
    while (this.sendBatches(batches, slice)) await slice.next();
  }

  /** Lines that match after the position, when these are in a file that can be searched elsewhere. */
  private async findInFiles(): Promise<FoundChunks | undefined> {
    if (this.options.filter.matchesAll) return undefined;
    const { through, count } = this.cursor.rest;
    const found = await this.withRetry(() =>
      this.files.first(this.cursor.position, through, Math.min(count, FOUND_LINES), FOUND_BYTES),
    );
    return found && { chunks: chunksOfBatches(found.batches), next: 0, scanned: found.scanned };
  }

  /** Sends of what was found what the sink takes; true when it stopped because the time slice has expired. */
  private sendFound(found: FoundChunks, slice: TimeSlices): boolean {
    const { chunks, scanned } = found;
    while (found.next < chunks.length) {
      if (this.closed || this.cursor.isDone || !this.sink.canWrite()) return false;
      if (slice.isOver) return true;
      const chunk = chunks[found.next++];
      const range = this.cursor.nextRange(chunk[chunk.length - 1], Number.POSITIVE_INFINITY);
      this.emit(this.sink.encoding.encode(chunk, range, EVERYTHING, this.reader.positions));
    }
    this.found = undefined;
    if (!this.cursor.isDone && this.cursor.advance({ count: 0, last: scanned }))
      this.reportPosition(this.cursor.position);
    return false;
  }

  /** The stream had lines after the position, and gives none of them. */
  private async skipMissingEnd(position: Sequence): Promise<void> {
    const last = await this.withRetry(() => this.reader.missingEndAfter(position));
    if (this.closed) return;
    if (last === position) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      return;
    }
    const overflow = this.cursor.skipMissingEnd(last, Date.now());
    if (overflow) this.reportLoss(overflow);
  }

  /** Sends of the batches what the sink takes; true when it stopped because the time slice has expired. */
  private sendBatches(batches: readonly StoredBatch[], slice: TimeSlices): boolean {
    for (let from = 0; from < batches.length && !this.closed && this.sink.canWrite(); ) {
      if (this.cursor.isDone) return false;
      if (slice.isOver) return true;
      this.sendChunk(batches, from);
      while (from < batches.length && batches[from].last <= this.cursor.position) from++;
    }
    return false;
  }

  /** Sends lines after the position, beginning with `batches[from]`, up to the end of a chunk. */
  private sendChunk(batches: readonly StoredBatch[], from: number): void {
    const { cursor } = this;
    const first = batches[from];
    const overflow = cursor.skipGap(first);
    if (overflow) this.reportLoss(overflow);
    const chunkEnd = chunkEndAfter(cursor.position, first);
    const chunk = batches.slice(from, chunkBatchesEnd(batches, from, chunkEnd));
    const range = cursor.nextRange(chunk[chunk.length - 1], chunkEnd);
    const { encoding } = this.sink;
    const { filter } = this.options;
    const { positions } = this.reader;
    const isShared = cursor.isUnlimited && hasOtherTails(this.reader);
    this.emit(
      isShared
        ? encodeShared(encoding, chunk, range, filter, positions)
        : encoding.encode(chunk, range, filter, positions),
    );
  }

  private emit(encoded: EncodedLines<T>): void {
    if (this.cursor.advance(encoded)) this.reportPosition(this.cursor.position);
    else if (encoded.count > 0) this.sink.write(encoded.lines, this.positionOf(encoded.last));
  }

  private reportLoss(overflow: TailOverflow): void {
    const { encoding } = this.sink;
    const position = this.positionOf(overflow.position);
    const line = tailOverflowLine(overflow, position, encoding.format);
    this.sink.write(encoding.encodeOne(line, position), position);
  }
}
