import { BufferPool } from '../../../../common/buffers/buffer-pool.ts';
import type { Sequence, StoredBatch } from '../../contract.ts';
import {
  encodeFrameIdEntry,
  knownEntryEnd,
  readKnownEntry,
  type SegmentEntry,
  toStoredBatch,
} from './entry-format.ts';

/** Of the memory's pieces, unless a write is larger. */
const PIECE_BYTES = 1_048_576;
/** Pieces that are kept for the next file. */
const PIECES_KEPT = 40;

/** Of all files of commit logs: left to the garbage collector, they would look like memory that grows. */
const pieces = new BufferPool({ buffersMax: PIECES_KEPT, stepBytes: PIECE_BYTES });

/** The entries of a file of the commit log in memory, until all of them are in segments. */
export class CommitMemory {
  private readonly held: Buffer[] = [];
  /** Where the next bytes go in the newest piece. */
  private end = 0;

  /** Makes room for so many bytes that stay together: they go into {@link piece} from {@link at} on. */
  reserve(bytes: number): void {
    if (this.held.length > 0 && this.end + bytes <= this.piece.length) return;
    this.held.push(pieces.acquire(Math.max(bytes, PIECE_BYTES)));
    this.end = 0;
  }

  get piece(): Buffer {
    return this.held[this.held.length - 1];
  }

  get at(): number {
    return this.end;
  }

  /** So many bytes were written there, and stay. */
  keep(bytes: number): void {
    this.end += bytes;
  }

  /** Nobody reads it any more. */
  release(): void {
    for (const piece of this.held.splice(0)) pieces.release(piece);
  }
}

/**
 * Batches of a stream that are in the commit log and in no segment yet, oldest first: where they are in the log's memory, as entries of a
 * segment. There are many of many apps: none has an object of its own.
 */
export class UnwrittenEntries {
  private memories: Buffer[] = [];
  private starts: number[] = [];
  /** Of the batches. */
  bytes = 0;

  get count(): number {
    return this.starts.length;
  }

  /** An entry was written to the log's memory, which stays as it is until the entry is written to a segment. */
  add(memory: Buffer, at: number, batchBytes: number): void {
    this.memories.push(memory);
    this.starts.push(at);
    this.bytes += batchBytes;
  }

  /** Adds a batch whose header is written, in memory of its own. @param seed of its app's checksums */
  addBatch(batch: Uint8Array, frameId: string | undefined, seed: number): void {
    const memory = Buffer.concat(
      frameId === undefined ? [batch] : [encodeFrameIdEntry(frameId, seed), batch],
    );
    this.add(memory, 0, batch.length);
  }

  clear(): void {
    this.memories = [];
    this.starts = [];
    this.bytes = 0;
  }

  /** All of them, one behind the other. */
  copy(): Buffer {
    const { memories, starts } = this;
    let size = 0;
    for (let i = 0; i < starts.length; i++) size += knownEntryEnd(memories[i], starts[i]) - starts[i];
    const all = Buffer.allocUnsafe(size);
    let to = 0;
    for (let i = 0; i < starts.length; i++)
      to += memories[i].copy(all, to, starts[i], knownEntryEnd(memories[i], starts[i]));
    return all;
  }

  /** Calls `visit` with each of them. */
  forEach(visit: (entry: SegmentEntry) => void): void {
    for (let i = 0; i < this.starts.length; i++) visit(readKnownEntry(this.memories[i], this.starts[i]));
  }

  /** Those with a line from `from` up to `before`, with bytes of their own. */
  read(from: Sequence, before: Sequence = Number.POSITIVE_INFINITY): StoredBatch[] {
    const found: StoredBatch[] = [];
    for (let i = 0; i < this.starts.length; i++) {
      const entry = readKnownEntry(this.memories[i], this.starts[i]);
      if (entry.last < from || entry.first >= before) continue;
      const bytes = Buffer.from(this.memories[i].subarray(entry.batchStart, entry.end));
      found.push(toStoredBatch(bytes, entry));
    }
    return found;
  }

  /** The last line of those that were stored before a time, milliseconds since 1970. */
  lastBefore(ms: number): Sequence | undefined {
    for (let i = this.starts.length - 1; i >= 0; i--) {
      const { storedAtMs, last } = readKnownEntry(this.memories[i], this.starts[i]);
      if (storedAtMs < ms) return last;
    }
    return undefined;
  }
}
