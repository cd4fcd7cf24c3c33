/**
 * Where segments have to be cut off so that what follows is taken from the commit log again. After a power cut the end of a segment may be
 * missing, or have a hole, while what was written behind it is there, or was noted: segments aren't synced while the log has their lines.
 */
import type { LeftBatch } from '../commit-log/left-batch.ts';
import type { StreamEnd } from '../segments/entry-format.ts';
import type { Segment } from '../segments/segment.ts';

/** A segment as it was found. */
export interface ScannedSegment {
  readonly segment: Segment;
  /** Where what is intact from its start on ends; undefined when it was left as it was noted. */
  readonly intact: CutOff | undefined;
  /** The end of the newest intact entry in it. */
  readonly end: StreamEnd;
  /** Where damage that isn't in front of an intact entry ends, as far as anybody can tell. */
  readonly damagedNext: number;
}

/** A place in a segment. */
export interface CutOff extends StreamEnd {
  readonly segment: Segment;
  /** Bytes of the segment before it. */
  readonly offset: number;
}

/**
 * @param scanned oldest first
 * @param known the end that the stream had, as far as it was noted, or files say that can't be read
 * @param left what the commit log has of the stream
 * @returns the place behind which something is damaged or missing, when the log has all that was there; undefined otherwise
 */
export function findCut(
  scanned: readonly ScannedSegment[],
  known: StreamEnd,
  left: readonly LeftBatch[],
): CutOff | undefined {
  const cut = findIntactEnd(scanned);
  if (!cut) return undefined;
  let { next, bytesSoFar } = known;
  for (const { end, damagedNext } of scanned) {
    next = Math.max(next, end.next, damagedNext);
    bytesSoFar = Math.max(bytesSoFar, end.bytesSoFar);
  }
  if (cut.next >= next && cut.bytesSoFar >= bytesSoFar) return undefined;
  let reached: StreamEnd = cut;
  for (const { first, last, bytes, bytesSoFar: end } of left)
    if (first >= reached.next && end - bytes === reached.bytesSoFar)
      reached = { next: last + 1, bytesSoFar: end };
  return reached.next >= next && reached.bytesSoFar >= bytesSoFar ? cut : undefined;
}

/** The end of what is intact without a gap. */
export function findIntactEnd(scanned: readonly ScannedSegment[]): CutOff | undefined {
  let before: CutOff | undefined;
  for (const { segment, intact, end } of scanned) {
    if (before && segment.bytesBefore > before.bytesSoFar) return before;
    // One that isn't scanned is older than anything in the log: what follows begins anew.
    before = intact;
    if (intact && intact.bytesSoFar < end.bytesSoFar) return intact;
  }
  return before;
}
