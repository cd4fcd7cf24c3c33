import type { Sequence, StoredBatch } from '../../contract.ts';
import {
  encodeFrameIdEntry,
  knownEntryEnd,
  readKnownEntry,
  type SegmentEntry,
  toStoredBatch,
} from '../segments/entry-format.ts';
import type { CommitMemory, SpilledEntries } from './commit-memory.ts';

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

  /** Batches, spilled ones included. */
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

  /** All of them are in a segment, or the stream is dropped. */
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
