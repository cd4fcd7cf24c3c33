import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { BufferPool } from '../../../../common/buffers/buffer-pool.ts';
import type { Sequence, StoredBatch } from '../../contract.ts';
import {
  encodeFrameIdEntry,
  knownEntryEnd,
  readKnownEntry,
  type SegmentEntry,
  toStoredBatch,
} from '../segments/entry-format.ts';

/** Of the memory's pieces, unless a write is larger. */
const PIECE_BYTES = 1_048_576;
/** Pieces that are kept for the next file. */
const PIECES_KEPT = 20;

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

  /** Is that a piece of it? */
  has(piece: Buffer): boolean {
    return this.held.includes(piece);
  }

  /** Nobody reads it any more. */
  release(): void {
    for (const piece of this.held.splice(0)) pieces.release(piece);
  }
}

/**
 * What was in the memory of a full file of the commit log, moved out of it: the entries of each stream one behind the other. The file has no
 * name, and nothing depends on it: what is in it is in the commit log, too. Mostly it is gone before the system has written it to the disk.
 */
export class SpilledEntries {
  private readonly fd: number;
  /** What isn't in the file yet: from {@link writtenBytes} on. */
  private readonly tail: Buffer;
  private tailBytes = 0;
  private writtenBytes = 0;

  /** @param path of the file until it is open */
  constructor(path: string) {
    this.fd = openSync(path, 'w+', 0o600);
    unlinkSync(path);
    this.tail = pieces.acquire(PIECE_BYTES);
  }

  get bytes(): number {
    return this.writtenBytes + this.tailBytes;
  }

  /** Makes room for so many bytes behind {@link bytes}, to be written into the memory that is returned; then {@link keep} them. */
  reserve(bytes: number): Buffer {
    if (bytes > this.tail.length) throw new Error('that is too much to be worth it');
    if (this.tailBytes + bytes > this.tail.length) this.flush();
    return this.tail.subarray(this.tailBytes, this.tailBytes + bytes);
  }

  keep(bytes: number): void {
    this.tailBytes += bytes;
  }

  /** Reads what was kept into `out`. */
  read(out: Buffer, at: number, bytes: number, offset: number): void {
    if (offset >= this.writtenBytes) {
      const from = offset - this.writtenBytes;
      this.tail.copy(out, at, from, from + bytes);
    } else if (readSync(this.fd, out, at, bytes, offset) < bytes)
      throw new Error('EIO: the file with what the commit log holds is cut off');
  }

  close(): void {
    closeSync(this.fd);
    pieces.release(this.tail);
  }

  private flush(): void {
    const { tail, tailBytes } = this;
    const written = writeSync(this.fd, tail, 0, tailBytes, this.writtenBytes);
    if (written < tailBytes) throw new Error('ENOSPC: the write was cut short');
    this.writtenBytes += tailBytes;
    this.tailBytes = 0;
  }
}

/** A stream's part of {@link SpilledEntries}. */
interface SpilledPart {
  readonly file: SpilledEntries;
  readonly offset: number;
  readonly bytes: number;
  readonly count: number;
}

/**
 * Batches of a stream that are in the commit log and in no segment yet, oldest first: where they are in the log's memory, or where they were
 * spilled to, as entries of a segment. There are many of many apps: none has an object of its own.
 */
export class UnwrittenEntries {
  /** The oldest ones. */
  private spilled: readonly SpilledPart[] = NONE;
  private memories: Buffer[] = [];
  private starts: number[] = [];
  private spilledCount = 0;
  /** Of the batches. */
  bytes = 0;

  get count(): number {
    return this.spilledCount + this.starts.length;
  }

  /** An entry was written to the log's memory, which stays as it is until the entry is written to a segment, or spilled. */
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
    this.spilled = NONE;
    this.spilledCount = 0;
    this.memories = [];
    this.starts = [];
    this.bytes = 0;
  }

  /**
   * Moves the oldest of those in memory to a file, as far as they are in `memory`. False when the oldest one isn't. What can't be written stays
   * where it is.
   */
  spill(memory: CommitMemory, file: SpilledEntries): boolean {
    const { memories, starts } = this;
    let count = 0;
    while (count < starts.length && memory.has(memories[count])) count++;
    if (count === 0) return false;
    const bytes = this.sizeInMemory(count);
    this.copyMemory(file.reserve(bytes), 0, count);
    this.spilled = [...this.spilled, { file, offset: file.bytes, bytes, count }];
    file.keep(bytes);
    this.spilledCount += count;
    this.memories = memories.slice(count);
    this.starts = starts.slice(count);
    return true;
  }

  /** All of them, one behind the other. */
  copy(): Buffer {
    const count = this.starts.length;
    let spilledBytes = 0;
    for (const { bytes } of this.spilled) spilledBytes += bytes;
    const all = Buffer.allocUnsafe(spilledBytes + this.sizeInMemory(count));
    let to = 0;
    for (const { file, offset, bytes } of this.spilled) {
      file.read(all, to, bytes, offset);
      to += bytes;
    }
    this.copyMemory(all, to, count);
    return all;
  }

  /** Those with a line from `from` up to `before`, with bytes of their own. */
  read(from: Sequence, before: Sequence = Number.POSITIVE_INFINITY): StoredBatch[] {
    const found: StoredBatch[] = [];
    this.forEach((entry, bytes) => {
      if (entry.last < from || entry.first >= before) return;
      found.push(toStoredBatch(Buffer.from(bytes.subarray(entry.batchStart, entry.end)), entry));
    });
    return found;
  }

  /** The last line of those that were stored before a time, milliseconds since 1970. */
  lastBefore(ms: number): Sequence | undefined {
    let found: Sequence | undefined;
    this.forEach(({ storedAtMs, last }) => {
      if (storedAtMs < ms) found = last;
    });
    return found;
  }

  /** Calls `visit` with each of them and the bytes that it is in: those in memory aren't copied. */
  private forEach(visit: (entry: SegmentEntry, bytes: Buffer) => void): void {
    for (const { file, offset, bytes } of this.spilled) {
      const part = Buffer.allocUnsafe(bytes);
      file.read(part, 0, bytes, offset);
      forEachEntry(part, 0, (entry) => visit(entry, part));
    }
    for (const [i, memory] of this.memories.entries())
      visit(readKnownEntry(memory, this.starts[i], 0), memory);
  }

  private sizeInMemory(count: number): number {
    const { memories, starts } = this;
    let size = 0;
    for (let i = 0; i < count; i++) size += knownEntryEnd(memories[i], starts[i]) - starts[i];
    return size;
  }

  private copyMemory(out: Buffer, at: number, count: number): void {
    const { memories, starts } = this;
    let to = at;
    for (let i = 0; i < count; i++)
      to += memories[i].copy(out, to, starts[i], knownEntryEnd(memories[i], starts[i]));
  }
}

/** Calls `visit` with each entry of what {@link UnwrittenEntries.copy} gave, which is in a segment from `offset` on. */
export function forEachEntry(bytes: Buffer, offset: number, visit: (entry: SegmentEntry) => void): void {
  for (let at = 0; at < bytes.length; ) {
    const entry = readKnownEntry(bytes, at, offset);
    visit(entry);
    at = entry.end - offset;
  }
}

const NONE: readonly never[] = [];
