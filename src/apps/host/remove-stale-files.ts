/** Stale files of a server that died: nothing refers to them any more. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { namesInFolder } from '../../common/files/read-if-exists.ts';

/** Of all apps: programs that builds have fetched. */
export const SHARED_CACHE = 'tools';

/**
 * Removes archives of unfinished builds, slugs that no app has, repositories and caches of apps that are gone, and pushes that git hadn't
 * accepted yet. To be called before any of these are used.
 *
 * @param apps the ids of all apps
 * @param slugs the ids of all slugs that they have
 */
export async function removeStaleFiles(
  folder: string,
  apps: ReadonlySet<string>,
  slugs: ReadonlySet<string>,
): Promise<void> {
  const remove = (...path: string[]) => rm(join(...path), { recursive: true, force: true, maxRetries: 3 });
  await remove(folder, 'uploads');
  const files = join(folder, 'host', 'slugs');
  for (const name of await namesInFolder(files))
    if (!slugs.has(name.replace(/\.tgz$/, ''))) await remove(files, name);
  const caches = join(folder, 'caches');
  for (const name of await namesInFolder(caches))
    if (name !== SHARED_CACHE && !apps.has(name)) await remove(caches, name);
  const repositories = join(folder, 'repositories');
  for (const name of await namesInFolder(repositories)) {
    // Of an app that was destroyed, or one that isn't made whole: `<id>.<uuid>`.
    if (!name.endsWith('.git') || !apps.has(name.slice(0, -4))) {
      await remove(repositories, name);
      continue;
    }
    const objects = join(repositories, name, 'objects');
    // Git keeps a push here until its hooks have accepted it.
    for (const incoming of (await namesInFolder(objects)).filter((entry) =>
      /^(tmp_objdir-)?incoming-/.test(entry),
    ))
      await remove(objects, incoming);
  }
}
