/** The data folder: is it writable, is there space. */
import { accessSync, closeSync, constants, openSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCode } from '../../common/errors.ts';
import { type CheckResult, resultsOf } from './check-result.ts';

/** With less than this, lines will be rejected soon. */
const LOW_SPACE_BYTES = 1_073_741_824;
/** With less than this they are rejected now: the store's own limit. */
const FULL_DISK_BYTES = 8 * 1_048_576;

const result = resultsOf('data folder');

/** Checks a data folder; a missing one is made by the first start. */
export function checkDataFolder(folder: string): CheckResult[] {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found) return [checkMissingFolder(folder)];
  if (!found.isDirectory())
    return [
      result('trouble', `${folder} is no folder: move it away, or choose another one with TAILRACE_DATA.`),
    ];
  const error = writeError(folder);
  if (error)
    return [
      result(
        'trouble',
        `${folder} can't be written (${error}): give it to the user that runs tailrace, or choose another one with TAILRACE_DATA.`,
      ),
    ];
  return [checkFreeSpace(folder), ...checkKeyPermissions(folder)];
}

function checkMissingFolder(folder: string): CheckResult {
  let parent = dirname(folder);
  while (!statSync(parent, { throwIfNoEntry: false }) && dirname(parent) !== parent) parent = dirname(parent);
  try {
    accessSync(parent, constants.W_OK);
    return result('ok', `${folder} will be made by the first start`);
  } catch {
    return result(
      'trouble',
      `${folder} isn't there and can't be made: ${parent} isn't writable. Choose another folder with TAILRACE_DATA.`,
    );
  }
}

/** Why nothing can be written there: tried, since permissions aren't enough (the disk may be mounted read-only). */
function writeError(folder: string): string | undefined {
  const file = join(folder, `doctor-${process.pid}`);
  try {
    closeSync(openSync(file, 'wx', 0o600));
    rmSync(file);
    return undefined;
  } catch (error) {
    return systemCode(error) || String(error);
  }
}

function checkFreeSpace(folder: string): CheckResult {
  const { bavail, bsize, ffree, files } = statfsSync(folder);
  const free = bavail * bsize;
  const text = `${folder}: ${(free / 1_073_741_824).toFixed(1)} GB free`;
  if (free < FULL_DISK_BYTES)
    return result('trouble', `${text}: the disk is full, and lines are refused. Make room.`);
  if (files > 0 && ffree === 0)
    return result('trouble', `${text}, but no inodes: delete files on that disk.`);
  if (free < LOW_SPACE_BYTES)
    return result(
      'concern',
      `${text}: make room, or hold less (TAILRACE_STREAM_BYTES, TAILRACE_STREAM_AGE).`,
    );
  return result('ok', `${text}, writable`);
}

/** The key gives all rights. */
function checkKeyPermissions(folder: string): CheckResult[] {
  const key = statSync(join(folder, 'key'), { throwIfNoEntry: false });
  if (!key || (key.mode & 0o077) === 0) return [];
  return [result('concern', `Others may read the API key ${join(folder, 'key')}: chmod 600 it.`)];
}
