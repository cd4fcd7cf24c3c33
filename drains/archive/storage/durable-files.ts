/** File operations for durable writes that Node.js doesn't have. */

import { type FileHandle, open, stat } from 'node:fs/promises';
import { systemCode } from '../../../src/common/errors.ts';

/** Logs may hold secrets: the owner writes, the group reads, nobody else. */
export const FILE_MODE = 0o640;
export const FOLDER_MODE = 0o750;

/** A file's length, `undefined` when there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
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
