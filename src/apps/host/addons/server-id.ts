import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceFileNow } from '../../../common/files/replace-file.ts';

/** Where the local add-ons of a data folder are. */
export function addonFolder(dataFolder: string): string {
  return join(dataFolder, 'host', 'addons');
}

/**
 * What tells this data folder from those of other servers on the same store, for good: `AddonRecord.server`.
 *
 * @param addonsFolder the data of its add-ons; the id is in a file beside it
 * @returns undefined when it has none yet: nothing can belong to it
 */
export function findServerId(addonsFolder: string): string | undefined {
  try {
    return readFileSync(serverIdFile(addonsFolder), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** The same; made at the first call. */
export function requireServerId(addonsFolder: string): string {
  const known = findServerId(addonsFolder);
  if (known !== undefined) return known;
  const file = serverIdFile(addonsFolder);
  const id = randomUUID();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  replaceFileNow(file, `${id}\n`);
  return id;
}

function serverIdFile(addonsFolder: string): string {
  return `${addonsFolder}-server`;
}
