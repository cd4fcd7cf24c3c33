import type { Sequence } from '../../contract.ts';
import type { CommitTarget, QueuedBatch } from '../commit-log/commit-log.ts';
import type { AppStream } from './app-stream.ts';
import type { Appender } from './appender.ts';

/** An app's stream, and what writes to it. */
export interface OpenStream extends CommitTarget {
  readonly stream: AppStream;
  readonly appender: Appender;
  /** How far it was when it was noted last. */
  notedUpTo: Sequence;
  /** Its id can be told in 16 bytes. */
  readonly mayCommit: boolean;
  /** Nothing is appended to it any more: it was closed, or removed, and the app's next one has to be opened. */
  isClosed: boolean;
}

/** A batch on its way into a stream that is open. */
export interface OpenStreamAppend extends QueuedBatch {
  readonly target: OpenStream;
}
