import { join } from 'node:path';
import type { Sequence, StoredBatch } from '../contract.ts';
import { visitEntries } from './entry-walk.ts';
import { type Entry, segmentName, storedBatch, type WalkStart, wholeEntries } from './layout.ts';
import type { OpenFiles } from './open-files.ts';

/** There is a mark about every so many bytes. */
const MARK_BYTES = 65_536;

/** An entry of which it is known where it is. */
interface Mark extends WalkStart {
  readonly first: Sequence;
  readonly storedAtMs: number;
}

/** A file of a stream. */
export class Segment {
  readonly path: string;
  /** The first sequence that is in it, or will be. */
  readonly first: Sequence;
  /** Bytes of the stream before it. */
  readonly bytesBefore: number;
  /** Bytes that hold acknowledged entries. */
  size = 0;
  private readonly files: OpenFiles;
  /** In the order of the file. */
  private marks: Mark[] = [];
  /** All marks are made; undefined when that has still to be done. */
  private marked: Promise<void> | undefined = Promise.resolve();

  constructor(folder: string, start: { first: Sequence; bytesBefore: number }, files: OpenFiles) {
    this.path = join(folder, segmentName(start.first, start.bytesBefore));
    this.first = start.first;
    this.bytesBefore = start.bytesBefore;
    this.files = files;
  }

  /** Where its entries start. */
  get start(): WalkStart {
    return { offset: 0, bytesSoFar: this.bytesBefore };
  }

  /** It was left at this size: what is where in it is found out when somebody asks. */
  left(size: number): void {
    this.size = size;
    this.marked = undefined;
  }

  /** An entry stands at the end now. */
  added(entry: Entry): void {
    addMark(this.marks, entry);
    this.size = entry.end;
  }

  /** Batches from the one with line `from` on: about `bytes` of them, one at least if there is one. */
  async batchesFrom(from: Sequence, bytes: number): Promise<StoredBatch[]> {
    await this.findMarks();
    const found: StoredBatch[] = [];
    let size = 0;
    // A mark that is made while this reads is not for this reader: between it and what was read there may be more.
    const marks = this.marks.length;
    for (let mark = this.markAt((candidate) => candidate.first <= from); mark < marks && size < bytes; ) {
      let end = mark + 1;
      while (end < marks && this.marks[end].offset - this.marks[mark].offset < bytes - size) end++;
      for (const batch of await this.between(mark, end)) {
        if (batch.last < from || size >= bytes) continue;
        found.push(batch);
        size += batch.bytes.length;
      }
      mark = end;
    }
    return found;
  }

  /** Batches that start before the line `before`, newest first, otherwise like {@link batchesFrom}. */
  async batchesBefore(before: Sequence, bytes: number): Promise<StoredBatch[]> {
    await this.findMarks();
    const found: StoredBatch[] = [];
    let size = 0;
    for (let end = this.markAt(({ first }) => first < before) + 1; end > 0 && size < bytes; ) {
      let mark = end - 1;
      while (mark > 0 && this.offsetAt(end) - this.marks[mark].offset < bytes - size) mark--;
      for (const batch of (await this.between(mark, end)).reverse()) {
        if (batch.first >= before || size >= bytes) continue;
        found.push(batch);
        size += batch.bytes.length;
      }
      end = mark;
    }
    return found;
  }

  /** When its first entry was stored, milliseconds since 1970. */
  async storedAtMs(): Promise<number> {
    await this.findMarks();
    return this.marks[0]?.storedAtMs ?? Number.POSITIVE_INFINITY;
  }

  /** The last sequence in it that was stored before a time; undefined when none was. */
  async sequenceAt(ms: number): Promise<Sequence | undefined> {
    await this.findMarks();
    if (this.marks.length === 0) return undefined;
    const mark = this.markAt(({ storedAtMs }) => storedAtMs < ms);
    let found: Sequence | undefined;
    for (const batch of await this.between(mark, mark + 1)) if (batch.storedAtMs < ms) found = batch.last;
    return found;
  }

  /** The index of the last mark for which it holds, or 0. */
  private markAt(holds: (mark: Mark) => boolean): number {
    let low = 0;
    let high = this.marks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (holds(this.marks[middle])) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private offsetAt(mark: number): number {
    return mark < this.marks.length ? this.marks[mark].offset : this.size;
  }

  /** The batches between two marks, up to the first that isn't what was written. */
  private async between(from: number, to: number): Promise<StoredBatch[]> {
    const mark = this.marks[from];
    if (!mark) return [];
    const bytes = await this.files.read(this.path, mark.offset, this.offsetAt(to) - mark.offset);
    const found: StoredBatch[] = [];
    for (const { entry, batch } of wholeEntries(bytes, mark)) found.push(storedBatch(batch, entry));
    return found;
  }

  private findMarks(): Promise<void> {
    this.marked ??= this.look().catch((error: unknown) => {
      this.marked = undefined;
      throw error;
    });
    return this.marked;
  }

  private async look(): Promise<void> {
    const marks: Mark[] = [];
    const read = (offset: number, bytes: number) => this.files.read(this.path, offset, bytes);
    await visitEntries(read, this.start, this.size, (entry) => addMark(marks, entry));
    this.marks = marks;
  }
}

/** Adds a mark for an entry that stands far enough behind the newest one. */
function addMark(marks: Mark[], { start, bytesBefore, first, storedAtMs }: Entry): void {
  const newest = marks.at(-1);
  if (!newest || start - newest.offset >= MARK_BYTES)
    marks.push({ offset: start, bytesSoFar: bytesBefore, first, storedAtMs });
}
