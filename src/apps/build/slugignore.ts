/** `.slugignore`: what is in an app's source but not in its slug, in the patterns of `.gitignore`. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ignore from 'ignore';
import { systemCode } from '../../common/errors.ts';

/** @param path from the top directory, one character a byte, as names need not be UTF-8 */
export type IsIgnored = (path: string, isDirectory: boolean) => boolean;

/** Paths from the top directory, one character a byte. */
export interface TreeListing {
  /** Files and directories; a directory before what is in it. */
  readonly kept: readonly string[];
  /** Files and directories, which stand for all that is in them. */
  readonly ignored: readonly string[];
}

/** @returns whether the patterns name a path whose directory they don't name */
export function parseSlugIgnore(text: string): IsIgnored {
  // Git's file names are case-sensitive, and git reads over a byte order mark.
  const patterns = ignore({ ignorecase: false }).add(text.replace(/^\ufeff/, ''));
  return (path, isDirectory) => {
    const name = Buffer.from(path, 'latin1').toString('utf8');
    return patterns.ignores(isDirectory ? `${name}/` : name);
  };
}

/** The patterns of a folder. Nothing is ignored if it has none. */
export async function readSlugIgnore(folder: string): Promise<IsIgnored> {
  try {
    return parseSlugIgnore(await readFile(join(folder, '.slugignore'), 'utf8'));
  } catch (error) {
    // A directory or a link to nowhere of that name has no patterns either.
    if (['ENOENT', 'EISDIR', 'ELOOP'].includes(systemCode(error))) return () => false;
    throw error;
  }
}

/** Divides what is in a folder. What is ignored isn't looked into, and links aren't followed. */
export async function listTree(folder: string, isIgnored: IsIgnored): Promise<TreeListing> {
  const kept: string[] = [];
  const ignored: string[] = [];
  const directories = [''];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    const at = locate(folder, directory);
    for (const entry of await readdir(at, { withFileTypes: true, encoding: 'latin1' })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (isIgnored(path, entry.isDirectory())) {
        ignored.push(path);
        continue;
      }
      kept.push(path);
      if (entry.isDirectory()) directories.push(path);
    }
  }
  return { kept, ignored };
}

/** Where a path of one character a byte is on the disk. */
export function locate(folder: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')]);
}
