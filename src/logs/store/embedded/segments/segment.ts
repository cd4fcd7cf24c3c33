import { ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../../../../common/errors.ts';
import type { ReadMemory, Sequence, StoredBatch } from '../../contract.ts';
import {
  isHoled,
  type SegmentEntry,
  type SegmentOffset,
  segmentFileName,
  splitHoled,
  toStoredBatch,
} from './entry-format.ts';
import { scanBytes, scanSegment } from './entry-scan.ts';
import type { OpenFileCache } from './open-file-cache.ts';

/** There is an index entry about every so many bytes. */
const INDEX_INTERVAL_BYTES = 65_536;

/** An entry of the sparse index: where an entry of the file is. */
interface IndexEntry extends SegmentOffset {
  readonly first: Sequence;
  /** The earliest time at which an entry from here up to the next index entry was stored: the clock may have been set back. */
  earliestMs: number;
  /** Where the intact bytes before it end: at its offset, but behind damage. */
  readonly intactBefore: number;
}

/** Lines that can't be read: behind one, and before another; undefined at the ends of the segment. */
export interface UnreadableLines {
  readonly after: Sequence | undefined;
  readonly before: Sequence | undefined;
}

export interface SegmentOptions {
  readonly files: OpenFileCache;
  /** Of the app, `checksumSeed`. */
  readonly seed: number;
  /** Called when damage is found; for the same lines it may be called again. */
  readonly onUnreadable: (segment: Segment, lines: UnreadableLines) => void;
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
  /** Nothing more is written to it. */
  sealed = false;
  /** Its directory entry is synced. */
  isNameSynced = false;
  /** This process has begun it. */
  isOfThisProcess = false;
  /** Its file had another name before. */
  isRenamed = false;
  /** Behind its own bytes, up to there, its file has those of an older segment (`spare-files.ts`); 0 when there are none. */
  oldEnd = 0;
  /** They are to be cut off before the next write. */
  mustCut = false;
  private readonly options: SegmentOptions;
  /** Sparse, in the order of the file. */
  private index: IndexEntry[] = [];
  /** Resolves when the index is built; undefined when that has still to be done. */
  private indexed: Promise<void> | undefined = Promise.resolve();

  constructor(folder: string, start: { first: Sequence; bytesBefore: number }, options: SegmentOptions) {
    this.path = join(folder, segmentFileName(start.first, start.bytesBefore));
    this.first = start.first;
    this.bytesBefore = start.bytesBefore;
    this.options = options;
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

  /** What is in it stays, also what is damaged behind its last entry; nothing is added. */
  seal(): void {
    this.sealed = true;
  }

  /** Cuts off what its file has of an older segment. Call it while nothing is being written to it. */
  cutOldBytes(): void {
    if (this.oldEnd === 0) return;
    try {
      ftruncateSync(this.options.files.descriptor(this.path), this.size);
    } catch (error) {
      // Somebody took it away: whoever looks for it will say so.
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    this.oldEnd = 0;
  }

  /** An entry was written at the end, or found there. @param damagedFrom where damage in front of it begins */
  addEntry(entry: SegmentEntry, damagedFrom?: number): void {
    addIndexEntry(this.index, entry, damagedFrom);
    this.size = entry.end;
  }

  /** Batches from the one with line `from` on: about `bytes` of them, one at least if there is one. */
  async batchesFrom(from: Sequence, bytes: number, memory?: ReadMemory): Promise<StoredBatch[]> {
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
      while (
        end < entries &&
        this.isContiguous(end) &&
        this.index[end].offset - this.index[start].offset < bytes - size
      )
        end++;
      for (const batch of await this.readBetween(start, end, memory)) {
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
      while (
        start > 0 &&
        this.isContiguous(start) &&
        this.endBefore(end) - this.index[start].offset < bytes - size
      )
        start--;
      for (const batch of (await this.readBetween(start, end)).reverse()) {
        if (batch.first >= before || size >= bytes) continue;
        found.push(batch);
        size += batch.bytes.length;
      }
      end = start;
    }
    return found;
  }

  /**
   * Where pieces of it end, as {@link Store.pieceEnds} has them: none while its index isn't built.
   * @param next the first line of the segment behind it, if there is one
   */
  pieceEnds(after: Sequence, bytes: number, count: number, next: Sequence | undefined): Sequence[] {
    const { index } = this;
    const ends: Sequence[] = [];
    if (index.length === 0) return ends;
    const bounds = index.length + (next === undefined ? 0 : 1);
    const firstAt = (bound: number): Sequence => index[bound]?.first ?? next;
    let start = this.findIndexEntry(({ first }) => first <= after + 1);
    for (let end = start + 1; ends.length < count && end < bounds; start = end, end = start + 1) {
      const reachesTo = (bound: number): boolean =>
        bound < bounds &&
        (bound === index.length || this.isContiguous(bound)) &&
        (index[bound]?.offset ?? this.size) - index[start].offset <= bytes;
      if (!reachesTo(end)) break;
      while (reachesTo(end + 1)) end++;
      ends.push(firstAt(end) - 1);
    }
    return ends;
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

  /** No damage lies before this index entry. */
  private isContiguous(i: number): boolean {
    return this.index[i].intactBefore === this.index[i].offset;
  }

  /** Where what is before an index entry ends. */
  private endBefore(i: number): number {
    return i < this.index.length ? this.index[i].intactBefore : this.size;
  }

  /** The intact batches between two index entries. */
  private async readBetween(from: number, to: number, memory?: ReadMemory): Promise<StoredBatch[]> {
    const start = this.index[from];
    if (!start) return [];
    const { files, seed } = this.options;
    const bytes = await files.read(this.path, start.offset, this.endBefore(to) - start.offset, memory);
    const found: StoredBatch[] = [];
    const damage = new DamageTracker((lines) => this.options.onUnreadable(this, lines));
    scanBytes(bytes, start, seed, {
      onEntry: (entry, batch) => {
        damage.onEntry(entry);
        if (isHoled(batch)) found.push(...splitHoled(batch, entry));
        else found.push(toStoredBatch(batch, entry));
      },
      onDamage: () => damage.onDamage(),
    });
    damage.onEnd(this.index[to]?.first);
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
    const { files, seed } = this.options;
    const read = (offset: number, bytes: number) => files.read(this.path, offset, bytes);
    const damage = new DamageTracker((lines) => this.options.onUnreadable(this, lines));
    let damagedFrom: number | undefined;
    await scanSegment(read, this.start, this.size, seed, {
      onEntry: (entry) => {
        damage.onEntry(entry);
        addIndexEntry(index, entry, damagedFrom);
        damagedFrom = undefined;
      },
      onDamage: (from) => {
        damage.onDamage();
        damagedFrom = from;
      },
    });
    damage.onEnd(undefined);
    this.index = index;
  }
}

/** Says which lines are missing where a scan comes across damage. */
export class DamageTracker {
  private readonly report: (lines: UnreadableLines) => void;
  private last: Sequence | undefined;
  private isDamaged = false;

  constructor(report: (lines: UnreadableLines) => void) {
    this.report = report;
  }

  /** An entry was read: lines between the one before and this one were lost, if there was damage in between. */
  onEntry({ first, last }: SegmentEntry): void {
    // A damaged frame id costs no line.
    if (this.isDamaged && this.last !== first - 1) this.report({ after: this.last, before: first });
    this.isDamaged = false;
    this.last = last;
  }

  /** The scan skips bytes that are no entry; which lines that costs shows at the next entry. */
  onDamage(): void {
    this.isDamaged = true;
  }

  /** @param next the first line behind what was scanned, where that is known */
  onEnd(next: Sequence | undefined): void {
    if (this.isDamaged) this.report({ after: this.last, before: next });
  }
}

/** Adds an index entry for an entry that is far enough behind the newest one, or behind damage. */
function addIndexEntry(
  index: IndexEntry[],
  { start, bytesBefore, first, storedAtMs }: SegmentEntry,
  damagedFrom: number | undefined,
): void {
  const newest = index.at(-1);
  if (newest && damagedFrom === undefined && start - newest.offset < INDEX_INTERVAL_BYTES) {
    newest.earliestMs = Math.min(newest.earliestMs, storedAtMs);
    return;
  }
  const intactBefore = damagedFrom ?? start;
  index.push({ offset: start, bytesSoFar: bytesBefore, first, earliestMs: storedAtMs, intactBefore });
}
