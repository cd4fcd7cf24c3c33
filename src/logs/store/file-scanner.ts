/** How lines are searched for in the files of streams, somewhere else than on the event loop. */
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
  /** How many match, in units of time, of those that were stored from a time on; milliseconds since 1970. */
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
