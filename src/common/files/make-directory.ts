import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemCode } from '../errors.ts';

/**
 * Makes a folder and its parents that don't exist. One by one: with `recursive`, Node.js 20 hangs at a
 * folder that exists and in which nothing can be made, but which answers ENOENT (`/proc`).
 * @param mode of each that is made
 * @returns whether it was made: false for one that was there
 * @throws the system's error when that can't be, or one with the folder in which nothing can be made
 */
export function makeDirectory(directory: string, mode = 0o777): boolean {
  if (isDirectory(directory)) return false;
  const failure = tryMakeDirectory(directory, mode);
  if (failure === undefined) return true;
  if (systemCode(failure) !== 'ENOENT') throw failure;
  const parent = dirname(directory);
  if (parent === directory) throw failure;
  if (existsSync(parent)) throw new Error(`no folder can be made in ${parent}`, { cause: failure });
  makeDirectory(parent, mode);
  const secondFailure = tryMakeDirectory(directory, mode);
  if (secondFailure !== undefined) throw secondFailure;
  return true;
}

/** Tries to make a folder; the error when there is none after that, whoever made it. */
function tryMakeDirectory(directory: string, mode: number): unknown {
  try {
    mkdirSync(directory, { mode });
    return undefined;
  } catch (error) {
    return isDirectory(directory) ? undefined : error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
