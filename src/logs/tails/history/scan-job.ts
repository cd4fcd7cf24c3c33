/** What a thread is given to scan: plain data. */
import type { QueryNode } from '../../query/query-syntax.ts';
import type { Sequence, StreamFile } from '../../store/contract.ts';
import type { FilePlace, FileTake, OpenEvents } from '../../store/file-scanner.ts';
import type { LogLevel } from '../../syslog/level.ts';

/** A filter of lines (`LineFilterOptions`). */
export interface FilterData {
  readonly sources: readonly string[] | undefined;
  readonly dynos: readonly string[] | undefined;
  readonly level: LogLevel | undefined;
  readonly query: QueryNode | undefined;
  /** The key of its matcher. */
  readonly queryKey: string;
  readonly wholeEvents: boolean;
  /** Equal for filters that decide alike. */
  readonly key: string;
}

export interface ScanJob {
  readonly file: Omit<StreamFile, 'identity'>;
  readonly from: FilePlace;
  readonly after: Sequence;
  readonly through: Sequence;
  readonly filter: FilterData;
  readonly take: FileTake;
  readonly events: OpenEvents | undefined;
  readonly eventsAfter: Sequence;
}

/** See `FileScanResult`; undefined when the file can't be read as it should. */
export type ScanReply =
  | {
      readonly scanned: Sequence;
      readonly rest: FilePlace | undefined;
      readonly sequences: Float64Array<ArrayBuffer>;
      readonly found: FoundLines | undefined;
      readonly counts: Float64Array<ArrayBuffer>;
      readonly events: OpenEvents;
      readonly oldestMs: number;
    }
  | undefined;

/** Lines in batches, one after the other in their bytes. */
export interface FoundLines {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of each batch where it ends, its first line, how many there are, and when they were stored. */
  readonly batches: Float64Array<ArrayBuffer>;
}

/** Numbers of each batch in {@link FoundLines}, and of each unit in counts. */
export const COLUMNS = 4;
