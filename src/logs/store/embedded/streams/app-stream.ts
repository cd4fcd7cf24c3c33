import { mkdirSync, readSync, statSync } from 'node:fs';
import { systemCode } from '../../../../common/errors.ts';
import type { Batch } from '../../../syslog/batch.ts';
import type { AppId, Retention, Sequence, StoredBatch, StreamBounds, StreamFile } from '../../contract.ts';
import { restoreConflict } from '../../restore-conflict.ts';
import type { DamagedCommit } from '../commit-log/commit-entry.ts';
import type { WriteTime } from '../commit-log/commit-log.ts';
import type { LeftBatch } from '../commit-log/left-batch.ts';
import { type EntriesBehindGap, forEachEntry, UnwrittenEntries } from '../commit-log/unwritten-entries.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import {
  type AllocatedBatch,
  checksumSeed,
  erasedRecords,
  frameIdEntryBytes,
  isChainOfEntries,
  type SegmentEntry,
  type SegmentOffset,
  type StreamEnd,
  writeEntryHeader,
} from '../segments/entry-format.ts';
import { readEntryAt, scanBytes } from '../segments/entry-scan.ts';
import type { OpenFileCache } from '../segments/open-file-cache.ts';
import { Segment, type SegmentOptions, type UnreadableLines } from '../segments/segment.ts';
import { SpareFiles } from '../segments/spare-files.ts';
import type { StoreClock } from '../store-clock.ts';
import { LossRecord, type LostLines } from './loss-record.ts';
import { recoverSegments } from './recovery.ts';
import type { StreamNote } from './stream-note.ts';

/** A stream has about so many segments when it is full. */
const SEGMENTS = 16;
const SEGMENT_BYTES_MIN = 65_536;
const SEGMENT_BYTES_MAX = 16_777_216;
/** So many bytes that are in the commit log only are written to the segment, in their app's turn; so many at once. */
const UNWRITTEN_BYTES_ENOUGH = 65_536;
const UNWRITTEN_BYTES_MAX = 131_072;

export interface AppStreamOptions {
  readonly app: AppId;
  readonly folder: string;
  /** See {@link AppStream.retention}. */
  readonly retention: Retention;
  /** See {@link EmbeddedStoreOptions.mayTrim}. */
  readonly mayTrim?: (app: AppId, through: Sequence) => boolean;
  readonly files: OpenFileCache;
  readonly clock: StoreClock;
  readonly place: FolderIdentity;
  /** Files of trimmed segments are used again. */
  readonly reusesFiles?: boolean;
  readonly note: StreamNote | undefined;
  /** What processes before this one left in the commit log, in order: {@link AppStream.adopt} it then. */
  readonly left: readonly LeftBatch[];
  /** Called with each of the newest entries that has a frame id: the index may not have it. */
  readonly onFrameId: (entry: SegmentEntry) => void;
  /** Called when lines turn out to be lost, also while the stream is opened. */
  readonly onLost: (lost: LostLines) => void;
  /** Called when a segment was added or isn't needed any more, or lines were lost: the stream has to be noted. */
  readonly onChanged: () => void;
}

/**
 * One app's stream: its segments, and where it starts and ends, in memory from its first use on. It allocates sequences to batches;
 * the `Appender` writes them.
 */
export class AppStream {
  readonly folder: string;
  /** Of the checksums of its entries. */
  readonly seed: number;
  private readonly options: AppStreamOptions;
  private readonly segmentOptions: SegmentOptions;
  /** What it may hold. */
  retention: Retention;
  private segmentList: Segment[];
  /** Where the oldest batch starts in the first segment. */
  private startOffset: SegmentOffset;
  private oldestEntry: SegmentEntry | undefined;
  private firstSequence: Sequence;
  /** The end of what is allocated, and of what was acknowledged. */
  private readonly allocatedEnd: MovingEnd;
  private readonly committedEnd: MovingEnd;
  /** The end of what is in its segments. */
  private readonly writtenEnd: MovingEnd;
  /** Batches that were acknowledged and are in the commit log, and not in a segment yet: from {@link writtenEnd} on. */
  readonly unwritten: UnwrittenEntries;
  private hasGap = false;
  private readonly losses: LossRecord;
  /** Trimmed segments, whose files have to be removed once the stream is noted without them. */
  private trimmed: Segment[] = [];
  private readonly spares: SpareFiles;
  /** The newest segment when {@link removeIdleFiles} was called last. */
  private newestBefore: Segment | undefined;

