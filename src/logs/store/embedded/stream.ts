import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, unlink } from 'node:fs';
import { systemCode, TailraceError } from '../../../common/errors.ts';
import type { Batch } from '../../syslog/batch.ts';
import type { Retention, Sequence, StoredBatch, StreamBounds } from '../contract.ts';
import { pastRestored } from '../restoring.ts';
import { entryAt } from './entry-walk.ts';
import {
  type Entry,
  nameEntryBytes,
  parseSegmentName,
  type WalkStart,
  wholeEntries,
  writePlacement,
} from './layout.ts';
import type { OpenFiles } from './open-files.ts';
import { Segment } from './segment.ts';

/** A stream is in about so many segments when it is full. */
const SEGMENTS = 16;
const SEGMENT_BYTES_MIN = 65_536;
const SEGMENT_BYTES_MAX = 16_777_216;
/** Names of what was stored in the last moments before the end are looked for in the segments written to then. */
const LATE_MS = 10_000;

/** Where a stream ends. */
interface End {
  /** The next sequence. */
  readonly next: Sequence;
  /** Bytes of all batches ever appended. */
  readonly bytesSoFar: number;
}

/** A batch that has its place. */
export interface Placed {
  readonly stored: StoredBatch;
  readonly bytesSoFar: number;
  readonly name: string | undefined;
}

/**
 * One app's stream: its segments, and where it starts and ends, in memory from its first use on. It gives batches their places;
 * writing them is the {@link Appender}'s.
 */
export class Stream {
  readonly folder: string;
  private readonly retention: Retention;
  private readonly files: OpenFiles;
  private readonly segmentBytes: number;
  private list: Segment[] = [];
  /** Where the oldest batch starts in the first segment. */
  private head: WalkStart = { offset: 0, bytesSoFar: 0 };
  private oldest: Entry | undefined;
  private firstHeld: Sequence = 1;
  /** Where the sequences that were given out end, and where what was acknowledged ends. */
  private placed: End = { next: 1, bytesSoFar: 0 };
  private acknowledged: End = { next: 1, bytesSoFar: 0 };

