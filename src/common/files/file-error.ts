import { statfsSync } from 'node:fs';
import { systemCode, TailraceError } from '../errors.ts';

/** With less than this a disk is full: what doesn't fit is written as far as it goes. */
const FULL_BYTES = 1_048_576;

/** Is there no room for what is written? */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EFBIG', 'EDQUOT'].includes(systemCode(error));
}

/** What a file that can't be written fails with: where the disk is full, or a limit is reached, the refusal that says so; others as they are. */
export function fileError(error: unknown): unknown {
  return isDiskFull(error) ? diskFullError(error) : error;
}

/** The same for what a program fails with that was to write into a folder, and that may say anything. */
export function programFileError(folder: string, error: Error): Error {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < FULL_BYTES ? diskFullError(error) : error;
  } catch {
    return error; // there is no such folder any more
  }
}

function diskFullError(cause: unknown): TailraceError {
  return new TailraceError('store_full', "The server's disk is full: make space, and try again.", { cause });
}
