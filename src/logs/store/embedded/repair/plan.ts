/** What `tailrace repair` does with the segments of one app: decided from what they hold, and what was noted of them. */
import type { AppId, Sequence } from '../../contract.ts';
import { parseSegmentFileName, segmentFileName } from '../segments/entry-format.ts';
import {
  isInsideOf,
  mergeRanges,
  type NotedSegment,
  type SequenceRange,
  type StreamNote,
} from '../streams/stream-note.ts';
import type { ExaminedSegment, IntactRun } from './examine.ts';

/**
 * What becomes of a file: it stays; it gets its place (another name, or another app's folder); its intact runs become files of their own,
 * and it is set aside; it is set aside as a whole.
 */
export type SegmentStep =
  | { readonly kind: 'keep'; readonly segment: ExaminedSegment }
  | { readonly kind: 'move'; readonly segment: ExaminedSegment; readonly to: string }
  | { readonly kind: 'cut'; readonly segment: ExaminedSegment; readonly runs: readonly NamedRun[] }
  | { readonly kind: 'set-aside'; readonly segment: ExaminedSegment; readonly isCopy: boolean };

export interface NamedRun extends IntactRun {
  readonly name: string;
}

export interface StreamPlan {
  readonly app: AppId;
  readonly steps: readonly SegmentStep[];
  /** Lines that are gone, and weren't trimmed. */
  readonly lost: readonly SequenceRange[];
  /** What the stream has to be noted as; undefined when it holds nothing, and never did. */
  readonly note: StreamNote | undefined;
  readonly isChanged: boolean;
}

/**
 * @param segments all that belong to the app, wherever they are, and those in its folder that belong to nobody
 * @param inCommits lines in the commit log: the next start takes from it what is behind damage, if it has all up to the end
 */
export function planStream(
  app: AppId,
  segments: readonly ExaminedSegment[],
  note: StreamNote | undefined,
  inCommits: readonly SequenceRange[] = [],
): StreamPlan {
  const { kept, steps } = dropCopies(segments.filter(({ owner }) => owner === app));
  for (const segment of segments)
    if (segment.owner !== app) steps.push({ kind: 'set-aside', segment, isCopy: false });
  const lastRun = kept.flatMap(({ runs }) => runs).at(-1);
  const isEndIntact = (note?.next ?? 0) <= (lastRun?.last ?? 0) + 1;
  for (const segment of kept) {
    // What a killed process has left half written is cut off by the next start.
    const isTorn = segment === kept.at(-1) && segment.isTorn && isEndIntact;
    steps.push(stepFor(app, segment, isTorn));
  }
  const files = steps.flatMap(filesAfter).sort((a, b) => a.bytesBefore - b.bytesBefore);
  const end = Math.max(note?.next ?? 1, (lastRun?.last ?? 0) + 1);
  const lost = findLost(
    kept.flatMap(({ runs }) => runs),
    note,
  ).filter(([first]) => !isInsideOf([first, end - 1], inCommits));
  const isChanged = steps.some(({ kind }) => kind !== 'keep') || lost.length > 0;
  return { app, steps, lost, note: noteAfter(files, lastRun, lost, note), isChanged };
}

/** Of several files with the same lines the one with the most of them is kept; oldest first. */
function dropCopies(segments: readonly ExaminedSegment[]): { kept: ExaminedSegment[]; steps: SegmentStep[] } {
  const end = ({ runs }: ExaminedSegment): number => runs.at(-1)?.bytesSoFar ?? 0;
  const start = ({ runs, properName = '' }: ExaminedSegment): number =>
    runs[0]?.bytesBefore ?? parseSegmentFileName(properName)?.bytesBefore ?? 0;
  const isInPlace = ({ folder, owner, name, properName }: ExaminedSegment): number =>
    folder === owner && name === properName ? 1 : 0;
  const sorted = [...segments].sort(
    (a, b) => start(a) - start(b) || end(b) - end(a) || isInPlace(b) - isInPlace(a),
  );
  const kept: ExaminedSegment[] = [];
  const steps: SegmentStep[] = [];
  for (const segment of sorted) {
    const before = kept.at(-1);
    const isCopy =
      before !== undefined && (start(segment) < end(before) || segment.properName === before.properName);
    if (isCopy) steps.push({ kind: 'set-aside', segment, isCopy: true });
    else kept.push(segment);
  }
  return { kept, steps };
}

function stepFor(app: AppId, segment: ExaminedSegment, isTorn: boolean): SegmentStep {
  const { folder, name, properName = name, damagedBytes, runs } = segment;
  if (damagedBytes > 0 && !isTorn) {
    const named = runs.map((run) => ({ ...run, name: segmentFileName(run.first, run.bytesBefore) }));
    return { kind: 'cut', segment, runs: named };
  }
  return folder === app && name === properName
    ? { kind: 'keep', segment }
    : { kind: 'move', segment, to: properName };
}

/** The segments that there are after a step. */
function filesAfter(step: SegmentStep): NotedSegment[] {
  if (step.kind === 'set-aside') return [];
  if (step.kind === 'cut')
    return step.runs.map(({ first, bytesBefore, from, to }) => ({ first, bytesBefore, size: to - from }));
  const start = parseSegmentFileName(step.kind === 'move' ? step.to : step.segment.name);
  return start ? [{ ...start, size: step.segment.bytes }] : [];
}

/** Lines are lost where bytes are missing; numbers that are missing alone were never given to a line here. */
function findLost(runs: readonly IntactRun[], note: StreamNote | undefined): SequenceRange[] {
  const ranges: SequenceRange[] = [];
  let before: { last: Sequence; bytesSoFar: number } | undefined;
  if (note) {
    const starts = [...note.lost, ...note.segments].map(({ bytesBefore }) => bytesBefore);
    before = { last: note.first - 1, bytesSoFar: Math.min(...starts, note.bytesSoFar) };
  }
  for (const { first, last, bytesBefore, bytesSoFar } of runs) {
    if (before && bytesBefore > before.bytesSoFar) ranges.push([before.last + 1, first - 1]);
    before = { last, bytesSoFar };
  }
  if (note) ranges.push([(before?.last ?? note.first - 1) + 1, note.next - 1]);
  return mergeRanges(ranges.filter(([first, last]) => first <= last)).filter(
    (range) => !isInsideOf(range, note?.cleared ?? []),
  );
}

function noteAfter(
  segments: readonly NotedSegment[],
  lastRun: IntactRun | undefined,
  lost: readonly SequenceRange[],
  note: StreamNote | undefined,
): StreamNote | undefined {
  if (!note && segments.length === 0) return undefined;
  const next = Math.max(note?.next ?? 1, (lastRun?.last ?? 0) + 1);
  return {
    first: segments[0] ? Math.max(segments[0].first, note?.first ?? 0) : next,
    next,
    bytesSoFar: Math.max(note?.bytesSoFar ?? 0, lastRun?.bytesSoFar ?? 0),
    segments,
    lost: [],
    told: mergeRanges([...(note?.told ?? []), ...lost]),
    cleared: mergeRanges([...(note?.cleared ?? []), ...lost]),
  };
}
