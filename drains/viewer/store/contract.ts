/**
 * What keeps lines and finds them again: the rest of the viewer knows this file of `store/` alone.
 *
 * Lines arrive in streams (`src/logs`), one a sender. What a stream holds is packed into *parts*, files of compressed blocks with an
 * index, which stay when the stream has been trimmed. A line's place in its stream, the sequence, is the same in both: it is the line's
 * permalink, and a part says which sequences it holds, so that after a crash nothing is packed twice or left out.
 */

import type { QueryNode } from '../../../src/logs/query/query-syntax.ts';
import type { AppId, Sequence } from '../../../src/logs/store/contract.ts';

/** Where a line is. */
export interface LineRef {
  readonly stream: AppId;
  readonly sequence: Sequence;
}

/** A line that was found: a record of a batch (`src/logs/syslog/batch.ts`) of its own. */
export interface FoundLine extends LineRef {
  /** The line's own time, milliseconds since 1970. */
  readonly timeMs: number;
  /** When it was received, milliseconds since 1970. */
  readonly receivedAtMs: number;
  /** The record, with its header, to be read with a `RecordCursor`. */
  readonly record: Buffer;
}

/** Which lines are looked at. */
export interface LineSelection {
  readonly streams: readonly AppId[];
  /** Undefined: every line. */
  readonly query?: QueryNode;
  /** Names of streams: the query finds what their senders are called, too. */
  readonly senders?: ReadonlyMap<AppId, string>;
  /** Lines whose time is at or after this, milliseconds since 1970. */
  readonly fromMs?: number;
  /** Lines whose time is before this, milliseconds since 1970. */
  readonly toMs?: number;
}

export interface SearchRequest extends LineSelection {
  /** `before` a cursor, newest first; `after` one, oldest first. Without a cursor: from the selection's end, or its start. */
  readonly direction: 'before' | 'after';
  readonly cursor?: string;
  readonly limit: number;
}

export interface SearchResult {
  /** In the order of the request's direction: by time, then stream, then sequence. */
  readonly lines: readonly FoundLine[];
  /** Where to go on in the same direction, also when the search ended early; undefined: there is nothing more. */
  readonly cursor: string | undefined;
  /** Until what time it was looked, when the search ended early because of its time limit. */
  readonly searchedToMs: number | undefined;
}

/** Lines in a span of time, by level. */
export interface CountBucket {
  readonly startMs: number;
  readonly error: number;
  readonly warning: number;
  readonly other: number;
}

export interface CountRequest extends LineSelection {
  readonly stepMs: number;
}

/** How often a field has each of its values. */
export interface FieldValues {
  readonly values: readonly { readonly value: string; readonly count: number }[];
  /** Lines with other values than these. */
  readonly otherCount: number;
  /** Lines without the field. */
  readonly missingCount: number;
}

export interface FieldRequest extends LineSelection {
  /** As in a query: `source`, `dyno`, `level`, or a path of logfmt, JSON or structured data (`status`, `user.id`). */
  readonly field: string;
  readonly limit: number;
}

/** What a search may take. */
export interface SearchLimits {
  readonly signal?: AbortSignal;
  /** It ends early, with what was found, after this time. */
  readonly timeoutMs?: number;
  /** Called when counts or values are of a part of the lines alone, since the time was up. */
  readonly onTimeout?: () => void;
}

/** What the store holds of a stream. */
export interface StreamSummary {
  readonly stream: AppId;
  readonly lines: number;
  /** As they were received, and on disk. */
  readonly rawBytes: number;
  readonly diskBytes: number;
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
}

/** Lines that are lost because files were damaged. */
export interface PartDamage {
  readonly file: string;
  readonly stream: AppId | undefined;
  /** Undefined when the file doesn't say any more which they were. */
  readonly lines: { readonly first: Sequence; readonly last: Sequence } | undefined;
  /** The time that they were in, milliseconds since 1970, when that is known. */
  readonly times?: { readonly firstMs: number; readonly lastMs: number };
  readonly reason: string;
}

/** Lines of the past, from an archive: they get a part, and sequences of their own below those of the stream. */
export interface ImportedLine {
  readonly timeMs: number;
  readonly receivedAtMs: number;
  /** A record as in a batch. */
  readonly record: Uint8Array;
}

export interface LineStore {
  search(request: SearchRequest, limits?: SearchLimits): Promise<SearchResult>;
  counts(request: CountRequest, limits?: SearchLimits): Promise<readonly CountBucket[]>;
  fieldValues(request: FieldRequest, limits?: SearchLimits): Promise<FieldValues>;
  /** Names of fields that lines of the selection have, the most frequent first (of a sample). */
  fieldNames(selection: LineSelection, limits?: SearchLimits): Promise<readonly string[]>;
  /** The line itself with those around it in the same stream, oldest first; empty when it isn't kept any more. */
  context(line: LineRef, before: number, after: number): Promise<readonly FoundLine[]>;
  /** Lines of a stream after a sequence, oldest first, in pieces: for archives and downloads. */
  read(stream: AppId, after: Sequence, limits?: SearchLimits): AsyncIterable<readonly FoundLine[]>;
  /** Adds lines of the past; resolves when they are durable. The same `importId` again adds nothing. */
  importLines(
    stream: AppId,
    importId: string,
    lines: AsyncIterable<readonly ImportedLine[]>,
  ): Promise<number>;
  /**
   * Removes parts all of whose lines are older than a time, and were received before it; returns how many lines that were. What was imported stays: its lines were old
   * when somebody wanted them.
   * @param upTo parts with lines after this sequence stay: they aren't archived yet
   */
  removeBefore(stream: AppId, ms: number, upTo?: Sequence): Promise<number>;
  /**
   * Removes a stream's oldest parts until it takes no more than so many bytes on disk; returns how many lines that were.
   * @param upTo as for {@link removeBefore}
   */
  shrinkTo(stream: AppId, diskBytes: number, upTo?: Sequence): Promise<number>;
  /**
   * Deletes the lines of a stream that are selected: file by file, each of them as it was or without them.
   * @param isDryRun only counts them
   * @returns how many they are
   * @throws TailraceError `unavailable` when some are in a damaged file
   */
  deleteLines(stream: AppId, selection: Omit<LineSelection, 'streams'>, isDryRun?: boolean): Promise<number>;
  dropStream(stream: AppId): Promise<void>;
  summaries(): Promise<readonly StreamSummary[]>;
  /** Why lines can't be kept for long now, a full disk for example: a sentence; undefined when they can. */
  readonly trouble?: string | undefined;
  /** What was found damaged since the start, and at it. */
  damage(): readonly PartDamage[];
  /** Looks whether all files are there, and as long as they were; what isn't is in {@link damage} then. */
  checkFiles?(): Promise<void>;
  close(): Promise<void>;
}
