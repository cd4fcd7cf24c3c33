/** Scans a segment for its intact entries. Where bytes are damaged, it goes on at the next entry whose checksum is right. */
import { readSync } from 'node:fs';
import {
  bytesBeforeCandidate,
  isIntact,
  leadingFrameIdBytes,
  nextEntryType,
  parseEntry,
  type SegmentEntry,
  type SegmentOffset,
} from './entry-format.ts';

/** Read at a time: some large batches. */
const WINDOW_BYTES = 1_048_576;
/** Enough for the header of most single entries, and for the longest frame id in front of one. */
const HEADER_BYTES = 128;
const LONG_HEADER_BYTES = 65_664;

/** What a scan comes across, in the order of the file. */
export interface ScanVisitor {
  onEntry(entry: SegmentEntry, batch: Buffer): void;
  /** Bytes that are no intact entry, from one offset up to another. */
  onDamage(from: number, to: number): void;
}

/** Where a scan stopped, and how many bytes it needs from there on. */
interface ScanStop extends SegmentOffset {
  readonly wanted: number;
}

/** One entry of an open file, by its header alone; undefined when there is no complete one before `limit`. */
export function readEntryAt(
  fd: number,
  { offset, bytesSoFar }: SegmentOffset,
  limit: number,
): SegmentEntry | undefined {
  for (const bytes of [HEADER_BYTES, LONG_HEADER_BYTES]) {
    const window = Buffer.allocUnsafe(bytes);
    const held = readSync(fd, window, 0, bytes, offset);
    const entry = parseEntry(window.subarray(0, held), 0, offset, bytesSoFar);
    if (entry && entry.end <= limit) return entry;
  }
  return undefined;
}

/** Scans bytes that hold all of a segment from `from` on. @param seed of the app, `checksumSeed` */
export function scanBytes(bytes: Buffer, from: SegmentOffset, seed: number, visitor: ScanVisitor): void {
  scanWindow(bytes, from, seed, true, visitor);
}

/**
 * Scans a segment up to `limit`, a window at a time.
 * @param read gives up to so many bytes from an offset on
 */
export async function scanSegment(
  read: (offset: number, bytes: number) => Promise<Buffer>,
  from: SegmentOffset,
  limit: number,
  seed: number,
  visitor: ScanVisitor,
): Promise<void> {
  for (let at: ScanStop = { ...from, wanted: WINDOW_BYTES }; at.offset < limit; ) {
    const size = Math.min(at.wanted, limit - at.offset);
    const window = await read(at.offset, size);
    // A file that is shorter than it was ends there.
    const isLast = window.length < size || at.offset + size === limit;
    at = scanWindow(window, at, seed, isLast, visitor);
    if (isLast) return;
  }
}

function scanWindow(
  bytes: Buffer,
  from: SegmentOffset,
  seed: number,
  isLast: boolean,
  visitor: ScanVisitor,
): ScanStop {
  const { offset } = from;
  let { bytesSoFar } = from;
  let at = 0;
  while (at < bytes.length) {
    const entry = parseEntry(bytes, at, offset, bytesSoFar);
    const isComplete = entry !== undefined && entry.end - offset <= bytes.length;
    if (isComplete && isIntact(bytes, entry, offset, seed)) {
      visitor.onEntry(entry, bytes.subarray(entry.batchStart - offset, entry.end - offset));
      at = entry.end - offset;
      ({ bytesSoFar } = entry);
      continue;
    }
    if (!isLast) {
      // It may be cut off by the window; if it isn't, what comes after the damage may be anywhere.
      const cutOff = at > 0 ? WINDOW_BYTES : Number.POSITIVE_INFINITY;
      const wanted = entry && !isComplete ? Math.max(WINDOW_BYTES, entry.end - entry.start) : cutOff;
      return { offset: offset + at, bytesSoFar, wanted };
    }
    const next = findIntactEntry(bytes, at, offset, bytesSoFar, seed);
    visitor.onDamage(offset + at, offset + (next?.at ?? bytes.length));
    if (!next) break;
    ({ at, bytesSoFar } = next);
  }
  return { offset: offset + bytes.length, bytesSoFar, wanted: WINDOW_BYTES };
}

/**
 * The next intact entry after damage that begins at `damagedAt`, where the stream had `bytesSoFar`, and the bytes of the stream before it; undefined
 * when there is none. @param offset of the bytes in what entries' places are in
 */
export function findIntactEntry(
  bytes: Buffer,
  damagedAt: number,
  offset: number,
  bytesSoFar: number,
  seed: number,
): { at: number; bytesSoFar: number } | undefined {
  // An entry of version 0.1 doesn't say how long it is: the damaged bytes were batches, or one with a frame id.
  const guesses = [0, leadingFrameIdBytes(bytes, damagedAt)];
  for (let at = nextEntryType(bytes, damagedAt + 1); at < bytes.length; at = nextEntryType(bytes, at + 1)) {
    for (const notBatches of guesses) {
      const before = bytesBeforeCandidate(bytes, at, bytesSoFar + at - damagedAt - notBatches, bytesSoFar);
      if (before === undefined) continue;
      const entry = parseEntry(bytes, at, offset, before);
      if (entry && entry.end - offset <= bytes.length && isIntact(bytes, entry, offset, seed))
        return { at, bytesSoFar: before };
    }
  }
  return undefined;
}