  /** Opens a stream; what a process that died left half written is truncated. */
  constructor(options: AppStreamOptions) {
    const { app, folder, retention, files, note, left, onFrameId, onLost, onChanged } = options;
    this.folder = folder;
    this.options = options;
    this.spares = new SpareFiles(files, options.reusesFiles ?? false);
    this.seed = checksumSeed(app);
    this.unwritten = new UnwrittenEntries(this.seed);
    this.segmentOptions = {
      files,
      seed: this.seed,
      onUnreadable: (segment, lines) => this.onUnreadable(segment, lines),
    };
    this.retention = retention;
    const recovered = recoverSegments({ ...this.segmentOptions, folder, note, left, onFrameId });
    const { segments, end, lost, lostRanges, isCutOff } = recovered;
    this.segmentList = segments;
    this.allocatedEnd = new MovingEnd(end);
    this.committedEnd = new MovingEnd(end);
    this.writtenEnd = new MovingEnd(end);
    this.losses = new LossRecord({ note, lost, onLost, onChanged });
    this.startOffset = segments[0]?.start ?? { offset: 0, bytesSoFar: end.bytesSoFar };
    this.oldestEntry = this.findOldest();
    this.firstSequence = this.oldestEntry?.first ?? end.next;
    for (const range of lostRanges) this.losses.report(range);
    if (isCutOff) onChanged();
    this.trim();
  }

