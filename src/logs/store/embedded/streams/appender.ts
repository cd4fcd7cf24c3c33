import { ftruncateSync, writeSync, writev, writevSync } from 'node:fs';
import { dirname } from 'node:path';
import { CoalescedRun } from '../../../../common/coalesced-run.ts';
import { syncFolder } from '../../../../common/files/sync-folder.ts';
import { requireWritten } from '../../../../common/files/write-fully.ts';
import { BATCH_BYTES } from '../../../syslog/batch.ts';
import type { Sequence } from '../../contract.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import { type AllocatedBatch, encodeFrameIdEntry } from '../segments/entry-format.ts';
import type { OpenFileCache } from '../segments/open-file-cache.ts';
import { PlaceCheck } from '../segments/place-check.ts';
import type { Segment } from '../segments/segment.ts';
import { SlowWrites } from '../segments/slow-writes.ts';
import { END_MARK, leavesOldBytes } from '../segments/spare-files.ts';
import type { AppStream } from './app-stream.ts';

/** Up to this size a batch is written synchronously: that takes less time than having it written by another thread. */
const BLOCKING_WRITE_BYTES_MAX = 65_536;
/** The same of a batch whose senders send nothing more until it is stored: meanwhile there is little else to do. */
const AWAITED_WRITE_BYTES_MAX = BATCH_BYTES;
/** In one write: below the system's limit of 1,024 buffers (IOV_MAX). */
const BATCHES_MAX = 500;
const BYTES_MAX = 8_388_608;
/** Mostly no app has more in the commit log only. */
const SCRATCH_BYTES = 131_072;

/** The file that a batch was written to was removed, moved or replaced: nobody would find the batch there. */
export class SegmentGoneError extends Error {
  readonly segment: Segment;

  constructor(segment: Segment) {
    super(`${segment.path} is gone`);
    this.name = 'SegmentGoneError';
    this.segment = segment;
  }
}

export interface AppenderOptions {
  readonly files: OpenFileCache;
  readonly durability: 'process' | 'disk';
  readonly place: FolderIdentity;
}

