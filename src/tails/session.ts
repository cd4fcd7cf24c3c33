/**
 * A tail session: the last lines of a stream, then what comes, for one live reader. The stream itself is the
 * buffer: a reader who is slow lags behind, and only what is trimmed under it is lost, counted, and told (L11).
 */

import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { Reader } from '../store/reader.ts';
import { formatTimestamp } from '../syslog/timestamp.ts';
import type { Filter } from './filter.ts';
import { type FormatName, formatBatch, type LineFields } from './format.ts';

/** Lines a reader may ask for before the live ones. */
export const HISTORY_LINES_MAX = 100_000;
/** Bytes of history that are looked through for lines that match, at the most. */
const HISTORY_BYTES_MAX = 256 * 1_048_576;

/** A store that is away is asked again after this time. */
const RETRY_MS = 500;

/** Where a session's lines go. */
export interface TailSink {
  /** Takes lines; `last` is the position to resume after. */
  lines(lines: readonly string[], last: Sequence): void;
  /** Can it take more now? When it says no, `session.resume()` has to be called later. */
  ready(): boolean;
  /** There is no more, and nothing will come. */
  end(): void;
}

export interface TailOptions {
  /** How many lines from before now; ignored with `after`. */
  readonly lines: number;
  /** Go on behind this position. */
  readonly after?: Sequence;
  /** Stay for what comes. */
  readonly tail: boolean;
  readonly filter: Filter;
  readonly format: FormatName;
}

export class TailSession {
  private readonly reader: Reader;
  private readonly options: TailOptions;
  private readonly sink: TailSink;
  private position: Sequence = 0;
  private until: Sequence | undefined;
  private reading = false;
  private closed = false;
  private unsubscribe = () => {};

  constructor(reader: Reader, options: TailOptions, sink: TailSink) {
    this.reader = reader;
    this.options = options;
    this.sink = sink;
  }

  /** Sends the history and, with `tail`, goes on until {@link close}. */
  async start(): Promise<void> {
    await this.reader.ready;
    if (this.closed) return;
    const { after, tail, lines } = this.options;
    const newest = this.reader.newest;
    if (!tail) this.until = newest;
    if (after !== undefined) this.position = Math.min(after, newest);
    else await this.sendHistory(newest, Math.min(lines, HISTORY_LINES_MAX));
    if (this.closed) return;
    this.unsubscribe = this.reader.onGrow(() => this.resume());
    this.resume();
  }

  /** Sends what there is, as long as the sink takes it. */
  resume(): void {
    while (!this.closed && !this.reading && this.sink.ready()) {
      if (this.until !== undefined && this.position >= this.until) {
        this.finish();
        return;
      }
      const batches = this.reader.recentAfter(this.position);
      if (!batches) {
        void this.readOn();
        return;
      }
      if (batches.length === 0) return;
      this.send(batches);
    }
  }

  close(): void {
    this.closed = true;
    this.unsubscribe();
  }

  private finish(): void {
    this.close();
    this.sink.end();
  }

  /** What isn't in memory comes from the store. */
  private async readOn(): Promise<void> {
    this.reading = true;
    try {
      const batches = await this.reader.readAfter(this.position);
      if (batches.length > 0) this.send(batches);
      else this.position = this.reader.newest; // trimmed or dropped meanwhile
    } catch {
      // The store is away: the tail stays, and goes on when it is back.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    } finally {
      this.reading = false;
    }
    this.resume();
  }

  private send(batches: readonly StoredBatch[]): void {
    for (const batch of batches) {
      if (this.closed || !this.sink.ready()) return;
      if (batch.first > this.position + 1 && this.position > 0) this.tellLoss(batch);
      const { lines, last } = formatBatch(batch, this.position, this.options.filter, this.options.format);
      this.position = last;
      if (lines.length > 0) this.sink.lines(lines, last);
    }
  }

  private tellLoss(batch: StoredBatch): void {
    const count = batch.first - this.position - 1;
    const timestamp = formatTimestamp(Date.now());
    const since = formatTimestamp(batch.storedAtMs);
    const message = `Error L11 (Tail buffer overflow) -> This tail session dropped ${count} messages since ${since}.`;
    const fields: LineFields = {
      position: String(batch.first - 1),
      timestamp,
      facility: 21,
      severity: 4,
      hostname: 'host',
      source: 'heroku',
      dyno: 'logplex',
      message,
    };
    const text = `${timestamp} heroku[logplex]: ${message}`;
    this.sink.lines([this.options.format === 'text' ? text : JSON.stringify(fields)], batch.first - 1);
  }

  /** The last `wanted` lines that match, oldest first: the filter counts before the limit does. */
  private async sendHistory(newest: Sequence, wanted: number): Promise<void> {
    this.position = newest;
    if (wanted <= 0 || newest === 0) return;
    const { filter, format } = this.options;
    const found: { lines: readonly string[]; last: Sequence }[] = [];
    let count = 0;
    let bytes = 0;
    let before = newest + 1;
    while (count < wanted && bytes < HISTORY_BYTES_MAX) {
      const batches = await this.reader.readBefore(before);
      if (batches.length === 0) break;
      for (const batch of batches) {
        const { lines } = formatBatch(batch, batch.first - 1, filter, format);
        found.push({ lines, last: batch.last });
        count += lines.length;
        bytes += batch.bytes.length;
        before = batch.first;
        if (count >= wanted) break;
      }
      if (before <= 1) break;
    }
    let skip = count - wanted;
    for (const { lines, last } of found.reverse()) {
      if (this.closed) return;
      const rest = skip > 0 ? lines.slice(skip) : lines;
      skip -= lines.length;
      // The newest batch may have grown past `newest` meanwhile: the live part starts behind what was sent.
      this.position = Math.max(this.position, last);
      if (rest.length > 0) this.sink.lines(rest, last);
    }
  }
}