  private get segmentBytes(): number {
    return Math.min(Math.max(this.retention.bytes / SEGMENTS, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX);
  }

  /** The oldest line that is held, or the next one's number when there is none. */
  get first(): Sequence {
    return this.firstSequence;
  }

  /** Up to the last line that is acknowledged: what is on its way isn't in it. */
  get bounds(): StreamBounds {
    const { next } = this.committedEnd;
    return { first: this.firstSequence, last: next - 1, bytes: this.heldBytes };
  }

  /** Bytes of the batches that are held. */
  get heldBytes(): number {
    return this.committedEnd.bytesSoFar - this.startOffset.bytesSoFar;
  }

  /** Bytes of its files, and of its batches that are in the commit log. */
  get storedBytes(): number {
    let { bytes } = this.unwritten;
    for (const { size } of this.segmentList) bytes += size;
    return bytes;
  }

  /** Oldest first. */
  get segments(): readonly Segment[] {
    return this.segmentList;
  }

  /** The segments before the newest one, as others may read them. */
  closedFiles(): readonly StreamFile[] {
    const { segmentList: segments, seed, firstSequence } = this;
    const files: StreamFile[] = [];
    for (let i = 0; i < segments.length - 1; i++) {
      const identity = segments[i];
      const { path, size, bytesBefore } = identity;
      const first = Math.max(identity.first, firstSequence);
      const last = segments[i + 1].first - 1;
      if (last >= first) files.push({ path, first, last, size, bytesBefore, seed, identity });
    }
    return files;
  }

  /** As {@link Store.pieceEnds}: those that the indexes of its segments tell. */
  pieceEnds(after: Sequence, bytes: number, count: number): readonly Sequence[] {
    const { segmentList: segments } = this;
    const ends: Sequence[] = [];
    let reached = after;
    for (
      let i = segments.findLastIndex(({ first }) => first <= after + 1);
      i >= 0 && i < segments.length;
      i++
    ) {
      const next = segments[i + 1]?.first;
      ends.push(...segments[i].pieceEnds(reached, bytes, count - ends.length, next));
      reached = ends.at(-1) ?? after;
      if (next === undefined || reached !== next - 1) break;
    }
    return ends;
  }

  /** The last line that is in a segment. */
  get lastWritten(): Sequence {
    return this.writtenEnd.next - 1;
  }

  /** What has to be noted of it. */
  note(): StreamNote {
    const { next, bytesSoFar } = this.writtenEnd;
    const newest = this.segmentList.at(-1);
    return {
      ...this.losses.note(this.firstSequence),
      next,
      bytesSoFar,
      segments: this.segmentList.map((segment) => ({
        first: segment.first,
        bytesBefore: segment.bytesBefore,
        // One that isn't written to is longer than what is intact in it.
        size: segment === newest && !segment.sealed ? segment.size : fileBytes(segment),
      })),
    };
  }

  /** Takes the segments whose files have to be removed, or {@link keepFile kept}, once the stream is noted. */
  takeTrimmed(): Segment[] {
    return this.trimmed.splice(0);
  }

  /** The stream is noted without a segment: keeps its file to be used again, or returns false. */
  keepFile(segment: Segment): boolean {
    return this.spares.keep(segment, this.segmentBytes + SEGMENT_BYTES_MAX / 2);
  }

  /**
   * Removes what is left of trimmed segments and wasn't needed since the last call: lines don't stay on the disk for long because few come after them.
   * @param isWriting something is on its way into the newest segment
   */
  removeIdleFiles(isWriting: boolean): void {
    this.spares.removeIdle();
    const newest = this.segmentList.at(-1);
    if (newest === this.newestBefore && !isWriting) newest?.cutOldBytes();
    this.newestBefore = newest;
  }

  /** The same, all of it. @param isWriting the newest segment has its part cut off with the next write then */
  removeOldBytes(isWriting: boolean): void {
    this.spares.removeAll();
    const newest = this.segmentList.at(-1);
    if (newest && isWriting) newest.mustCut = true;
    else newest?.cutOldBytes();
  }

  /** Its files are about to be closed, and nothing is being written: there is nothing left of trimmed segments. */
  endReuse(): void {
    this.spares.close();
    this.segmentList.at(-1)?.cutOldBytes();
  }

  /** All lines of a segment are gone: its file is. */
  segmentIsGone(segment: Segment): void {
    if (this.segmentList.includes(segment))
      this.onUnreadable(segment, { after: undefined, before: undefined });
  }

  /** Nothing more is written to its newest segment; the next batch begins another one. */
  sealNewest(): void {
    const newest = this.segmentList.at(-1);
    if (newest && newest.size > 0) newest.seal();
  }

  /** A segment's file was replaced by one that is as long, with the same entries. */
  replaceSegment(segment: Segment): void {
    const again = new Segment(this.folder, segment, this.segmentOptions);
    again.openExisting(segment.size);
    if (segment.sealed) again.seal();
    this.segmentList = this.segmentList.map((other) => (other === segment ? again : other));
  }

  /** The file of the newest segment is gone: the next batch begins another one. */
  abandon(segment: Segment): void {
    this.segmentIsGone(segment);
    segment.seal();
    segment.oldEnd = 0;
    // The next one may have its name.
    if (segment.size === 0) {
      this.options.files.close(segment.path);
      this.segmentList = this.segmentList.filter((other) => other !== segment);
    }
  }

  /** Allocates the next sequences to a batch, and writes its header into its headroom. */
  allocate(batch: Batch, frameId: string | undefined): AllocatedBatch {
    return this.allocateAt(batch, this.allocatedEnd.next, this.options.clock.stamp(), frameId);
  }

  /**
   * Allocates to a batch of another store the sequences that it had there.
   * @throws TailraceError `conflict` when the stream is already past them.
   */
  restore(batch: StoredBatch): AllocatedBatch {
    if (this.allocatedEnd.next > batch.first) throw restoreConflict(batch.first);
    if (this.firstSequence === this.allocatedEnd.next) this.firstSequence = batch.first;
    const { first, last, count, storedAtMs } = batch;
    if (count > 0) return this.allocateAt(batch, first, storedAtMs, undefined);
    const erased = { bytes: erasedRecords(last - first + 1), count: last - first + 1 };
    return this.allocateAt(erased, first, storedAtMs, undefined, true);
  }

  /** What is allocated and isn't acknowledged yet won't be: its sequences are allocated again. */
  rollback(): void {
    this.allocatedEnd.moveTo(this.committedEnd);
  }

  /** The segment to write to: a new one when the last is full. @param first the first line that is written next */
  activeSegment(first: Sequence): Segment {
    const newest = this.segmentList.at(-1);
    if (newest && newest.size < this.segmentBytes && !newest.sealed) return newest;
    const { bytesSoFar } = this.writtenEnd;
    const segment = new Segment(this.folder, { first, bytesBefore: bytesSoFar }, this.segmentOptions);
    // Not in another folder that has its name now.
    this.options.place.requireNow();
    // Before the next one is there: what is cut short is the newest one only.
    newest?.cutOldBytes();
    segment.oldEnd = this.spares.take(segment.path);
    if (segment.oldEnd === 0) this.createFile(segment.path);
    segment.isRenamed = segment.oldEnd > 0;
    segment.isOfThisProcess = true;
    this.segmentList.push(segment);
    this.options.onChanged();
    return segment;
  }

  /**
   * A batch is in the commit log, and at `at` of a piece of its memory: from now on it can be read.
   * @returns when it, and what is before it, should be written, if not with the log's file
   */
  commitUnwritten({ stored, bytesSoFar }: AllocatedBatch, piece: number, at: number): WriteTime | undefined {
    this.unwritten.add(piece, at, stored.bytes.length);
    this.commitNext(stored.last, bytesSoFar);
    const { bytes } = this.unwritten;
    if (bytes >= UNWRITTEN_BYTES_MAX || this.isTooMuch) return 'now';
    return bytes >= UNWRITTEN_BYTES_ENOUGH ? 'soon' : undefined;
  }

  private commitNext(last: Sequence, bytesSoFar: number): void {
    this.committedEnd.moveTo({ next: last + 1, bytesSoFar });
    if (this.isTooMuch) this.trim();
  }

  /**
   * A batch was found in the commit log when the stream was opened. False when it is in a segment already, or was before what is lost.
   * What is missing in front of it is lost, and it begins another segment: what is unwritten has to be written before.
   */
  adopt(batch: LeftBatch): boolean {
    const { first, last, bytes, bytesSoFar } = batch;
    const { next, bytesSoFar: reached } = this.committedEnd;
    const bytesBefore = bytesSoFar - bytes;
    if (first < next || bytesBefore < reached) return false;
    if (bytesBefore > reached) {
      if (this.unwritten.count > 0) throw new Error('what is before a gap has to be written first');
      this.segmentList.at(-1)?.seal();
      this.writtenEnd.moveTo({ next: first, bytesSoFar: bytesBefore });
      this.committedEnd.moveTo(this.writtenEnd);
      if (next < first) this.losses.report([next, first - 1]);
    }
    this.unwritten.addLeft(batch);
    this.commitNext(last, bytesSoFar);
    this.allocatedEnd.moveTo(this.committedEnd);
    return true;
  }

  /**
   * Lines of the commit log turn out to be damaged, when all others are adopted and written: their numbers aren't given again. False
   * when they are in a segment, or behind a gap was reported already.
   */
  adoptDamage({ first, last, bytes }: DamagedCommit): boolean {
    const { next, bytesSoFar } = this.committedEnd;
    if (first < next) return false;
    this.segmentList.at(-1)?.seal();
    this.writtenEnd.moveTo({ next: last + 1, bytesSoFar: bytesSoFar + bytes });
    this.committedEnd.moveTo(this.writtenEnd);
    this.allocatedEnd.moveTo(this.writtenEnd);
    this.losses.report([next, last]);
    return true;
  }

  /** Is there a gap between what it holds and a batch of the commit log? */
  isBeforeGap({ first, bytes, bytesSoFar }: LeftBatch): boolean {
    const { next, bytesSoFar: reached } = this.committedEnd;
    return first >= next && bytesSoFar - bytes > reached;
  }

  /** It was removed: nothing of it will be written. */
  forgetUnwritten(): void {
    this.unwritten.clear();
    this.hasGap = false;
  }

  /** All that was acknowledged is in segments, or lost. */
  get isWritten(): boolean {
    return this.unwritten.count === 0 && !this.hasGap;
  }

  /** As {@link UnwrittenEntries.read}. What turns out to be damaged is lost. */
  readUnwritten(from: Sequence, before?: Sequence): StoredBatch[] {
    const found = this.unwritten.read(from, before);
    if (this.unwritten.isDamaged) this.dropDamaged();
    return found;
  }

  /** As {@link UnwrittenEntries.lastBefore}. */
  lastUnwrittenBefore(ms: number): Sequence | undefined {
    const found = this.unwritten.lastBefore(ms);
    if (this.unwritten.isDamaged) this.dropDamaged();
    return found;
  }

  /** What is unwritten, as it goes into a segment; undefined when there is nothing, and when {@link isGapped} turns out. */
  copyUnwritten(memory?: (bytes: number) => Buffer): Buffer | undefined {
    if (this.isWritten) return undefined;
    if (!this.hasGap) {
      const copy = this.unwritten.copy(memory);
      if (copy && isChainOfEntries(copy, this.writtenEnd, this.committedEnd)) return copy;
    }
    // Also what was whole when the gap turned out: since then more may be damaged.
    this.dropDamaged();
    return undefined;
  }

  /**
   * Some of what was unwritten is lost, and a segment has no gaps: before anything else, {@link UnwrittenEntries.takeBehindGap what is behind each}
   * is taken out, what is before it is written, and {@link skipGap the gap is skipped}.
   */
  get isGapped(): boolean {
    return this.hasGap;
  }

  /** What is unwritten up to the first gap is left; what is behind that is returned, if there is something. */
  takeBehindGap(): EntriesBehindGap | undefined {
    return this.unwritten.takeBehindGap(this.writtenEnd);
  }

  /** What is before a gap is in segments. @param behind of {@link takeBehindGap} */
  skipGap(behind: EntriesBehindGap | undefined): void {
    const { next, bytesSoFar } = behind
      ? { next: behind.first, bytesSoFar: behind.bytesBefore }
      : this.committedEnd;
    const newest = this.segmentList.at(-1);
    if (next !== this.writtenEnd.next || bytesSoFar !== this.writtenEnd.bytesSoFar) newest?.seal();
    this.writtenEnd.moveTo({ next, bytesSoFar });
    if (behind) this.unwritten.putBack(behind);
    else this.hasGap = false;
    // Nothing is written to it any more.
    if (newest?.sealed) newest.cutOldBytes();
  }

  /** The log's files don't have all of it as it was written. */
  private dropDamaged(): void {
    this.hasGap = true;
    for (const [first, last] of this.unwritten.dropDamaged(this.writtenEnd, this.committedEnd))
      if (last >= this.firstSequence) this.losses.report([Math.max(first, this.firstSequence), last]);
  }

  /** The first line that is written next. @param batches what is written behind what is unwritten */
  firstToWrite(batches: readonly AllocatedBatch[]): Sequence {
    return this.unwritten.count > 0 ? this.writtenEnd.next : batches[0].stored.first;
  }

  /**
   * What was unwritten is in the file, one after the other from the end of the segment on, and then other batches. From now on they can be
   * read.
   * @param copy of what was unwritten
   */
  commit(segment: Segment, batches: readonly AllocatedBatch[], copy: Buffer | undefined): void {
    if (copy) this.commitCopy(segment, copy);
    let start = segment.size;
    for (const { stored, bytesSoFar, frameId } of batches) {
      const batchStart = frameId === undefined ? start : start + frameIdEntryBytes(frameId);
      const end = batchStart + stored.bytes.length;
      const { count, first, last, storedAtMs } = stored;
      const bytesBefore = this.writtenEnd.bytesSoFar;
      segment.addEntry({
        start,
        batchStart,
        end,
        count,
        first,
        last,
        storedAtMs,
        bytesBefore,
        bytesSoFar,
        frameId,
      });
      this.writtenEnd.moveTo({ next: last + 1, bytesSoFar });
      start = end;
    }
    if (!this.hasGap) this.committedEnd.moveTo(this.writtenEnd);
    this.trim();
  }

  private commitCopy(segment: Segment, copy: Buffer): void {
    forEachEntry(copy, segment.size, (entry) => {
      segment.addEntry({ ...entry, bytesBefore: this.writtenEnd.bytesSoFar });
      this.writtenEnd.moveTo({ next: entry.last + 1, bytesSoFar: entry.bytesSoFar });
    });
    this.unwritten.clear();
  }

  /** When its oldest batch was stored, milliseconds since 1970; undefined when it is empty. */
  get oldestStoredAtMs(): number | undefined {
    this.oldestEntry ??= this.findOldest();
    return this.oldestEntry?.storedAtMs;
  }

  /** It holds more lines or bytes than it may. */
  private get isTooMuch(): boolean {
    const { lines, bytes } = this.retention;
    return this.committedEnd.next - this.firstSequence > lines || this.heldBytes > bytes;
  }

  /** Nothing is being written. */
  get isSettled(): boolean {
    return this.allocatedEnd.next === this.committedEnd.next;
  }

  /** Removes the oldest batches until the stream is within its bounds; the newest batch stays until it is too old. */
  trim(): void {
    const { clock } = this.options;
    const { app, mayTrim } = this.options;
    const { lines, bytes, ageMs } = this.retention;
    if (this.isTooMuch) this.dropWholeSegments();
    for (;;) {
      const { next, bytesSoFar } = this.committedEnd;
      const tooMuch = next - this.firstSequence > lines || bytesSoFar - this.startOffset.bytesSoFar > bytes;
      if (!tooMuch && this.oldestEntry && clock.ageOf(this.oldestEntry.storedAtMs) <= ageMs) return;
      this.oldestEntry ??= this.findOldest();
      const { oldestEntry: oldest } = this;
      if (!oldest) return;
      const isTooOld = clock.ageOf(oldest.storedAtMs) > ageMs;
      if (mayTrim && !mayTrim(app, oldest.last)) return;
      if (oldest.last >= next - 1) {
        if (isTooOld && this.isSettled) this.removeAll();
        return;
      }
      if (!tooMuch && !isTooOld) return;
      this.firstSequence = oldest.last + 1;
      this.startOffset = { offset: oldest.end, bytesSoFar: oldest.bytesSoFar };
      this.oldestEntry = undefined;
    }
  }

  /** Removes segments of which nothing may stay without reading them: what the stream may hold may have become much less. */
  private dropWholeSegments(): void {
    const { app, mayTrim } = this.options;
    const { lines, bytes } = this.retention;
    for (;;) {
      const [oldest, following] = this.segmentList;
      const { next, bytesSoFar } = this.committedEnd;
      if (!following || (next - following.first <= lines && bytesSoFar - following.bytesBefore <= bytes))
        return;
      if (mayTrim && !mayTrim(app, following.first - 1)) return;
      this.firstSequence = following.first;
      this.startOffset = { offset: oldest.size, bytesSoFar: following.bytesBefore };
      this.oldestEntry = this.findOldest();
    }
  }

  /** All that it holds is too old: what it counts goes on, and is noted. */
  private removeAll(): void {
    const { next, bytesSoFar } = this.committedEnd;
    this.trimmed.push(...this.segmentList);
    this.segmentList = [];
    this.oldestEntry = undefined;
    this.firstSequence = next;
    this.startOffset = { offset: 0, bytesSoFar };
    this.losses.clear();
    this.options.onChanged();
  }

  /** The oldest entry; segments before it aren't needed any more. */
  private findOldest(): SegmentEntry | undefined {
    for (;;) {
      const [segment] = this.segmentList;
      if (!segment) return undefined;
      const entry = this.startOffset.offset < segment.size ? this.entryAtStart(segment) : undefined;
      if (entry) return entry;
      if (this.segmentList.length === 1) return undefined;
      this.segmentList.shift();
      this.trimmed.push(segment);
      this.startOffset = this.segmentList[0].start;
      this.firstSequence = Math.max(this.firstSequence ?? 0, this.segmentList[0].first);
      this.losses.forgetTrimmed(segment, this.segmentList[0].first);
      this.options.onChanged();
    }
  }

  /** The entry where the stream starts; where that is damaged, the next one in the segment. */
  private entryAtStart(segment: Segment): SegmentEntry | undefined {
    const { files } = this.options;
    const fd = files.descriptor(segment.path);
    const entry = readEntryAt(fd, this.startOffset, segment.size);
    const end = this.segmentList[1]?.first ?? this.committedEnd.next;
    if (entry && entry.last < end) return entry;
    const bytes = Buffer.allocUnsafe(segment.size - this.startOffset.offset);
    const held = readSync(fd, bytes, 0, bytes.length, this.startOffset.offset);
    let found: SegmentEntry | undefined;
    scanBytes(bytes.subarray(0, held), this.startOffset, this.seed, {
      onEntry: (intact) => {
        found ??= intact;
      },
      onDamage: () => {},
    });
    return found;
  }

  private onUnreadable(segment: Segment, { after, before }: UnreadableLines): void {
    const following = this.segmentList[this.segmentList.indexOf(segment) + 1]?.first;
    const first = Math.max(after === undefined ? segment.first : after + 1, this.firstSequence);
    const last = (before ?? following ?? this.writtenEnd.next) - 1;
    if (first <= last) this.losses.report([first, last]);
  }

  private createFile(path: string): void {
    const { files } = this.options;
    try {
      files.create(path);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      // Not the folders above it: without them the data folder is gone.
      mkdirSync(this.folder, { mode: 0o700 });
      files.create(path);
    }
  }

  private allocateAt(
    batch: Batch,
    first: Sequence,
    storedAtMs: number,
    frameId: string | undefined,
    isHoled = false,
  ): AllocatedBatch {
    const { bytes, count, memory } = batch;
    const bytesSoFar = this.allocatedEnd.bytesSoFar + bytes.length;
    writeEntryHeader(bytes, { count, storedAtMs, bytesSoFar, first }, this.seed, isHoled);
    const last = first + count - 1;
    this.allocatedEnd.moveTo({ next: last + 1, bytesSoFar });
    return { stored: { bytes, count, memory, first, last, storedAtMs }, bytesSoFar, frameId };
  }
}

/** It moves with each batch of its stream: another object each time would live until the next one, and garbage collections would copy it. */
class MovingEnd implements StreamEnd {
  next: Sequence;
  bytesSoFar: number;

  constructor({ next, bytesSoFar }: StreamEnd) {
    this.next = next;
    this.bytesSoFar = bytesSoFar;
  }

  moveTo({ next, bytesSoFar }: StreamEnd): void {
    this.next = next;
    this.bytesSoFar = bytesSoFar;
  }
}

function fileBytes({ path, size }: Segment): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? size;
}
