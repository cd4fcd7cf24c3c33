/** What a server that died in the middle of something left in its folder: nobody asks for it again. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes archives that were to be built, slugs that no app has, and what git hadn't taken yet. To be called before
 * anything of this is used.
 *
 * @param slugs the ids of all slugs that apps have
 */
export async function removeStaleFiles(folder: string, slugs: ReadonlySet<string>): Promise<void> {
  const remove = (...path: string[]) => rm(join(...path), { recursive: true, force: true, maxRetries: 3 });
  await remove(folder, 'uploads');
  const files = join(folder, 'host', 'slugs');
  for (const name of await readFolder(files))
    if (!slugs.has(name.replace(/\.tgz$/, ''))) await remove(files, name);
  const repositories = join(folder, 'repositories');
  for (const name of await readFolder(repositories)) {
    if (/\.\d+\.\d+$/.test(name)) await remove(repositories, name);
    const objects = join(repositories, name, 'objects');
    // Git keeps a push here until its hooks have agreed.
    for (const incoming of (await readFolder(objects)).filter((entry) =>
      /^(tmp_objdir-)?incoming-/.test(entry),
    ))
      await remove(objects, incoming);
  }
}

async function readFolder(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
