/** The data folder: can it be written, is there room, whose is it. */
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { systemCode } from '../../common/errors.ts';
import { about, type Finding } from './finding.ts';

/** With less than this lines are refused soon. */
const LITTLE_BYTES = 1_073_741_824;
/** With less than this they are refused now: what the store itself calls full. */
const FULL_BYTES = 8 * 1_048_576;

const finding = about('data folder');

/** Looks at a data folder; one that isn't there yet is made by the first start. */
export function dataFolder(folder: string): Finding[] {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found) return [whereToBe(folder)];
  if (!found.isDirectory())
    return [
      finding('trouble', `${folder} is no folder: move it away, or choose another one with TAILRACE_DATA.`),
    ];
  const refusal = writable(folder);
  if (refusal)
    return [
      finding(
        'trouble',
        `${folder} can't be written (${refusal}): give it to the user that runs tailrace, or choose another one with TAILRACE_DATA.`,
      ),
    ];
  return [room(folder), ...secrets(folder)];
}

/** The living process that holds the folder, by its lock; undefined when nobody does. */
export function holderOf(folder: string): number | undefined {
  let pid: number;
  try {
    pid = Number(readFileSync(join(folder, 'lock'), 'utf8').split(' ')[0]);
    if (pid > 0) process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM' ? pid! : undefined;
  }
  return pid > 0 ? pid : undefined;
}

function whereToBe(folder: string): Finding {
  let parent = dirname(folder);
  while (!statSync(parent, { throwIfNoEntry: false }) && dirname(parent) !== parent) parent = dirname(parent);
  try {
    accessSync(parent, constants.W_OK);
    return finding('ok', `${folder} will be made by the first start`);
  } catch {
    return finding(
      'trouble',
      `${folder} isn't there and can't be made: ${parent} isn't writable. Choose another folder with TAILRACE_DATA.`,
    );
  }
}

/** Why nothing can be written there: tried, since rights alone don't tell (a disk may be mounted read-only). */
function writable(folder: string): string | undefined {
  const file = join(folder, `doctor-${process.pid}`);
  try {
    closeSync(openSync(file, 'wx', 0o600));
    rmSync(file);
    return undefined;
  } catch (error) {
    return systemCode(error) || String(error);
  }
}

function room(folder: string): Finding {
  const { bavail, bsize, ffree, files } = statfsSync(folder);
  const free = bavail * bsize;
  const text = `${folder}: ${(free / 1_073_741_824).toFixed(1)} GB free`;
  if (free < FULL_BYTES)
    return finding('trouble', `${text}: the disk is full, and lines are refused. Make room.`);
  if (files > 0 && ffree === 0)
    return finding('trouble', `${text}, but no inodes: delete files on that disk.`);
  if (free < LITTLE_BYTES)
    return finding(
      'concern',
      `${text}: make room, or hold less (TAILRACE_STREAM_BYTES, TAILRACE_STREAM_AGE).`,
    );
  return finding('ok', `${text}, writable`);
}

/** The key lets whoever reads it do everything. */
function secrets(folder: string): Finding[] {
  const key = statSync(join(folder, 'key'), { throwIfNoEntry: false });
  if (!key || (key.mode & 0o077) === 0) return [];
  return [finding('concern', `Others may read the API key ${join(folder, 'key')}: chmod 600 it.`)];
}
