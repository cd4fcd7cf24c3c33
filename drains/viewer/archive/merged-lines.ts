/** Lines of several streams, in the order in which they were received. */

import type { AppId, Sequence } from '../../../src/logs/store/contract.ts';
import type { FoundLine, LineStore } from '../store/contract.ts';

/** Streams that are read side by side; of more than these some are read after the others. */
const STREAMS_MAX = 64;

/** Which lines of a stream are taken: after one sequence, up to another. */
export interface StreamSpan {
  readonly id: AppId;
  readonly name: string;
  readonly after: Sequence;
  readonly through: Sequence;
}

/** What time it is, milliseconds since 1970, and up to when hours are over. */
export interface ArchiveClock {
  readonly nowMs: number;
  readonly overMs: number;
}

/** What lines are given to. */
export interface LineTaker {
  add(line: FoundLine, streamName: string): void;
  readonly isFull: boolean;
  drain(): Promise<void>;
}

/** Reads streams on and on: each {@link takeBefore} goes on where the one before ended. */
export class MergedLines {
  private readonly readers: readonly StreamLines[];
  private readonly clock: ArchiveClock | undefined;

  /** @param clock what a clock that was wrong says was received later than now counts as received before the hour that isn't over */
  constructor(
    store: LineStore,
    spans: readonly StreamSpan[],
    signal: AbortSignal | undefined,
    clock?: ArchiveClock,
  ) {
    this.clock = clock;
    this.readers = spans.map((span) => new StreamLines(store, span, signal));
  }

  /** When the next line was received; undefined when there is none. */
  async nextMs(): Promise<number | undefined> {
    let min: number | undefined;
    for (const reader of this.readers) {
      const head = await reader.head();
      const ms = head && receivedMs(head, this.clock);
      if (ms !== undefined && (min === undefined || ms < min)) min = ms;
      if (this.isCrowded) await reader.close();
    }
    return min;
  }

  /** Takes what was received before a time: of each stream, up to the first line that wasn't. */
  async takeBefore(ms: number, taker: LineTaker): Promise<void> {
    for (let at = 0; at < this.readers.length; at += STREAMS_MAX) {
      const readers = this.readers.slice(at, at + STREAMS_MAX);
      await takeMerged(readers, ms, taker, this.clock);
      if (this.isCrowded) for (const reader of readers) await reader.close();
    }
  }

  async close(): Promise<void> {
    for (const reader of this.readers) await reader.close();
  }

  private get isCrowded(): boolean {
    return this.readers.length > STREAMS_MAX;
  }
}

async function takeMerged(
  readers: readonly StreamLines[],
  beforeMs: number,
  taker: LineTaker,
  clock: ArchiveClock | undefined,
): Promise<void> {
  for (;;) {
    let next: StreamLines | undefined;
    let nextMs = beforeMs;
    // Up to there the next stream has what comes first.
    let limitMs = beforeMs;
    for (const reader of readers) {
      const head = await reader.head();
      const ms = head ? receivedMs(head, clock) : Number.POSITIVE_INFINITY;
      if (ms < nextMs) {
        limitMs = nextMs;
        nextMs = ms;
        next = reader;
      } else limitMs = Math.min(limitMs, ms);
    }
    if (!next) return;
    for (let line = await next.head(); line; line = next.buffered ?? (await next.head())) {
      const ms = receivedMs(line, clock);
      if (ms !== nextMs && ms >= limitMs) break;
      taker.add(line, next.name);
      if (taker.isFull) await taker.drain();
      next.shift();
    }
  }
}

function receivedMs({ receivedAtMs }: FoundLine, clock: ArchiveClock | undefined): number {
  return clock && receivedAtMs > clock.nowMs ? clock.overMs - 1 : receivedAtMs;
}

class StreamLines {
  readonly name: string;
  private readonly store: LineStore;
  private readonly id: AppId;
  private readonly through: Sequence;
  private readonly signal: AbortSignal | undefined;
  private after: Sequence;
  private pieces: AsyncIterator<readonly FoundLine[]> | undefined;
  private piece: readonly FoundLine[] = [];
  private at = 0;
  private isAtEnd = false;

  constructor(store: LineStore, span: StreamSpan, signal: AbortSignal | undefined) {
    this.store = store;
    this.id = span.id;
    this.name = span.name;
    this.after = span.after;
    this.through = span.through;
    this.signal = signal;
  }

  /** The line that comes next, when it is at hand. */
  get buffered(): FoundLine | undefined {
    const line = this.piece[this.at];
    return line && line.sequence <= this.through ? line : undefined;
  }

  async head(): Promise<FoundLine | undefined> {
    while (this.at >= this.piece.length) {
      if (this.isAtEnd) return undefined;
      this.signal?.throwIfAborted();
      this.pieces ??= this.store.read(this.id, this.after, { signal: this.signal })[Symbol.asyncIterator]();
      const next = await this.pieces.next();
      this.at = 0;
      this.piece = next.done ? [] : next.value;
      if (next.done) this.isAtEnd = true;
    }
    return this.buffered;
  }

  shift(): void {
    this.after = this.piece[this.at++].sequence;
  }

  async close(): Promise<void> {
    const { pieces } = this;
    // What wasn't taken is read again.
    if (this.at < this.piece.length) this.isAtEnd = false;
    this.pieces = undefined;
    this.piece = [];
    this.at = 0;
    await pieces?.return?.();
  }
}
