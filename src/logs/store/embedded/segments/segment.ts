import { join } from 'node:path';
import type { Sequence, StoredBatch } from '../../contract.ts';
import {
  type SegmentEntry,
  type SegmentOffset,
  segmentFileName,
  toStoredBatch,
  validEntries,
} from './entry-format.ts';
import { walkEntries } from './entry-walk.ts';
import type { OpenFileCache } from './open-file-cache.ts';

/** There is an index entry about every so many bytes. */
const INDEX_INTERVAL_BYTES = 65_536;

/** An entry of the sparse index: where an entry of the file is. */
interface IndexEntry extends SegmentOffset {
  readonly first: Sequence;
  /** The earliest time at which an entry from here up to the next index entry was stored: the clock may have been set back. */
  earliestMs: number;
}

/** A file of a stream, with a sparse index of its entries. */
export class Segment {
  readonly path: string;
  /** The first sequence that is in it, or will be. */
  readonly first: Sequence;
  /** Bytes of the stream before it. */
  readonly bytesBefore: number;
  /** Bytes that hold acknowledged entries. */
  size = 0;
  private readonly files: OpenFileCache;
  /** Sparse, in the order of the file. */
  private index: IndexEntry[] = [];
  /** Resolves when the index is built; undefined when that has still to be done. */
  private indexed: Promise<void> | undefined = Promise.resolve();

  constructor(folder: string, start: { first: Sequence; bytesBefore: number }, files: OpenFileCache) {
    this.path = join(folder, segmentFileName(start.first, start.bytesBefore));
    this.first = start.first;
    this.bytesBefore = start.bytesBefore;
    this.files = files;
  }

  /** The start of its entries. */
  get start(): SegmentOffset {
    return { offset: 0, bytesSoFar: this.bytesBefore };
  }

  /** It was left at this size: its index is built when it is read. */
  openExisting(size: number): void {
    this.size = size;
    this.indexed = undefined;
  }

  /** An entry was written at the end. */
  addEntry(entry: SegmentEntry): void {
    addIndexEntry(this.index, entry);
    this.size = entry.end;
  }

  /** Batches from the one with line `from` on: about `bytes` of them, one at least if there is one. */
  async batchesFrom(from: Sequence, bytes: number): Promise<StoredBatch[]> {
    await this.loadIndex();
    const found: StoredBatch[] = [];
    let size = 0;
    // An index entry that is added meanwhile doesn't count: between it and what was read there may be more.
    const entries = this.index.length;
    for (
      let start = this.findIndexEntry((candidate) => candidate.first <= from);
      start < entries && size < bytes;
    ) {
      let end = start + 1;
      while (end < entries && this.index[end].offset - this.index[start].offset < bytes - size) end++;
      for (const batch of await this.readBetween(start, end)) {
        if (batch.last < from || size >= bytes) continue;
        found.push(batch);
        size += batch.bytes.length;
      }
      start = end;
    }
    return found;
  }

  /** Batches that start before the line `before`, newest first, otherwise like {@link batchesFrom}. */
  async batchesBefore(before: Sequence, bytes: number): Promise<StoredBatch[]> {
    await this.loadIndex();
    const found: StoredBatch[] = [];
    let size = 0;
    for (let end = this.findIndexEntry(({ first }) => first < before) + 1; end > 0 && size < bytes; ) {
      let start = end - 1;
      while (start > 0 && this.offsetAt(end) - this.index[start].offset < bytes - size) start--;
      for (const batch of (await this.readBetween(start, end)).reverse()) {
        if (batch.first >= before || size >= bytes) continue;
        found.push(batch);
        size += batch.bytes.length;
      }
      end = start;
    }
    return found;
  }

  /** The last sequence in it that was stored before a time; undefined when none was. */
  async sequenceAt(ms: number): Promise<Sequence | undefined> {
    await this.loadIndex();
    const i = this.index.findLastIndex(({ earliestMs }) => earliestMs < ms);
    if (i === -1) return undefined;
    let found: Sequence | undefined;
    for (const batch of await this.readBetween(i, i + 1)) if (batch.storedAtMs < ms) found = batch.last;
    return found;
  }

  /** The index of the last index entry for which it holds, or 0. */
  private findIndexEntry(predicate: (entry: IndexEntry) => boolean): number {
    let low = 0;
    let high = this.index.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (predicate(this.index[middle])) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private offsetAt(i: number): number {
    return i < this.index.length ? this.index[i].offset : this.size;
  }

  /** The batches between two index entries, up to the first that isn't intact. */
  private async readBetween(from: number, to: number): Promise<StoredBatch[]> {
    const start = this.index[from];
    if (!start) return [];
    const bytes = await this.files.read(this.path, start.offset, this.offsetAt(to) - start.offset);
    const found: StoredBatch[] = [];
    for (const { entry, batch } of validEntries(bytes, start)) found.push(toStoredBatch(batch, entry));
    return found;
  }

  private loadIndex(): Promise<void> {
    this.indexed ??= this.buildIndex().catch((error: unknown) => {
      this.indexed = undefined;
      throw error;
    });
    return this.indexed;
  }

  private async buildIndex(): Promise<void> {
    const index: IndexEntry[] = [];
    const read = (offset: number, bytes: number) => this.files.read(this.path, offset, bytes);
    await walkEntries(read, this.start, this.size, (entry) => addIndexEntry(index, entry));
    this.index = index;
  }
}

/** Adds an index entry for an entry that is far enough behind the newest one. */
function addIndexEntry(index: IndexEntry[], { start, bytesBefore, first, storedAtMs }: SegmentEntry): void {
  const newest = index.at(-1);
  if (!newest || start - newest.offset >= INDEX_INTERVAL_BYTES)
    index.push({ offset: start, bytesSoFar: bytesBefore, first, earliestMs: storedAtMs });
  else if (storedAtMs < newest.earliestMs) newest.earliestMs = storedAtMs;
}
