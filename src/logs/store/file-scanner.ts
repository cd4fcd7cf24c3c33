/** How lines are searched for in the files of streams, somewhere else than on the event loop. */
import type { EventState } from '../syslog/event-lines.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import type { Sequence, StoredBatch, StreamFile } from './contract.ts';

/** Which lines of a file are searched for. */
export interface FileScan {
  readonly file: StreamFile;
  /** Where to begin in it; left out: at its start. What an earlier scan gave. */
  readonly from?: FilePlace;
  /** Only lines after this one, up to that one. */
  readonly after: Sequence;
  readonly through: Sequence;
  readonly filter: LineFilter;
  readonly take: FileTake;
  /** What an earlier scan gave that ended at `after`; left out: nothing before is known. */
  readonly events?: OpenEvents;
  /** Lines after this one come with others of their event that are found after `after`; left out: only those after `after` do. */
  readonly eventsAfter?: Sequence;
}

/** Events that may go on behind the end of a scan. */
export interface OpenEvents {
  /** Those of which lines are wanted. */
  readonly wanted: FollowedEvents;
  /** Those of which an error was counted. */
  readonly errors: FollowedEvents;
}

export interface FollowedEvents {
  readonly events: readonly FollowedEvent[];
  /** Of other senders the line behind the last event that was followed. */
  readonly begun: readonly (readonly [sender: string, first: Sequence])[];
}

export interface FollowedEvent {
  readonly sender: string;
  readonly state: EventState;
  /** The time of its last line as it is written, and its number. */
  readonly time: string;
  readonly last: Sequence;
}

/** Where an entry begins in a file. */
export interface FilePlace {
  readonly offset: number;
  readonly bytesSoFar: number;
}

export type FileTake =
  /** The first lines that match, until there are so many or so many bytes of them, or a few more. */
  | { readonly kind: 'first'; readonly lines: number; readonly bytes: number }
  /** The last ones. The lines themselves are left out when they have more bytes. */
  | { readonly kind: 'last'; readonly lines: number; readonly bytes: number }
  /** How many match, in units of time; of an event (a stack trace) one error is counted as such, in each file. Of those that were stored from a time on, milliseconds since 1970. */
  | { readonly kind: 'counts'; readonly unitMs: number; readonly notBeforeMs: number };

/** What a scan gives. */
export interface FileScanResult {
  /** Everything up to this line was looked at; before the first one of the range when nothing was found in the file at all. */
  readonly scanned: Sequence;
  /** The scan ended before the end of the file, or of the range: it goes on there. */
  readonly rest: FilePlace | undefined;
  /** The lines that match, by their numbers; not when they are counted. */
  readonly sequences: Float64Array;
  /** The same lines, in batches of those that follow each other; undefined when they were left out. */
  readonly batches: readonly StoredBatch[] | undefined;
  /** When they are counted: of each unit its start, errors, warnings, others. */
  readonly counts: Float64Array;
  readonly events: OpenEvents;
  /** When the oldest entry was stored that was looked at, milliseconds since 1970; infinite without one. */
  readonly oldestMs: number;
}

/** Scans files. */
export interface FileScanner {
  /**
   * Scans a part of a file; undefined when it can't be read as it should: it is gone or damaged.
   * @param owner who searches: all who do take turns, however many they are
   * @throws TailraceError `unavailable` when it is closed.
   */
  scan(owner: string, scan: FileScan): Promise<FileScanResult | undefined>;
}
