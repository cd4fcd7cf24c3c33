/** Finds a stream's segments when it is opened, what is intact in them, and what is missing. */
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemCode, TailraceError } from '../../../../common/errors.ts';
import { syncFolderNow } from '../../../../common/files/sync-folder.ts';
import type { Sequence } from '../../contract.ts';
import type { LeftBatch } from '../commit-log/left-batch.ts';
import {
  isIntact,
  isNamedAfter,
  parseEntry,
  parseSegmentFileName,
  type SegmentEntry,
  type StreamEnd,
  segmentFileName,
} from '../segments/entry-format.ts';
import { scanBytes } from '../segments/entry-scan.ts';
import { DamageTracker, Segment, type SegmentOptions, type UnreadableLines } from '../segments/segment.ts';
import { SPARE_SUFFIX } from '../segments/spare-files.ts';
import { type IntactEnd, isTorn } from '../segments/torn-end.ts';
import { type CutOff, findCut, findIntactEnd, type ScannedSegment } from './cut-off.ts';
import {
  type FoundSegment,
  isAsNoted,
  isInsideOf,
  matchSegments,
  mergeRanges,
  type NotedSegment,
  type SequenceRange,
  type StreamNote,
  type UsedSegment,
} from './stream-note.ts';

/** Frame ids of what was stored last before the process ended are looked for in the segments that were written to so shortly before. */
const RECOVERY_WINDOW_MS = 10_000;
/** Enough for most first entries of a segment. */
const FIRST_READ_BYTES = 8_192;

export interface RecoveryOptions extends SegmentOptions {
  readonly folder: string;
  readonly note: StreamNote | undefined;
  /** What the commit log has of the stream, in order. */
  readonly left: readonly LeftBatch[];
  /** Called with each of the newest entries that has a frame id: the index may not have it. */
  readonly onFrameId: (entry: SegmentEntry) => void;
}

export interface RecoveredStream {
  /** Those that hold part of the stream, oldest first. */
  readonly segments: Segment[];
  readonly end: StreamEnd;
  /** Noted segments that are missing or unreadable. */
  readonly lost: readonly NotedSegment[];
  /** Lines that are missing, and weren't trimmed. */
  readonly lostRanges: readonly SequenceRange[];
  /** Segments were cut off, and what was in them is to be taken from the commit log: what was noted isn't so any more. */
  readonly isCutOff: boolean;
}

/** What of a segment is intact. */
interface SegmentContent {
  readonly lastEntry: SegmentEntry | undefined;
  readonly unreadable: readonly UnreadableLines[];
  /** Where what is intact from the start on ends. */
  readonly intact: CutOff;
  /** Bytes behind the last intact entry. */
  readonly rest: Buffer;
}

/** The segments in the folder of a stream that isn't open; spare files in it are removed. @throws TailraceError `unavailable` when it can't be read */
function findSegments(folder: string): FoundSegment[] {
  try {
    const found: FoundSegment[] = [];
    for (const name of readdirSync(folder)) {
      const start = parseSegmentFileName(name);
      if (!start) {
        if (name.endsWith(SPARE_SUFFIX)) rmSync(join(folder, name), { force: true });
        continue;
      }
      const stats = statSync(join(folder, name));
      if (stats.isFile()) found.push({ ...start, size: stats.size, mtimeMs: stats.mtimeMs });
    }
    return found;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new TailraceError('unavailable', `The stream in ${folder} can't be read (${systemCode(error)}).`, {
      cause: error,
    });
  }
}

/** Is everything as it was noted, by names, sizes and the first entry of each segment? */
export function isUntouched(folder: string, note: StreamNote | undefined, seed: number): boolean {
  if (!note) return false;
  const found = findSegments(folder);
  return isAsNoted(found, note) && found.every((one) => hasIntactStart(folder, one, seed));
}

/** When the oldest batch in a stream's files was stored, milliseconds since 1970, without opening it; undefined when there is none. */
export function oldestStoredAtMs(folder: string): number | undefined {
  const found = findSegments(folder).filter(({ size }) => size > 0);
  if (found.length === 0) return undefined;
  const oldest = found.reduce((first, other) => (other.first < first.first ? other : first));
  const fd = openSync(join(folder, segmentFileName(oldest.first, oldest.bytesBefore)), 'r');
  try {
    const bytes = Buffer.allocUnsafe(FIRST_READ_BYTES);
    const held = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
    return parseEntry(held, 0, 0, oldest.bytesBefore)?.storedAtMs;
  } finally {
    closeSync(fd);
  }
}

