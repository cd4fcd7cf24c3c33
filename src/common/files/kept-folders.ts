/** Folders that are made whole or not at all, and are kept for whoever needs them next. */
import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Gives a folder that is finished its name. Where another has it already, somebody else was first: that one stays, and this one is removed.
 * @throws the system's error; the unfinished folder is there then
 */
export async function keepFolder(unfinished: string, folder: string): Promise<void> {
  try {
    await rename(unfinished, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    await rm(unfinished, { recursive: true, force: true });
  }
}

/**
 * Removes all folders in a folder but those that were changed last; whoever uses one says so with `utimes`.
 * @param isKept which names are meant, of all that are there
 * @throws the system's error
 */
export async function removeOldFolders(
  parent: string,
  countMax: number,
  isKept: (name: string) => boolean,
): Promise<void> {
  const names = (await readdir(parent)).filter(isKept);
  const dated = await Promise.all(
    names.map(async (name) => ({ name, usedMs: (await stat(join(parent, name))).mtimeMs })),
  );
  dated.sort((a, b) => b.usedMs - a.usedMs);
  for (const { name } of dated.slice(countMax))
    await rm(join(parent, name), { recursive: true, force: true });
}
