import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from './errors.ts';

/**
 * Makes a folder and those above it that aren't there. Step by step: with `recursive`, Node.js 20 never comes back from a
 * folder that exists and in which nothing can be made, but which says ENOENT (`/proc`).
 * @param mode of each that is made
 * @throws the system's error when that can't be, or one that says where nothing can be made
 */
export function makeFolder(folder: string, mode = 0o777): void {
  const failure = attempt(folder, mode);
  if (failure === undefined) return;
  if (systemCode(failure) !== 'ENOENT') throw failure;
  const above = dirname(folder);
  if (above === folder) throw failure;
  if (existsSync(above)) throw new Error(`no folder can be made in ${above}`, { cause: failure });
  makeFolder(above, mode);
  const again = attempt(folder, mode);
  if (again !== undefined) throw again;
}

/** The error when there is no folder after this, whoever made it. */
function attempt(folder: string, mode: number): unknown {
  try {
    mkdirSync(folder, { mode });
    return undefined;
  } catch (error) {
    return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? undefined : error;
  }
}