/** Opens a stream's segments. What a process that died left half written is truncated; damaged bytes stay where they are. */
export function recoverSegments(options: RecoveryOptions): RecoveredStream {
  const { folder, note, seed, left } = options;
  const found = findSegments(folder);
  const { used, missing, strays } = matchSegments(found, note, left[0]?.first);
  // Trimmed, and the process ended before the file was removed.
  for (const one of strays)
    if (note && one.first < note.first && one.size > 0 && hasIntactStart(folder, one, seed))
      unlinkSync(join(folder, segmentFileName(one.first, one.bytesBefore)));
  const late = (used.at(-1)?.found.mtimeMs ?? 0) - RECOVERY_WINDOW_MS;
  const segments: Segment[] = [];
  const contents = new Map<Segment, SegmentContent>();
  let lost = [...missing];
  let lostEnd = 1;
  for (const [i, { found: one, isSuspect }] of used.entries()) {
    const segment = new Segment(folder, one, options);
    const isNewest = i === used.length - 1;
    // The one before the newest may have been written to just before whatever the times say: the clock may have been set in between.
    const isOld = i < used.length - 2 && one.mtimeMs < late && !reachesInto(used[i + 1], left);
    if (isOld && !isSuspect && hasIntactStart(folder, one, seed)) segment.openExisting(one.size);
    else {
      const content = readContent(segment, options);
      if (
        !content.lastEntry &&
        content.rest.length > 0 &&
        !(isNewest && isTorn(content.rest, intactEnd(segment, seed)))
      ) {
        lost.push(one);
        lostEnd = Math.max(lostEnd, endOfDamage(content.rest, one.first, intactEnd(segment, seed)));
        continue;
      }
      contents.set(segment, content);
    }
    segments.push(segment);
  }
  if (left.length > 0) {
    const scanned = segments.map((segment) => asScanned(segment, contents.get(segment), seed));
    const cut = findCut(scanned, noted(note, lost), left);
    if (cut) {
      cutOff(folder, cut, used);
      return { ...recoverSegments({ ...options, note: note && noteAsOf(note, cut) }), isCutOff: true };
    }
    // After a cut its lines went to segments with other names.
    const end = findIntactEnd(scanned);
    const [oldest] = left;
    if (end)
      lost = lost.filter(({ first, bytesBefore }) => first < oldest.first || bytesBefore >= end.bytesSoFar);
  }
  const end = findEnd(segments.at(-1), contents, note, lost, lostEnd, seed);
  const lostRanges = findLostRanges(segments, contents, note, lost, end.next);
  return { segments, end, lost, lostRanges, isCutOff: false };
}

/** The commit log has lines of the segment before this one. */
function reachesInto({ found }: UsedSegment, left: readonly LeftBatch[]): boolean {
  return left.length > 0 && found.first >= left[0].first;
}

/** Where the last intact entry of a segment ends whose content was read. */
function intactEnd({ size, bytesBefore }: Segment, seed: number, lastEntry?: SegmentEntry): IntactEnd {
  return { offset: size, bytesSoFar: lastEntry?.bytesSoFar ?? bytesBefore, seed };
}

function asScanned(segment: Segment, content: SegmentContent | undefined, seed: number): ScannedSegment {
  const start = { next: segment.first, bytesSoFar: segment.bytesBefore };
  const last = content?.lastEntry;
  const end = last ? { next: last.last + 1, bytesSoFar: last.bytesSoFar } : start;
  const damagedNext = content ? endOfDamage(content.rest, end.next, intactEnd(segment, seed, last)) : 0;
  return { segment, intact: content?.intact, end, damagedNext };
}

/** The end that a stream had, as far as that was noted, or the names of files say that can't be read. */
function noted(note: StreamNote | undefined, lost: readonly NotedSegment[]): StreamEnd {
  return {
    next: Math.max(note?.next ?? 1, ...lost.map(({ first, size }) => first + (size > 0 ? 1 : 0))),
    bytesSoFar: Math.max(note?.bytesSoFar ?? 0, ...lost.map(({ bytesBefore }) => bytesBefore)),
  };
}

/** What is behind a place is in the commit log: the files go as if it had never been written to them. */
function cutOff(folder: string, cut: CutOff, used: readonly UsedSegment[]): void {
  for (const { found } of [...used].reverse())
    if (found.bytesBefore >= cut.bytesSoFar && found.first > cut.segment.first)
      unlinkSync(join(folder, segmentFileName(found.first, found.bytesBefore)));
  // Before anything is written that has the same lines.
  syncFolderNow(folder);
  truncateSync(cut.segment.path, cut.offset);
}

/** The note as it was when the stream ended there. */
function noteAsOf(note: StreamNote, { next, bytesSoFar, segment }: CutOff): StreamNote {
  const isBefore = ({ first }: NotedSegment): boolean => first <= segment.first;
  return {
    ...note,
    next,
    bytesSoFar,
    segments: note.segments.filter(isBefore),
    lost: note.lost.filter(isBefore),
  };
}

function readContent(segment: Segment, { seed, onFrameId }: RecoveryOptions): SegmentContent {
  const bytes = readFileSync(segment.path);
  const unreadable: UnreadableLines[] = [];
  const damage = new DamageTracker((lines) => unreadable.push(lines));
  let lastEntry: SegmentEntry | undefined;
  let damagedFrom: number | undefined;
  let isWhole = true;
  let intact: CutOff = { segment, offset: 0, next: segment.first, bytesSoFar: segment.bytesBefore };
  scanBytes(bytes, segment.start, seed, {
    onEntry: (entry) => {
      damage.onEntry(entry);
      if (isWhole)
        intact = { segment, offset: entry.end, next: entry.last + 1, bytesSoFar: entry.bytesSoFar };
      segment.addEntry(entry, damagedFrom);
      if (entry.frameId !== undefined) onFrameId(entry);
      lastEntry = entry;
      damagedFrom = undefined;
    },
    onDamage: (from) => {
      damage.onDamage();
      damagedFrom = from;
      isWhole = false;
    },
  });
  return { lastEntry, unreadable, intact, rest: bytes.subarray(segment.size) };
}

