/** File operations for durable writes that Node.js doesn't have. */

import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Logs may hold secrets: the owner writes, the group reads, nobody else. */
export const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;

/** The code of an error of the system (`ENOENT`); undefined for errors of another kind. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Creates a folder and its missing parents; returns whether it was created. Step by step: with `recursive`, Node.js 20 never
 * returns for a parent in which nothing can be created, but which fails with ENOENT (`/proc`).
 */
export async function makeFolder(path: string): Promise<boolean> {
  const above = dirname(path);
  try {
    await mkdir(path, { mode: FOLDER_MODE });
    return true;
  } catch (error) {
    if (await isFolder(path)) return false;
    if (errorCode(error) !== 'ENOENT' || above === path) throw error;
  }
  await makeFolder(above);
  await mkdir(path, { mode: FOLDER_MODE }).catch((error) => {
    throw errorCode(error) === 'ENOENT' ? new Error(`${above} takes no folders`, { cause: error }) : error;
  });
  return true;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** A file's length, `undefined` when there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** write(2) may write less, above all when a disk fills up: then the next call has the error. */
export async function writeFully(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Cuts a file to so many bytes; with `fsync` the rest stays gone after a power failure, too. @throws the file system's error */
export async function truncateFile(path: string, length: number, fsync: boolean): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.truncate(length);
    if (fsync) await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file atomically; the caller syncs the folder. */
export async function replaceFile(path: string, bytes: Buffer, fsync: boolean): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const handle = await open(temporary, 'w', FILE_MODE);
    try {
      await writeFully(handle, bytes, 0);
      if (fsync) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