  /**
   * Opens a stream; what a process that died left half written is cut off.
   * @param named is told of the names among the newest entries: they may not have been noted elsewhere.
   */
  constructor(folder: string, retention: Retention, files: OpenFiles, named: (entry: Entry) => void) {
    this.folder = folder;
    this.retention = retention;
    this.files = files;
    this.segmentBytes = Math.min(Math.max(retention.bytes / SEGMENTS, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX);
    this.load(named);
    this.trim(Date.now());
  }

  get first(): Sequence {
    return this.firstHeld;
  }

  get bounds(): StreamBounds {
    const { next, bytesSoFar } = this.acknowledged;
    return { first: this.firstHeld, last: next - 1, bytes: bytesSoFar - this.head.bytesSoFar };
  }

  /** Oldest first. */
  get segments(): readonly Segment[] {
    return this.list;
  }

  /** Gives a batch its place at the end, written into its headroom. */
  place(batch: Batch, name: string | undefined): Placed {
    return this.placeAt(batch, this.placed.next, Date.now(), name);
  }

  /**
   * Gives a batch of another store the place that it had there.
   * @throws TailraceError `conflict` when the stream is already past it.
   */
  restore(batch: StoredBatch): Placed {
    if (this.placed.next > batch.first) throw pastRestored(batch.first);
    if (this.firstHeld === this.placed.next) this.firstHeld = batch.first;
    return this.placeAt(batch, batch.first, batch.storedAtMs, undefined);
  }

  /** What was placed and isn't acknowledged yet won't be: its sequences are given out again. */
  displace(): void {
    this.placed = this.acknowledged;
  }

  /** The segment to write to: a new one when the last is full. */
  writable(): Segment {
    const newest = this.list.at(-1);
    if (newest && newest.size < this.segmentBytes) return newest;
    const { next, bytesSoFar } = this.acknowledged;
    const segment = new Segment(this.folder, { first: next, bytesBefore: bytesSoFar }, this.files);
    if (!newest) mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.files.create(segment.path);
    this.list.push(segment);
    return segment;
  }

  /** Batches stand in the file, one behind the other from the end of the segment on: from now on they can be read. */
  acknowledge(segment: Segment, batches: readonly Placed[]): void {
    let start = segment.size;
    for (const { stored, bytesSoFar, name } of batches) {
      const batchStart = name === undefined ? start : start + nameEntryBytes(name);
      const end = batchStart + stored.bytes.length;
      const { count, first, last, storedAtMs } = stored;
      const bytesBefore = this.acknowledged.bytesSoFar;
      segment.added({
        start,
        batchStart,
        end,
        count,
        first,
        last,
        storedAtMs,
        bytesBefore,
        bytesSoFar,
        name,
      });
      this.acknowledged = { next: last + 1, bytesSoFar };
      start = end;
    }
    this.trim(Date.now());
  }

  /** Takes the oldest batches out of sight until the stream is within its bounds; the newest batch always stays. */
  trim(now: number): void {
    const { lines, bytes, ageMs } = this.retention;
    for (;;) {
      const { next, bytesSoFar } = this.acknowledged;
      const tooMuch = next - this.firstHeld > lines || bytesSoFar - this.head.bytesSoFar > bytes;
      if (!tooMuch && this.oldest && now - this.oldest.storedAtMs <= ageMs) return;
      this.oldest ??= this.findOldest();
      const { oldest } = this;
      if (!oldest || oldest.last >= next - 1) return;
      if (!tooMuch && now - oldest.storedAtMs <= ageMs) return;
      this.firstHeld = oldest.last + 1;
      this.head = { offset: oldest.end, bytesSoFar: oldest.bytesSoFar };
      this.oldest = undefined;
    }
  }

  /** The oldest entry; segments that lie before it are removed. */
  private findOldest(): Entry | undefined {
    for (;;) {
      const [segment] = this.list;
      if (!segment) return undefined;
      if (this.head.offset < segment.size) {
        const entry = entryAt(this.files.use(segment.path), this.head, segment.size);
        if (entry) return entry;
      }
      // At its end, or at something broken: whatever is behind that is lost.
      if (this.list.length === 1) return undefined;
      this.list.shift();
      this.files.close(segment.path);
      unlink(segment.path, () => {}); // it is looked at again at the next start
      this.head = this.list[0].start;
    }
  }

  private placeAt(batch: Batch, first: Sequence, storedAtMs: number, name: string | undefined): Placed {
    const { bytes, count } = batch;
    const bytesSoFar = this.placed.bytesSoFar + bytes.length;
    writePlacement(bytes, { count, storedAtMs, bytesSoFar, first });
    const last = first + count - 1;
    this.placed = { next: last + 1, bytesSoFar };
    return { stored: { bytes, count, first, last, storedAtMs }, bytesSoFar, name };
  }

  private load(named: (entry: Entry) => void): void {
    const found = segmentsIn(this.folder);
    this.list = found.map((start) => new Segment(this.folder, start, this.files));
    const newest = this.list.at(-1);
    if (!newest) return;
    const written = this.list.map(({ path }) => statSync(path));
    const late = written[written.length - 1].mtimeMs - LATE_MS;
    let end: End = { next: newest.first, bytesSoFar: newest.bytesBefore };
    for (const [i, segment] of this.list.entries()) {
      const { size, mtimeMs } = written[i];
      if (segment !== newest && mtimeMs < late) {
        segment.left(size);
        continue;
      }
      for (const { entry } of wholeEntries(readFileSync(segment.path), segment.start)) {
        segment.added(entry);
        if (entry.name !== undefined) named(entry);
        if (segment === newest) end = { next: entry.last + 1, bytesSoFar: entry.bytesSoFar };
      }
    }
    if (written[written.length - 1].size > newest.size) truncateSync(newest.path, newest.size);
    this.placed = end;
    this.acknowledged = end;
    this.head = this.list[0].start;
    this.oldest = this.findOldest();
    this.firstHeld = this.oldest?.first ?? end.next;
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
    .map(parseSegmentName)
    .filter((start) => start !== undefined)
    .sort((a, b) => a.first - b.first);
}
