/**
 * Deletes lines from the segments of a stream: each segment that has some is written anew beside itself, as long as it was; when all of them are
 * on the disk, that is noted, and they take the places of the old ones. A start finishes what was noted, and removes what wasn't.
 */

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../../../common/errors.ts';
import { readIfExists } from '../../../../common/files/read-if-exists.ts';
import { TimeSlices } from '../../../../common/limits/turns.ts';
import type { AppId, Sequence, StoredBatch } from '../../contract.ts';
import { eraseLines, isHoled, type SegmentEntry, splitHoled, toStoredBatch } from './entry-format.ts';
import { scanBytes } from './entry-scan.ts';
import type { Segment } from './segment.ts';

/** Ends the name of a segment's new file, as long as it isn't in its place. */
const NEW_SUFFIX = '.erased';
/** Work on one batch after the other is interrupted after so long, in milliseconds. */
const SLICE_MS = 5;

/** What is noted of a deletion, in the store's own scope. */
export interface ErasureRecord {
  /** The files of these segments have all been written anew; undefined: not yet. */
  readonly files?: readonly string[];
}

/** Where that is noted; it resolves when it is on the disk. */
export interface ErasureJournal {
  put(app: AppId, record: ErasureRecord | undefined): Promise<void>;
}

export type PickLines = (batch: StoredBatch) => ReadonlySet<Sequence>;

/**
 * Writes the segment anew without the lines that are picked.
 * @returns how many lines that were; nothing is written for 0
 */
export async function eraseFromSegment(
  segment: Segment,
  seed: number,
  range: { readonly first: Sequence; readonly last: Sequence },
  pick: PickLines,
): Promise<number> {
  const bytes = await readIfExists(segment.path);
  if (!bytes) return 0;
  const entries: SegmentEntry[] = [];
  scanBytes(bytes.subarray(0, segment.size), segment.start, seed, {
    onEntry: (entry) => entries.push(entry),
    onDamage: () => {},
  });
  const slices = new TimeSlices(SLICE_MS);
  let erased = 0;
  for (const entry of entries) {
    if (entry.last < range.first || entry.first > range.last) continue;
    const batch = bytes.subarray(entry.batchStart, entry.end);
    const picked = new Set<Sequence>();
    for (const one of isHoled(batch) ? splitHoled(batch, entry) : [toStoredBatch(batch, entry)])
      if (one.count > 0) for (const sequence of pick(one)) picked.add(sequence);
    const { first, last } = range;
    const isDeleted = (sequence: Sequence): boolean =>
      sequence >= first && sequence <= last && picked.has(sequence);
    if (picked.size > 0) erased += eraseLines(batch, entry, seed, isDeleted);
    if (slices.isOver) await slices.next();
  }
  if (erased === 0) return 0;
  const handle = await open(segment.path + NEW_SUFFIX, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return erased;
}

/** Puts the new files of segments in their places, all in this turn of the event loop. */
export function replaceFiles(paths: readonly string[]): void {
  for (const path of paths) {
    if (!existsSync(path + NEW_SUFFIX)) continue;
    // Trimmed meanwhile: it doesn't come back.
    if (existsSync(path)) renameSync(path + NEW_SUFFIX, path);
    else rmSync(path + NEW_SUFFIX, { force: true });
  }
}

/** Removes new files that aren't in their places. */
export function removeNewFiles(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  for (const name of names) if (name.endsWith(NEW_SUFFIX)) rmSync(join(folder, name), { force: true });
}

/** Finishes a deletion that a process before this one has begun, or takes it back. */
export function finishErasure(folder: string, { files = [] }: ErasureRecord): void {
  replaceFiles(files.map((name) => join(folder, name)));
  removeNewFiles(folder);
}
