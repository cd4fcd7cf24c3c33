import type { Sequence } from '../../contract.ts';
import type { EntryFile } from './commit-memory.ts';

/** A batch that a process before this one left in a file of the commit log, where it stays until it is written to a segment. */
export interface LeftBatch {
  readonly first: Sequence;
  readonly last: Sequence;
  /** Of the batch alone. */
  readonly bytes: number;
  /** Bytes of its stream up to and with it. */
  readonly bytesSoFar: number;
  readonly frameId: string | undefined;
  readonly file: EntryFile;
  /** Where it is in the file, as an entry of a segment. */
  readonly offset: number;
  readonly entryBytes: number;
}
