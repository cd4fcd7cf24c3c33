import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, unlink } from 'node:fs';
import { systemCode, TailraceError } from '../../../../common/errors.ts';
import type { Batch } from '../../../syslog/batch.ts';
import type { Retention, Sequence, StoredBatch, StreamBounds } from '../../contract.ts';
import { restoreConflict } from '../../restore-conflict.ts';
import type { StoreClock } from '../store-clock.ts';
import {
  frameIdEntryBytes,
  parseSegmentFileName,
  type SegmentEntry,
  type SegmentOffset,
  validEntries,
  writeEntryHeader,
} from './entry-format.ts';
import { readEntryAt } from './entry-walk.ts';
import type { OpenFileCache } from './open-file-cache.ts';
import { Segment } from './segment.ts';

/** A stream has about so many segments when it is full. */
const SEGMENTS = 16;
const SEGMENT_BYTES_MIN = 65_536;
const SEGMENT_BYTES_MAX = 16_777_216;
/** Frame ids of what was stored last before the process ended are looked for in the segments that were written to so shortly before. */
const RECOVERY_WINDOW_MS = 10_000;

/** The end of a stream. */
interface StreamEnd {
  /** The next sequence. */
  readonly next: Sequence;
  /** Bytes of all batches ever appended. */
  readonly bytesSoFar: number;
}

/** A batch whose sequences are allocated. */
export interface AllocatedBatch {
  readonly stored: StoredBatch;
  readonly bytesSoFar: number;
  readonly frameId: string | undefined;
}

/** What all streams of a store have in common. */
export interface StreamEnvironment {
  readonly retention: Retention;
  readonly files: OpenFileCache;
  readonly clock: StoreClock;
}

/**
 * One app's stream: its segments, and where it starts and ends, in memory from its first use on. It allocates sequences to batches;
 * the `Appender` writes them.
 */
export class AppStream {
  readonly folder: string;
  private readonly retention: Retention;
  private readonly files: OpenFileCache;
  private readonly clock: StoreClock;
  private readonly segmentBytes: number;
  private segmentList: Segment[] = [];
  /** Where the oldest batch starts in the first segment. */
  private startOffset: SegmentOffset = { offset: 0, bytesSoFar: 0 };
  private oldestEntry: SegmentEntry | undefined;
  private firstSequence: Sequence = 1;
  /** The end of what is allocated, and of what was acknowledged. */
  private allocatedEnd: StreamEnd = { next: 1, bytesSoFar: 0 };
  private committedEnd: StreamEnd = { next: 1, bytesSoFar: 0 };

