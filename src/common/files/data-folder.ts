import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectory } from './make-directory.ts';

/** What a start has made of a data folder. */
export interface CreatedDataFolder {
  /** Removes the folder, and those above it, that didn't exist before, unless another server has it now: for a start that fails. */
  removeIfNew(): void;
}

/**
 * Makes the data folder, readable only by its owner, if there is none, and keeps it out of git: keys and lines are in it, and it often
 * lies in a project. What can't be made here fails where it is needed.
 */
export function createDataFolder(folder: string): CreatedDataFolder {
  const firstNew = firstMissing(folder);
  try {
    makeDirectory(folder, 0o700);
    writeFileSync(join(folder, '.gitignore'), '*\n', { flag: 'wx' });
  } catch {
    // It has one, or can't be written.
  }
  return {
    removeIfNew: () => {
      const isOthers = ['lock', 'server.json'].some((name) => existsSync(join(folder, name)));
      if (firstNew !== undefined && !isOthers) rmSync(firstNew, { recursive: true, force: true });
    },
  };
}

/** The uppermost folder of a path that doesn't exist. */
function firstMissing(folder: string): string | undefined {
  let missing: string | undefined;
  for (let path = folder; !existsSync(path); path = dirname(path)) {
    missing = path;
    if (dirname(path) === path) break;
  }
  return missing;
}
