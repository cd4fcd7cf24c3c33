import { copyFileSync, linkSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../../../../src/common/errors.ts';
import { makeDirectory } from '../../../../src/common/files/make-directory.ts';
import { LIST_NAME } from './part-list.ts';
import { parsePartName, parseRemovedName } from './part-names.ts';

/** How a file says that an import is done. */
const DONE_SUFFIX = '.done';

/**
 * Gives the files of a stream further names in another folder of the same disk, where they stay as they are now, whatever becomes of the stream.
 * Parts aren't changed once they have their names; the list of them is copied.
 */
export function linkParts(folder: string, target: string): void {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  makeDirectory(target, 0o700);
  for (const name of names)
    if (name === LIST_NAME) copyFileSync(join(folder, name), join(target, name));
    else if (parsePartName(name) || parseRemovedName(name) !== undefined || name.endsWith(DONE_SUFFIX))
      linkOrCopy(join(folder, name), join(target, name));
}

/** Not every file system has links, and none over its edge. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'].includes(systemCode(error) ?? ''))
      throw error;
    copyFileSync(from, to);
  }
}
