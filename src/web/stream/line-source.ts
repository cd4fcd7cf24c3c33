/** Where a view's lines are from. The live page reads them from an app's stream; another page can have another source. */
import type { Filters } from './filters.ts';
import type { HistoryQuery } from './history-query.ts';
import type { Line } from './line.ts';

export interface LineSource {
  /** Lines of the past that match, oldest first. Rejects as {@link LineSourceError} says. */
  fetchHistory(filters: Filters, query: HistoryQuery, signal: AbortSignal): Promise<Line[]>;
  /** Lines as they come; nothing comes before {@link LineTail.connect}. */
  openTail(filters: Filters, listener: TailListener): LineTail;
  /** How many lines there were over time. */
  fetchCounts(filters: Filters, request: CountRequest, signal: AbortSignal): Promise<CountPart>;
}

/** The source has refused: `message` is its own sentence. What isn't answered at all rejects with another error. */
export class LineSourceError extends Error {
  readonly status: number;

  /** @param status as HTTP has it */
  constructor(status: number, message: string) {
    super(message);
    this.name = new.target.name;
    this.status = status;
  }
}

export type TailState =
  /** @property resumes it was live, and then nothing came any more */
  | { readonly name: 'connecting'; readonly resumes?: boolean }
  | { readonly name: 'live' }
  /** What is searched for ends before what is still to come. */
  | { readonly name: 'past' }
  /** The server doesn't answer; the next attempt is at this time. */
  | { readonly name: 'unreachable'; readonly retryAtMs: number }
  /** The server rejected the request, and another attempt would not help. */
  | { readonly name: 'refused'; readonly status: number; readonly message: string };

export interface TailListener {
  readonly onLines: (lines: readonly Line[]) => void;
  readonly onState: (state: TailState) => void;
  /** What the server reports of the tail itself: the store is unavailable, or is back. */
  readonly onNotice: (notice: string) => void;
}

export interface LineTail {
  /** Connects, or connects anew, and reads what is behind this position. */
  connect(after: number): void;
  /** Connects anew, and resumes where it was. */
  reconnect(): void;
  /** Connects at once instead of waiting for the next attempt. */
  retryNow(): void;
  close(): void;
}

/** What is counted, in buckets of one length: a range, the last stretch of time, or what is around a line. */
export interface CountRequest {
  /** Milliseconds since 1970. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Milliseconds. */
  readonly rangeMs?: number;
  /** The position of a line. */
  readonly around?: number;
  readonly stepMs: number;
  /** What an earlier part has left. */
  readonly before?: string;
}

/** Counts of a range, or of its newer part. Times are milliseconds since 1970, by the server's clock. */
export interface CountPart {
  readonly sinceMs: number;
  readonly stepMs: number;
  readonly errors: readonly number[];
  readonly warnings: readonly number[];
  readonly others: readonly number[];
  readonly countedSinceMs: number;
  /** How the rest is asked for, when this isn't all. */
  readonly before: string | undefined;
  /** The newest line then. */
  readonly position: number;
  /** The server's time then. */
  readonly nowMs: number;
}
