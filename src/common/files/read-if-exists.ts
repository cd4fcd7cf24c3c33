import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { systemCode } from '../errors.ts';

/** A file's bytes; undefined when there is none. @throws the system's error when it can't be read */
export async function readIfExists(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    return undefinedIfMissing(error);
  }
}

/** The same as {@link readIfExists}, before it returns. */
export function readIfExistsNow(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    return undefinedIfMissing(error);
  }
}

/** The names in a folder; none when there is no such folder, or it can't be read. */
export async function namesInFolder(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

function undefinedIfMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}
