/**
 * What `tailrace repair` does with the commit log. An intact one stays: the next start writes what is in it to segments. Of one that is
 * damaged, the intact batches are written to segments at once, so that what is missing is noted, and its numbers aren't given again.
 */

import { join } from 'node:path';
import { readIfExistsNow } from '../../../../common/files/read-if-exists.ts';
import type { AppId, Sequence } from '../../contract.ts';
import { type CommitFileContent, commitFileName, readCommitFile } from '../commit-log/commit-entry.ts';
import { COMMITS_FOLDER, commitFileNumbers } from '../commit-log/commit-log.ts';
import {
  type AllocatedBatch,
  checksumSeed,
  encodeFrameIdEntry,
  segmentFileName,
} from '../segments/entry-format.ts';
import {
  isInsideOf,
  mergeRanges,
  type NotedSegment,
  type SequenceRange,
  type StreamNote,
} from '../streams/stream-note.ts';
import type { StreamPlan } from './plan.ts';

/** A file of the commit log, as it is. */
export interface ExaminedCommitFile {
  readonly name: string;
  readonly bytes: number;
  readonly content: CommitFileContent;
}

/** A file of a stream that is made of batches in the commit log. */
export interface NewSegment {
  readonly name: string;
  readonly bytes: Buffer;
}

/** What becomes of an app's batches in the commit log. */
export interface CommitPlan {
  readonly app: AppId;
  readonly segments: readonly NewSegment[];
  /** Lines that are gone. */
  readonly lost: readonly SequenceRange[];
  /** What the stream has to be noted as. */
  readonly note: StreamNote;
}

/** Reads the files of the commit log, in their order. @param apps whose batches may be in them */
export function examineCommitLog(folder: string, apps: readonly AppId[]): ExaminedCommitFile[] {
  const commits = join(folder, COMMITS_FOLDER);
  return commitFileNumbers(commits).flatMap((number) => {
    const name = commitFileName(number);
    const bytes = readIfExistsNow(join(commits, name));
    return bytes ? [{ name, bytes: bytes.length, content: readCommitFile(bytes, apps) }] : [];
  });
}

/** Lines of an app that a start takes from the commit log when segments don't have them: none when a file of it is damaged. */
export function linesInCommits(files: readonly ExaminedCommitFile[], app: AppId): SequenceRange[] {
  if (files.some(({ content }) => content.damagedBytes > 0)) return [];
  return mergeRanges(batchesOf(files, app).map(({ stored }): SequenceRange => [stored.first, stored.last]));
}

/** What has to be done when one of the files is damaged; nothing otherwise. */
export function planCommits(
  files: readonly ExaminedCommitFile[],
  plans: readonly StreamPlan[],
): CommitPlan[] {
  if (files.every(({ content }) => content.damagedBytes === 0)) return [];
  return plans.flatMap(({ app, note }) => {
    if (!note) return []; // there is no such stream
    const plan = planApp(app, files, note);
    return plan.segments.length > 0 || plan.lost.length > 0 ? [plan] : [];
  });
}

/** The intact batches of an app, in order. */
function batchesOf(files: readonly ExaminedCommitFile[], app: AppId): AllocatedBatch[] {
  let batches: AllocatedBatch[] = [];
  for (const { content } of files) {
    if (content.dropped.has(app)) batches = [];
    batches.push(...(content.batches.get(app) ?? []));
  }
  return batches;
}

function planApp(app: AppId, files: readonly ExaminedCommitFile[], note: StreamNote): CommitPlan {
  let next: Sequence = note.next;
  let { bytesSoFar } = note;
  const lost: SequenceRange[] = [];
  const segments: NewSegment[] = [];
  const noted: NotedSegment[] = [...note.segments];
  let parts: Buffer[] = [];
  let start = { first: next, bytesBefore: bytesSoFar };
  const closeSegment = (): void => {
    if (parts.length === 0) return;
    const bytes = Buffer.concat(parts);
    segments.push({ name: segmentFileName(start.first, start.bytesBefore), bytes });
    noted.push({ ...start, size: bytes.length });
    parts = [];
  };
  for (const { stored, bytesSoFar: reached, frameId } of batchesOf(files, app)) {
    const bytesBefore = reached - stored.bytes.length;
    if (stored.first < next || bytesBefore < bytesSoFar) continue; // in a segment
    if (bytesBefore > bytesSoFar) {
      closeSegment();
      if (stored.first > next) lost.push([next, stored.first - 1]);
    }
    if (parts.length === 0) start = { first: stored.first, bytesBefore };
    if (frameId !== undefined) parts.push(encodeFrameIdEntry(frameId, checksumSeed(app)));
    parts.push(Buffer.from(stored.bytes));
    next = stored.last + 1;
    bytesSoFar = reached;
  }
  closeSegment();
  const damaged = files.flatMap(({ content }) => content.damaged.filter((one) => one.app === app));
  for (const { first, last, bytes } of damaged.sort((a, b) => a.first - b.first)) {
    if (first < next) continue;
    lost.push([next, last]);
    next = last + 1;
    bytesSoFar += bytes;
  }
  const gone = mergeRanges(lost).filter((range) => !isInsideOf(range, note.cleared ?? []));
  return {
    app,
    segments,
    lost: gone,
    note: {
      ...note,
      first: note.segments.length === 0 && noted.length > 0 ? noted[0].first : note.first,
      next,
      bytesSoFar,
      segments: noted,
      told: mergeRanges([...note.told, ...gone]),
      cleared: mergeRanges([...(note.cleared ?? []), ...gone]),
    },
  };
}
