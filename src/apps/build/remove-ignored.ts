/**
 * `remove-ignored FOLDER`: removes from an app's source what its `.slugignore` names. A program of its own: some patterns take
 * forever, and then only one build waits, until it is stopped.
 */
import { rm } from 'node:fs/promises';
import { listTree, locate, readSlugIgnore } from './slugignore.ts';

async function removeIgnored(folder: string): Promise<void> {
  const { ignored } = await listTree(folder, await readSlugIgnore(folder));
  for (const path of ignored) await rm(locate(folder, path), { recursive: true });
}

void removeIgnored(process.argv[2]);
