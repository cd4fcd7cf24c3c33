/**
 * The format of the data folder, where every version looks for it. Version 0.1 knows only that a folder with a file `journal-0` is none
 * of its own, and refuses it: it would take entries of today for the torn end of a stream, and cut them off.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfExistsNow } from '../../../../common/files/read-if-exists.ts';
import { FOLDER_FORMAT, newerFormat, StoreDamage } from './store-file.ts';

const MARKER_FILE = 'journal-0';
const MARKER_PATTERN = /^tailrace data folder, format (\d+)/;

/**
 * Checks that the folder isn't of another version.
 * @param format what the store says of itself; undefined before format 2
 * @throws Error when it is
 */
export function assertFormat(folder: string, format: number | undefined): void {
  const text = readMarker(folder);
  if (text === undefined) return;
  const marked = Number(MARKER_PATTERN.exec(text)?.[1] ?? Number.NaN);
  if (marked > FOLDER_FORMAT) throw new StoreDamage(newerFormat(folder));
  // A marker that can't be read is written anew; without a format in the store, it is the journal of the very first version.
  if (Number.isNaN(marked) && format === undefined)
    throw new Error('its streams were written by an earlier version of tailrace');
}

/** Marks the folder as one of this version. */
export function writeMarker(folder: string): void {
  const text = `tailrace data folder, format ${FOLDER_FORMAT}: earlier versions of tailrace can't read it, and refuse it because of this file.\n`;
  if (readMarker(folder) !== text) writeFileSync(join(folder, MARKER_FILE), text, { mode: 0o600 });
}

function readMarker(folder: string): string | undefined {
  return readIfExistsNow(join(folder, MARKER_FILE))?.toString();
}
