/** A service's folder: the files that its program reads, and the room that it has. */
import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../../../common/files/replace-file.ts';

/** With less than this a program can't write what it has to. */
const ROOM_MIN_BYTES = 1_048_576;

/**
 * Writes those that are new or have changed, each in one step: a program is started again on a full disk with the files that are there.
 * @throws what the file system says
 */
export async function writeServiceFiles(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = join(folder, name);
    if ((await readFile(file, 'utf8').catch(() => undefined)) === text) continue;
    // What a power cut leaves is compared, and written again.
    await replaceFile(file, text, { sync: false });
  }
}

/** @param lastLines what its program said last: a quota is a full disk, too */
export async function isFolderFull(folder: string, lastLines: readonly string[]): Promise<boolean> {
  if (lastLines.some((line) => /No space left on device|Disk quota exceeded|File too large/i.test(line)))
    return true;
  const { bavail, bsize } = await statfs(folder).catch(() => ({ bavail: 1, bsize: ROOM_MIN_BYTES }));
  return bavail * bsize < ROOM_MIN_BYTES;
}
