/** What is noted of a stream outside of its files, so that a file that is missing, or isn't what it was, is noticed. */
import type { AppId, Sequence } from '../../contract.ts';

/** A segment: its name, and its bytes when it was noted. */
export interface NotedSegment {
  readonly first: Sequence;
  readonly bytesBefore: number;
  readonly size: number;
}

/** A range of lines, its ends included. */
export type SequenceRange = readonly [first: Sequence, last: Sequence];

export interface StreamNote {
  /** The oldest line that isn't trimmed, and the next one to come. */
  readonly first: Sequence;
  readonly next: Sequence;
  /** Bytes of all batches ever appended. */
  readonly bytesSoFar: number;
  /** Oldest first; the newest may have grown since. */
  readonly segments: readonly NotedSegment[];
  /** Segments that were missing or unreadable at the last start: they are read again if they come back. */
  readonly lost: readonly NotedSegment[];
  /** Lost lines that the app's stream was told of. */
  readonly told: readonly SequenceRange[];
  /** Lost lines that `tailrace repair` has cleared up behind: nothing can be done about them. */
  readonly cleared?: readonly SequenceRange[];
}

/** Where notes are kept. */
export interface StreamNotes {
  get(app: AppId): StreamNote | undefined;
  /** Resolves when the notes are on the disk. */
  put(notes: ReadonlyMap<AppId, StreamNote>): Promise<void>;
  /** Resolves when it is on the disk. */
  remove(app: AppId): Promise<void>;
  apps(): AppId[];
}

/** A segment as it is found. */
export interface FoundSegment extends NotedSegment {
  /** When it was written to last, milliseconds since 1970. */
  readonly mtimeMs: number;
}

/** A segment that holds part of the stream. */
export interface UsedSegment {
  readonly found: FoundSegment;
  /** It isn't what was noted, or grew since: all of it has to be checked. */
  readonly isSuspect: boolean;
}

export interface SegmentMatch {
  /** Oldest first. */
  readonly used: readonly UsedSegment[];
  /** Noted, and not there. */
  readonly missing: readonly NotedSegment[];
  /** There, and not where they belong. */
  readonly strays: readonly FoundSegment[];
}

/**
 * Compares what is found with what was noted. Without a note, all that is found belongs to the stream.
 * @param commitsFrom the first line of the stream that is in the commit log: from there on, segments may have been written anew since
 */
export function matchSegments(
  found: readonly FoundSegment[],
  note: StreamNote | undefined,
  commitsFrom: Sequence = Number.POSITIVE_INFINITY,
): SegmentMatch {
  const sorted = [...found].sort((a, b) => a.first - b.first || a.bytesBefore - b.bytesBefore);
  if (!note)
    return { used: sorted.map((one, i) => suspectWithoutNote(one, sorted[i + 1])), missing: [], strays: [] };
  const newest = note.segments.at(-1);
  const used: UsedSegment[] = [];
  const strays: FoundSegment[] = [];
  for (const one of sorted) {
    const noted = note.segments.find((other) => isSameName(one, other));
    const wasLost = note.lost.find((other) => isSameName(one, other));
    if (noted) used.push({ found: one, isSuspect: one.size !== noted.size });
    else if (
      wasLost ||
      (one.first >= note.next && one.bytesBefore >= note.bytesSoFar) ||
      one.first >= Math.max(commitsFrom, note.first)
    )
      used.push({ found: one, isSuspect: true });
    else strays.push(one);
  }
  const isThere = (noted: NotedSegment): boolean => found.some((one) => isSameName(one, noted));
  // A segment that was just made when its name was noted is nothing that anybody lost.
  const isEmpty = (noted: NotedSegment): boolean => noted === newest && noted.size === 0;
  const missing = [...note.lost, ...note.segments].filter((noted) => !isThere(noted) && !isEmpty(noted));
  return { used, missing, strays };
}

/** Nothing has changed since the note was written. */
export function isAsNoted(found: readonly FoundSegment[], note: StreamNote): boolean {
  return (
    note.lost.length === 0 &&
    found.length === note.segments.length &&
    note.segments.every((noted) => found.some((one) => isSameName(one, noted) && one.size === noted.size))
  );
}

/** Adds a range to others, sorted; ranges that touch become one. */
export function mergeRanges(ranges: readonly SequenceRange[]): SequenceRange[] {
  const merged: [Sequence, Sequence][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const before = merged.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** Is the range inside one of the others? */
export function isInsideOf([first, last]: SequenceRange, ranges: readonly SequenceRange[]): boolean {
  return ranges.some((other) => other[0] <= first && last <= other[1]);
}

function isSameName(a: NotedSegment, b: NotedSegment): boolean {
  return a.first === b.first && a.bytesBefore === b.bytesBefore;
}

/** A segment that is shorter than what the next one has before it has lost something. */
function suspectWithoutNote(found: FoundSegment, next: FoundSegment | undefined): UsedSegment {
  return { found, isSuspect: next !== undefined && found.size < next.bytesBefore - found.bytesBefore };
}