/**
 * Finds where the stream goes on, and seals its newest segment when it can't be there.
 * @param lostEnd the line behind those that damaged segments had, as far as they say
 */
function findEnd(
  newest: Segment | undefined,
  contents: ReadonlyMap<Segment, SegmentContent>,
  note: StreamNote | undefined,
  lost: readonly NotedSegment[],
  lostEnd: Sequence,
  seed: number,
): StreamEnd {
  let next = Math.max(note?.next ?? 1, lostEnd);
  let bytesSoFar = note?.bytesSoFar ?? 0;
  for (const { first, bytesBefore, size } of lost) {
    // Of a segment that was never noted, and is missing, nobody knows how many lines it had.
    next = Math.max(next, first + (size > 0 ? 1 : 0));
    bytesSoFar = Math.max(bytesSoFar, bytesBefore + size);
  }
  const content = newest && contents.get(newest);
  if (!newest || !content) return { next, bytesSoFar };
  const { lastEntry, rest } = content;
  const reached = lastEntry
    ? { next: lastEntry.last + 1, bytesSoFar: lastEntry.bytesSoFar }
    : { next: newest.first, bytesSoFar: newest.bytesBefore };
  const isAtEnd = reached.next >= next && reached.bytesSoFar >= bytesSoFar;
  const intact = intactEnd(newest, seed, lastEntry);
  if (isAtEnd && (rest.length === 0 || isTorn(rest, intact))) {
    if (rest.length > 0) truncateSync(newest.path, newest.size);
    return reached;
  }
  newest.seal();
  const damagedNext = endOfDamage(rest, reached.next, intact);
  if (damagedNext > reached.next) {
    reached.next = damagedNext;
    reached.bytesSoFar += rest.length;
  }
  return { next: Math.max(next, reached.next), bytesSoFar: Math.max(bytesSoFar, reached.bytesSoFar) };
}

/** The line behind those that bytes behind the last entry were, as far as anybody can tell. */
function endOfDamage(rest: Buffer, next: Sequence, intact: IntactEnd): Sequence {
  if (rest.length === 0 || isTorn(rest, intact)) return next;
  const damaged = parseEntry(rest, 0, 0, intact.bytesSoFar);
  const isPlausible = damaged?.first === next && damaged.end <= rest.length;
  return isPlausible ? damaged.last + 1 : next + 1;
}

function findLostRanges(
  segments: readonly Segment[],
  contents: ReadonlyMap<Segment, SegmentContent>,
  note: StreamNote | undefined,
  lost: readonly NotedSegment[],
  next: Sequence,
): SequenceRange[] {
  const starts = [...segments.map(({ first }) => first), ...lost.map(({ first }) => first), next];
  const nextStart = (after: Sequence): Sequence => Math.min(...starts.filter((start) => start > after), next);
  const ranges: SequenceRange[] = lost.map(({ first }) => [first, nextStart(first) - 1]);
  for (const [i, segment] of segments.entries()) {
    const content = contents.get(segment);
    if (!content) continue;
    const { lastEntry, unreadable } = content;
    for (const { after, before } of unreadable)
      if (before !== undefined) ranges.push([after === undefined ? segment.first : after + 1, before - 1]);
    const reached = lastEntry?.bytesSoFar ?? segment.bytesBefore;
    const following = segments[i + 1];
    const isCutOff = following ? following.bytesBefore > reached : segment.sealed;
    const from = lastEntry ? lastEntry.last + 1 : segment.first;
    if (isCutOff) ranges.push([from, nextStart(Math.max(segment.first, from - 1)) - 1]);
  }
  const firstKept = note?.first ?? 1;
  return mergeRanges(
    ranges
      .map(([first, last]): SequenceRange => [Math.max(first, firstKept), last])
      .filter(([first, last]) => first <= last),
  ).filter((range) => !isInsideOf(range, note?.cleared ?? []));
}

/** Is the first entry of a segment intact, and the one that its name says? */
function hasIntactStart(folder: string, found: FoundSegment, seed: number): boolean {
  if (found.size === 0) return true;
  const fd = openSync(join(folder, segmentFileName(found.first, found.bytesBefore)), 'r');
  try {
    for (let wanted = FIRST_READ_BYTES; ; ) {
      const bytes = Buffer.allocUnsafe(Math.min(wanted, found.size));
      const held = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
      const entry = parseEntry(held, 0, 0, found.bytesBefore);
      if (entry && entry.end <= held.length)
        return isNamedAfter(held, entry, found.first) && isIntact(held, entry, 0, seed);
      wanted = entry ? entry.end : found.size;
      if (held.length >= wanted || held.length < bytes.length || wanted > found.size) return false;
    }
  } finally {
    closeSync(fd);
  }
}
