/** What a process that was killed, or a power cut, leaves behind the last entry of a segment. */
import { HEADROOM } from '../../../syslog/batch.ts';
import {
  bytesBeforeCandidate,
  isIntact,
  leadingFrameIdBytes,
  nextEntryType,
  parseEntry,
  type SegmentEntry,
} from './entry-format.ts';
import { isLegacyEntry } from './legacy-entry.ts';

/** A write ends at a page's end when the process is killed in it. */
const PAGE_BYTES = 4_096;

/** The end of what is intact in a segment. */
export interface IntactEnd {
  /** Where it is in the file. */
  readonly offset: number;
  /** Bytes of the stream before it. */
  readonly bytesSoFar: number;
  /** Of the app, `checksumSeed`. */
  readonly seed: number;
}

/**
 * Are these bytes behind the last entry what a killed process, or a power cut, leaves of one that was never acknowledged, or not synced:
 * the beginning of an entry, or zeros? A whole entry whose checksum is wrong, or bytes that begin none, were something else.
 */
export function isTorn(rest: Buffer, end: IntactEnd): boolean {
  if (rest.length < HEADROOM || isZero(rest, 0)) return true;
  const idBytes = leadingFrameIdBytes(rest, 0);
  if (idBytes + HEADROOM > rest.length) return true;
  const entry = parseEntry(rest, 0, 0, end.bytesSoFar);
  if (entry && entry.end > rest.length) return true;
  return isOverOlderBytes(rest, entry, end);
}

/** The same in a file that was another segment's before (`spare-files.ts`): behind the beginning of an entry, that one's bytes follow. */
function isOverOlderBytes(rest: Buffer, entry: SegmentEntry | undefined, end: IntactEnd): boolean {
  if (!entry) {
    // None of it is there, or its header stands in two pages, and one of them is.
    const isNothing = end.offset === 0 && isOlderEntry(rest, 0, end);
    if (!isNothing && !isHeaderSplit(rest, end.offset)) return false;
  } else if (isWritten(rest, entry)) return false;
  for (let at = nextEntryType(rest, 0); at < rest.length; at = nextEntryType(rest, at + 1))
    if (isOlderEntry(rest, at, end)) return true;
  return false;
}

/** What comes behind an entry with the write that writes it, or with the next one, is there. */
function isWritten(rest: Buffer, { end, bytesSoFar }: SegmentEntry): boolean {
  return (
    end + HEADROOM > rest.length || isZero(rest, end) || parseEntry(rest, end, 0, bytesSoFar) !== undefined
  );
}

/** Is there a whole entry at `at` that had its place in the stream before all that is in the segment? */
function isOlderEntry(rest: Buffer, at: number, { bytesSoFar, seed }: IntactEnd): boolean {
  // Their checksums say nothing of the place.
  if (isLegacyEntry(rest, at)) return false;
  const bytesBefore = bytesBeforeCandidate(rest, at, 0, 0);
  const entry = bytesBefore === undefined ? undefined : parseEntry(rest, at, 0, bytesBefore);
  return (
    entry !== undefined &&
    entry.end <= rest.length &&
    entry.bytesSoFar <= bytesSoFar &&
    isIntact(rest, entry, 0, seed)
  );
}

function isHeaderSplit(rest: Buffer, offset: number): boolean {
  const inPage = offset % PAGE_BYTES;
  const idBytes = leadingFrameIdBytes(rest, 0);
  return inPage !== 0 && idBytes < PAGE_BYTES && inPage + idBytes + HEADROOM > PAGE_BYTES;
}

function isZero(bytes: Buffer, at: number): boolean {
  for (let i = at; i < at + HEADROOM; i++) if (bytes[i] !== 0) return false;
  return true;
}
