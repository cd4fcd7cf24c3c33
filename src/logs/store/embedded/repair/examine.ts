/** Reads every byte of the streams on the disk: what is intact, and what isn't. Changes nothing. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../../../../common/errors.ts';
import { readIfExists } from '../../../../common/files/read-if-exists.ts';
import type { AppId, Sequence } from '../../contract.ts';
import {
  bytesBeforeCandidate,
  checksumSeed,
  isIntact,
  isNamedAfter,
  parseEntry,
  parseSegmentFileName,
  type SegmentEntry,
  segmentFileName,
} from '../segments/entry-format.ts';
import { scanBytes } from '../segments/entry-scan.ts';
import { isTorn } from '../segments/torn-end.ts';

const APP_FOLDER_PATTERN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Entries of a segment without damage between them. */
export interface IntactRun {
  readonly first: Sequence;
  readonly last: Sequence;
  /** Bytes of the stream before and behind it. */
  readonly bytesBefore: number;
  readonly bytesSoFar: number;
  /** Where it is in the file. */
  readonly from: number;
  readonly to: number;
}

/** A file of a stream, as it is. */
export interface ExaminedSegment {
  /** The app in whose folder it is, and its name there. */
  readonly folder: AppId;
  readonly name: string;
  readonly bytes: number;
  /** Whose stream it is a part of, and what it has to be called; undefined when nothing of it is intact. */
  readonly owner: AppId | undefined;
  readonly properName: string | undefined;
  readonly runs: readonly IntactRun[];
  /** Bytes that are no intact entries. */
  readonly damagedBytes: number;
  /** The damage is behind the last entry, and looks as a killed process leaves it. */
  readonly isTorn: boolean;
}

/** Examines each segment, one after the other. @param apps whose segments may be in a folder of another one */
export async function* examineSegments(
  folder: string,
  apps: readonly AppId[],
): AsyncGenerator<ExaminedSegment> {
  for (const app of appFolders(folder)) {
    const names = readdirSync(join(folder, 'streams', app)).filter((name) => name.endsWith('.log'));
    for (const name of names.sort()) {
      const segment = await examineFile(folder, app, name, apps);
      if (segment) yield segment;
    }
  }
}

/** Examines a segment; undefined when it isn't there, or was trimmed by a server that runs. */
export async function examineFile(
  folder: string,
  app: AppId,
  name: string,
  apps: readonly AppId[],
): Promise<ExaminedSegment | undefined> {
  const path = join(folder, 'streams', app, name);
  const bytes = await readIfExists(path);
  // Before it's written over it has another name (`spare-files.ts`).
  return bytes && existsSync(path) ? examineSegment(app, name, bytes, apps) : undefined;
}

/** The apps that have a folder under `streams/`. */
export function appFolders(folder: string): AppId[] {
  try {
    const entries = readdirSync(join(folder, 'streams'), { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    return names.filter((name) => APP_FOLDER_PATTERN.test(name)).sort() as AppId[];
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error))) return [];
    throw error;
  }
}

function examineSegment(app: AppId, name: string, bytes: Buffer, apps: readonly AppId[]): ExaminedSegment {
  const named = parseSegmentFileName(name);
  const start = named && { first: named.first, bytesBefore: named.bytesBefore };
  const asNamed = start && scan(bytes, start.bytesBefore, checksumSeed(app), start.first);
  const isProper = bytes.length === 0 ? start !== undefined : asNamed?.isNamedRight === true;
  const identity = isProper ? undefined : identify(bytes, [app, ...apps.filter((other) => other !== app)]);
  const found = identity
    ? scan(bytes, identity.entry.bytesBefore, checksumSeed(identity.owner))
    : (asNamed ?? { runs: [], damagedBytes: bytes.length });
  const hasContent = found.runs.length > 0 || bytes.length === 0;
  const last = found.runs.at(-1);
  const rest = bytes.subarray(last?.to ?? 0);
  return {
    folder: app,
    name,
    bytes: bytes.length,
    owner: identity?.owner ?? (hasContent ? app : undefined),
    properName: identity
      ? segmentFileName(identity.entry.first, identity.entry.bytesBefore)
      : hasContent
        ? name
        : undefined,
    runs: found.runs,
    damagedBytes: found.damagedBytes,
    isTorn:
      rest.length > 0 &&
      rest.length === found.damagedBytes &&
      isTorn(rest, {
        offset: last?.to ?? 0,
        bytesSoFar: last?.bytesSoFar ?? start?.bytesBefore ?? 0,
        seed: checksumSeed(identity?.owner ?? app),
      }),
  };
}

/** Of which app the first entry is, whatever the file is called. Entries of version 0.1 don't say. */
function identify(bytes: Buffer, apps: readonly AppId[]): { owner: AppId; entry: SegmentEntry } | undefined {
  const bytesBefore = bytes.length > 0 ? bytesBeforeCandidate(bytes, 0, 0, 0) : undefined;
  const entry = bytesBefore === undefined ? undefined : parseEntry(bytes, 0, 0, bytesBefore);
  if (!entry || entry.end > bytes.length) return undefined;
  const owner = apps.find((app) => isIntact(bytes, entry, 0, checksumSeed(app)));
  return owner === undefined ? undefined : { owner, entry };
}

function scan(
  bytes: Buffer,
  bytesSoFar: number,
  seed: number,
  named = 0,
): { runs: IntactRun[]; damagedBytes: number; isNamedRight: boolean } {
  const runs: IntactRun[] = [];
  let isNamedRight = false;
  let damagedBytes = 0;
  let isContinued = false;
  scanBytes(bytes, { offset: 0, bytesSoFar }, seed, {
    onEntry: (entry) => {
      const run = runs.at(-1);
      if (entry.start === 0) isNamedRight = isNamedAfter(bytes, entry, named);
      const { first, last, bytesBefore, start, end } = entry;
      if (run && isContinued) runs[runs.length - 1] = { ...run, last, bytesSoFar: entry.bytesSoFar, to: end };
      else runs.push({ first, last, bytesBefore, bytesSoFar: entry.bytesSoFar, from: start, to: end });
      isContinued = true;
    },
    onDamage: (from, to) => {
      damagedBytes += to - from;
      isContinued = false;
    },
  });
  return { runs, damagedBytes, isNamedRight };
}