/** Batches that are written together or not at all. */
interface QueuedWrite {
  readonly allocated: readonly AllocatedBatch[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes batches to the end of a stream, in the order of their sequences. What is written is in the system's page cache, and survives
 * `kill -9`; with durability `disk` it is synced before it is acknowledged.
 */
export class Appender {
  private readonly stream: AppStream;
  private readonly files: OpenFileCache;
  private readonly durability: 'process' | 'disk';
  private queue: QueuedWrite[] = [];
  private readonly queueWriter = new CoalescedRun(() => this.writeQueued());
  private readonly slowWrites = new SlowWrites();
  private readonly placeCheck: PlaceCheck;
  private areFoldersSynced = false;
  /** A sync is in progress: until it ends, the system may make writers wait for the disk. */
  private syncing = false;
  /** The segment of a write that has begun, and not succeeded: it may have bytes behind its end. */
  private writingTo: Segment | undefined;
  /** Segments that were written to since the last sync. */
  private unsynced: readonly Segment[] = NO_SEGMENTS;
  /** Those of the sync that is in progress. */
  private inSync: readonly Segment[] = NO_SEGMENTS;

  constructor(stream: AppStream, { files, durability, place }: AppenderOptions) {
    this.placeCheck = new PlaceCheck(place);
    this.stream = stream;
    this.files = files;
    this.durability = durability;
  }

  /** Nothing is on its way to the segment. */
  get idle(): boolean {
    return !this.queueWriter.isRunning;
  }

  /** Is something on its way into this segment? */
  isWritingTo(segment: Segment): boolean {
    return this.writingTo === segment;
  }

  /** Something that was written isn't synced yet. */
  get hasUnsynced(): boolean {
    return this.unsynced.length > 0 || this.inSync.length > 0;
  }

  /** Nobody knows whether the process before this one has synced what is in the stream from a line on. */
  assumeUnsynced(from: Sequence): void {
    const { segments } = this.stream;
    for (const [i, segment] of segments.entries())
      if ((segments[i + 1]?.first ?? Number.POSITIVE_INFINITY) > from)
        this.unsynced = withSegment(this.unsynced, segment);
  }

  /** Resolves when what is queued now is written, or has failed. */
  flush(): Promise<void> {
    return this.queueWriter.idle();
  }

  /**
   * Resolves when the batches can be read. When they can't be written, none of them is kept, and nothing that was allocated after
   * them.
   * @param isAwaited senders wait for the answer, and send nothing more until they have it
   */
  async append(allocated: readonly AllocatedBatch[], isAwaited: boolean): Promise<void> {
    const { bytes } = allocated[0].stored;
    if (
      this.idle &&
      !this.syncing &&
      this.durability === 'process' &&
      allocated.length === 1 &&
      bytes.length <= (isAwaited ? AWAITED_WRITE_BYTES_MAX : BLOCKING_WRITE_BYTES_MAX) &&
      this.slowWrites.mayBlock
    )
      return this.writeBlocking(allocated);
    return new Promise((resolve, reject) => {
      this.queue.push({ allocated, resolve, reject });
      void this.queueWriter.request();
    });
  }

  /**
   * Syncs everything that was written to the disk. One file after the other, so that threads are left for the batches that come
   * meanwhile. Only one sync may be in progress.
   */
  async sync(): Promise<void> {
    this.syncing = true;
    this.beginSync();
    try {
      for (const segment of this.inSync) {
        if (this.stream.segments.includes(segment)) await this.syncOne(segment);
        this.inSync = withoutSegment(this.inSync, segment);
      }
    } finally {
      this.endSync(false);
      this.syncing = false;
    }
  }

  /** What was written until now is about to be synced, with other streams' files: {@link endSync} comes then. */
  beginSync(): void {
    for (const segment of this.unsynced) this.inSync = withSegment(this.inSync, segment);
    this.unsynced = NO_SEGMENTS;
  }

  /** @param isSynced everything that was written before {@link beginSync} is on the disk, names included */
  endSync(isSynced: boolean): void {
    for (const segment of this.inSync)
      if (isSynced) segment.isNameSynced = true;
      else this.unsynced = withSegment(this.unsynced, segment);
    if (isSynced && this.inSync.length > 0) this.areFoldersSynced = true;
    this.inSync = NO_SEGMENTS;
  }

  private async syncOne(segment: Segment): Promise<void> {
    await this.files.withFile(segment.path, (fd) =>
      // A new file's name is synced with it, another name isn't.
      this.durability === 'disk' || segment.isRenamed ? this.syncToDisk(segment, fd) : this.files.sync(fd),
    );
  }

  /**
   * Writes what is in the commit log only; others may be on their way there. False when that can't be done now, since batches are being
   * written to the segment: it is written with them.
   */
  writeUnwritten(): boolean {
    if (this.stream.isWritten) return true;
    if (!this.idle) return false;
    this.writeBlocking(NONE);
    return true;
  }

  private writeBlocking(batches: readonly AllocatedBatch[]): void {
    const startMs = this.slowWrites.begin();
    try {
      this.truncateLeftovers();
      const copy = this.copyUnwritten(startMs, scratchMemory);
      if (copy || batches.length > 0) this.writeToSegment(copy, batches, startMs);
    } catch (error) {
      this.rollback(batches);
      throw error;
    }
    this.slowWrites.end();
  }

  private writeToSegment(
    copy: Buffer | undefined,
    batches: readonly AllocatedBatch[],
    startMs: number,
  ): void {
    const segment = this.stream.activeSegment(this.stream.firstToWrite(batches));
    const buffers = this.buffersFor(segment, copy, batches);
    this.writingTo = segment;
    const write = (fd: number, isOpenedNow = false): number => {
      const count = writeNow(fd, buffers, segment.size);
      this.requireInPlace(segment, fd, startMs, isOpenedNow);
      return count;
    };
    const written =
      batches.length > 0
        ? write(this.files.descriptor(segment.path))
        : this.files.withFileOnce(segment.path, write);
    this.commitWritten(segment, batches, copy, written, totalLength(buffers));
  }

  private async writeQueued(): Promise<void> {
    while (this.queue.length > 0) {
      const group = this.takeGroup();
      const batches = group.flatMap((queued) => queued.allocated);
      try {
        this.truncateLeftovers();
        const copy = this.copyUnwritten(performance.now());
        const segment = this.stream.activeSegment(this.stream.firstToWrite(batches));
        const buffers = this.buffersFor(segment, copy, batches);
        this.writingTo = segment;
        const written = await this.files.withFile(segment.path, async (fd) => {
          const count = await writeTo(fd, buffers, segment.size);
          if (this.durability === 'disk') {
            if (this.hasUnsynced) await this.syncBefore(segment);
            await this.syncToDisk(segment, fd);
          }
          this.requireInPlace(segment, fd, performance.now());
          return count;
        });
        this.commitWritten(segment, batches, copy, written, totalLength(buffers));
        if (this.durability === 'disk') this.unsynced = withoutSegment(this.unsynced, segment);
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.rollback(batches);
        for (const { reject } of [...group, ...this.queue.splice(0)]) reject(error);
      }
    }
  }

  /** What is written, one behind the other. */
  private buffersFor(
    segment: Segment,
    copy: Buffer | undefined,
    batches: readonly AllocatedBatch[],
  ): Uint8Array[] {
    const buffers = buffersOf(copy, batches, this.stream.seed);
    if (segment.oldEnd === 0) return buffers;
    if (!segment.mustCut && leavesOldBytes(segment, totalLength(buffers))) buffers.push(END_MARK);
    else segment.cutOldBytes();
    return buffers;
  }

  /** What is in the commit log only, which goes in front since a segment has no gaps: in one buffer, since it is small and much. */
  private copyUnwritten(nowMs: number, memory?: (bytes: number) => Buffer): Buffer | undefined {
    const { stream } = this;
    for (;;) {
      const copy = stream.copyUnwritten(memory);
      if (!stream.isGapped) return copy;
      while (stream.isGapped) this.writeUpToGap(nowMs);
    }
  }

  /** Lines in the log turned out to be damaged. */
  private writeUpToGap(nowMs: number): void {
    const { stream } = this;
    const { unwritten } = stream;
    const behind = stream.takeBehindGap();
    try {
      if (unwritten.count > 0) {
        const copy = unwritten.copy(scratchMemory);
        if (!copy) throw new Error('the commit log is cut off while it is read');
        this.writeToSegment(copy, NONE, nowMs);
      }
    } catch (error) {
      if (behind) unwritten.putBack(behind);
      throw error;
    }
    stream.skipGap(behind);
  }

  /**
   * Syncs the segments before one that is to be synced. They may hold what is in the commit log, too, and a start reads that up to the
   * first line that it doesn't have.
   */
  private async syncBefore(segment: Segment): Promise<void> {
    for (const other of new Set([...this.unsynced, ...this.inSync]))
      if (other !== segment && this.stream.segments.includes(other)) {
        await this.files.withFile(other.path, (fd) => this.syncToDisk(other, fd));
        this.unsynced = withoutSegment(this.unsynced, other);
      }
  }

  /** Syncs a segment, and its directory entry, without which nobody would find it after a power cut. */
  private async syncToDisk(segment: Segment, fd: number): Promise<void> {
    await this.files.sync(fd);
    if (segment.isNameSynced) return;
    const folder = dirname(segment.path);
    await syncFolder(folder);
    // The stream's folder may be as new as the segment, and so may the folder of all streams.
    if (!this.areFoldersSynced)
      for (const above of [dirname(folder), dirname(dirname(folder))]) await syncFolder(above);
    this.areFoldersSynced = true;
    segment.isNameSynced = true;
  }

  /** @throws SegmentGoneError when the file to which was written isn't the one that the next start will find */
  private requireInPlace(segment: Segment, fd: number, nowMs: number, isOpenedNow?: boolean): void {
    if (!this.placeCheck.isInPlace(segment.path, fd, nowMs, isOpenedNow)) throw new SegmentGoneError(segment);
  }

  /** As much as fits into one write. */
  private takeGroup(): QueuedWrite[] {
    let count = 0;
    let bytes = 0;
    let batches = 0;
    for (const { allocated } of this.queue) {
      for (const { stored } of allocated) bytes += stored.bytes.length;
      batches += allocated.length;
      if (count > 0 && (batches > BATCHES_MAX || bytes > BYTES_MAX)) break;
      count++;
    }
    return this.queue.splice(0, count);
  }

  private commitWritten(
    segment: Segment,
    allocated: readonly AllocatedBatch[],
    copy: Buffer | undefined,
    written: number,
    expected: number,
  ): void {
    requireWritten(written, expected);
    this.writingTo = undefined;
    this.unsynced = withSegment(this.unsynced, segment);
    this.stream.commit(segment, allocated, copy);
  }

  /** A write has failed: nothing of it counts, and none of its bytes may be there when the stream is opened again. */
  private rollback(batches: readonly AllocatedBatch[]): void {
    // What is allocated may be on its way into the commit log.
    if (batches.length > 0) this.stream.rollback();
    try {
      this.truncateLeftovers();
    } catch {
      // Before the next write.
    }
  }

  /** Removes what a write that failed has left; without it there may be space for what comes next, too. */
  private truncateLeftovers(): void {
    const segment = this.writingTo;
    if (!segment) return;
    if (this.stream.segments.includes(segment)) {
      ftruncateSync(this.files.descriptor(segment.path), segment.size);
      segment.oldEnd = 0;
    }
    this.writingTo = undefined;
  }
}

const NONE: readonly never[] = [];
/** Mostly there is one segment, or none: thousands of apps have a list each, and a set takes some hundred bytes. */
const NO_SEGMENTS: readonly Segment[] = NONE;

function withSegment(segments: readonly Segment[], added: Segment): readonly Segment[] {
  return segments.includes(added) ? segments : [...segments, added];
}

function withoutSegment(segments: readonly Segment[], removed: Segment): readonly Segment[] {
  const left = segments.filter((segment) => segment !== removed);
  return left.length > 0 ? left : NO_SEGMENTS;
}

function buffersOf(copy: Buffer | undefined, batches: readonly AllocatedBatch[], seed: number): Uint8Array[] {
  const buffers: Uint8Array[] = copy ? [copy] : [];
  for (const { stored, frameId } of batches) {
    if (frameId !== undefined) buffers.push(encodeFrameIdEntry(frameId, seed));
    buffers.push(stored.bytes);
  }
  return buffers;
}

/** What the event loop waits for is put together here, one write after the other. */
let scratch = Buffer.alloc(0);

/** Memory until the next call. */
function scratchMemory(bytes: number): Buffer {
  if (bytes > SCRATCH_BYTES) return Buffer.allocUnsafe(bytes);
  if (scratch.length === 0) scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  return scratch.subarray(0, bytes);
}

function writeNow(fd: number, buffers: readonly Uint8Array[], position: number): number {
  const [buffer] = buffers;
  return buffers.length === 1
    ? writeSync(fd, buffer, 0, buffer.length, position)
    : writevSync(fd, buffers, position);
}

function totalLength(buffers: readonly Uint8Array[]): number {
  let size = 0;
  for (const { length } of buffers) size += length;
  return size;
}

function writeTo(fd: number, buffers: Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, buffers, position, (error, written) => (error ? reject(error) : resolve(written)));
  });
}