  /**
   * Opens a stream; what a process that died left half written is truncated.
   * @param onFrameId called with each of the newest entries that has a frame id: the index may not have it.
   */
  constructor(
    folder: string,
    { retention, files, clock }: StreamEnvironment,
    onFrameId: (entry: SegmentEntry) => void,
  ) {
    this.folder = folder;
    this.retention = retention;
    this.files = files;
    this.clock = clock;
    this.segmentBytes = Math.min(Math.max(retention.bytes / SEGMENTS, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX);
    this.recover(onFrameId);
    this.trim();
  }

  get first(): Sequence {
    return this.firstSequence;
  }

  get bounds(): StreamBounds {
    const { next, bytesSoFar } = this.committedEnd;
    return { first: this.firstSequence, last: next - 1, bytes: bytesSoFar - this.startOffset.bytesSoFar };
  }

  /** Oldest first. */
  get segments(): readonly Segment[] {
    return this.segmentList;
  }

  /** Allocates the next sequences to a batch, and writes its header into its headroom. */
  allocate(batch: Batch, frameId: string | undefined): AllocatedBatch {
    return this.allocateAt(batch, this.allocatedEnd.next, this.clock.stamp(), frameId);
  }

  /**
   * Allocates to a batch of another store the sequences that it had there.
   * @throws TailraceError `conflict` when the stream is already past them.
   */
  restore(batch: StoredBatch): AllocatedBatch {
    if (this.allocatedEnd.next > batch.first) throw restoreConflict(batch.first);
    if (this.firstSequence === this.allocatedEnd.next) this.firstSequence = batch.first;
    return this.allocateAt(batch, batch.first, batch.storedAtMs, undefined);
  }

  /** What is allocated and isn't acknowledged yet won't be: its sequences are allocated again. */
  rollback(): void {
    this.allocatedEnd = this.committedEnd;
  }

  /** The segment to write to: a new one when the last is full. */
  activeSegment(): Segment {
    const newest = this.segmentList.at(-1);
    if (newest && newest.size < this.segmentBytes) return newest;
    const { next, bytesSoFar } = this.committedEnd;
    const segment = new Segment(this.folder, { first: next, bytesBefore: bytesSoFar }, this.files);
    if (!newest) mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.files.create(segment.path);
    this.segmentList.push(segment);
    return segment;
  }

  /** Batches are in the file, one after the other from the end of the segment on: from now on they can be read. */
  commit(segment: Segment, batches: readonly AllocatedBatch[]): void {
    let start = segment.size;
    for (const { stored, bytesSoFar, frameId } of batches) {
      const batchStart = frameId === undefined ? start : start + frameIdEntryBytes(frameId);
      const end = batchStart + stored.bytes.length;
      const { count, first, last, storedAtMs } = stored;
      const bytesBefore = this.committedEnd.bytesSoFar;
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
      this.committedEnd = { next: last + 1, bytesSoFar };
      start = end;
    }
    this.trim();
  }

  /** Removes the oldest batches until the stream is within its bounds; the newest batch always stays. */
  trim(): void {
    const { lines, bytes, ageMs } = this.retention;
    for (;;) {
      const { next, bytesSoFar } = this.committedEnd;
      const tooMuch = next - this.firstSequence > lines || bytesSoFar - this.startOffset.bytesSoFar > bytes;
      if (!tooMuch && this.oldestEntry && this.clock.ageOf(this.oldestEntry.storedAtMs) <= ageMs) return;
      this.oldestEntry ??= this.findOldest();
      const { oldestEntry: oldest } = this;
      if (!oldest || oldest.last >= next - 1) return;
      if (!tooMuch && this.clock.ageOf(oldest.storedAtMs) <= ageMs) return;
      this.firstSequence = oldest.last + 1;
      this.startOffset = { offset: oldest.end, bytesSoFar: oldest.bytesSoFar };
      this.oldestEntry = undefined;
    }
  }

  /** The oldest entry; segments before it are removed. */
  private findOldest(): SegmentEntry | undefined {
    for (;;) {
      const [segment] = this.segmentList;
      if (!segment) return undefined;
      if (this.startOffset.offset < segment.size) {
        const entry = readEntryAt(this.files.descriptor(segment.path), this.startOffset, segment.size);
        if (entry) return entry;
      }
      // At its end, or at something corrupt: whatever comes after that is lost.
      if (this.segmentList.length === 1) return undefined;
      this.segmentList.shift();
      this.files.close(segment.path);
      unlink(segment.path, () => {}); // tried again at the next start
      this.startOffset = this.segmentList[0].start;
    }
  }

  private allocateAt(
    batch: Batch,
    first: Sequence,
    storedAtMs: number,
    frameId: string | undefined,
  ): AllocatedBatch {
    const { bytes, count } = batch;
    const bytesSoFar = this.allocatedEnd.bytesSoFar + bytes.length;
    writeEntryHeader(bytes, { count, storedAtMs, bytesSoFar, first });
    const last = first + count - 1;
    this.allocatedEnd = { next: last + 1, bytesSoFar };
    return { stored: { bytes, count, first, last, storedAtMs }, bytesSoFar, frameId };
  }

  private recover(onFrameId: (entry: SegmentEntry) => void): void {
    const found = segmentsIn(this.folder);
    this.segmentList = found.map((start) => new Segment(this.folder, start, this.files));
    const newest = this.segmentList.at(-1);
    if (!newest) return;
    const written = this.segmentList.map(({ path }) => statSync(path));
    const late = written[written.length - 1].mtimeMs - RECOVERY_WINDOW_MS;
    let end: StreamEnd = { next: newest.first, bytesSoFar: newest.bytesBefore };
    for (const [i, segment] of this.segmentList.entries()) {
      const { size, mtimeMs } = written[i];
      // The one before the newest has been written to recently whatever the times say: the clock may have been set in between.
      if (i < this.segmentList.length - 2 && mtimeMs < late) {
        segment.openExisting(size);
        continue;
      }
      for (const { entry } of validEntries(readFileSync(segment.path), segment.start)) {
        segment.addEntry(entry);
        if (entry.frameId !== undefined) onFrameId(entry);
        if (segment === newest) end = { next: entry.last + 1, bytesSoFar: entry.bytesSoFar };
      }
    }
    if (written[written.length - 1].size > newest.size) truncateSync(newest.path, newest.size);
    this.allocatedEnd = end;
    this.committedEnd = end;
    this.startOffset = this.segmentList[0].start;
    this.oldestEntry = this.findOldest();
    this.firstSequence = this.oldestEntry?.first ?? end.next;
  }
}

/** The segments in a folder, oldest first. */
function segmentsIn(folder: string): { first: Sequence; bytesBefore: number }[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new TailraceError('unavailable', `The stream in ${folder} can't be read (${systemCode(error)}).`, {
      cause: error,
    });
  }
  return names
    .map(parseSegmentFileName)
    .filter((start) => start !== undefined)
    .sort((a, b) => a.first - b.first);
}
