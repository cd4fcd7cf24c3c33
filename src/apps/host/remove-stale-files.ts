/** Stale files of a server that died: nothing refers to them any more. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { namesInFolder } from '../../common/files/read-if-exists.ts';

/**
 * Removes archives of unfinished builds, slugs that no app has, and pushes that git hadn't accepted yet. To be called
 * before any of these are used.
 *
 * @param slugs the ids of all slugs that apps have
 */
export async function removeStaleFiles(folder: string, slugs: ReadonlySet<string>): Promise<void> {
  const remove = (...path: string[]) => rm(join(...path), { recursive: true, force: true, maxRetries: 3 });
  await remove(folder, 'uploads');
  const files = join(folder, 'host', 'slugs');
  for (const name of await namesInFolder(files))
    if (!slugs.has(name.replace(/\.tgz$/, ''))) await remove(files, name);
  const repositories = join(folder, 'repositories');
  for (const name of await namesInFolder(repositories)) {
    if (/\.\d+\.\d+$/.test(name)) await remove(repositories, name);
    const objects = join(repositories, name, 'objects');
    // Git keeps a push here until its hooks have accepted it.
    for (const incoming of (await namesInFolder(objects)).filter((entry) =>
      /^(tmp_objdir-)?incoming-/.test(entry),
    ))
      await remove(objects, incoming);
  }
}
