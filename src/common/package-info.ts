/** The folder of this package, and its version: no other file may depend on where it was built to. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const { folder, version } = findPackage(dirname(fileURLToPath(import.meta.url)));

/** The folder of the package's package.json: the nearest one with a version above the sources, or what was built of them. */
export const PACKAGE_ROOT: string = folder;

export const VERSION: string = version;

function findPackage(from: string): { folder: string; version: string } {
  const file = join(from, 'package.json');
  const parent = dirname(from);
  // The bundle's says only what kind of modules it has.
  const found = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined;
  if (found === undefined && parent !== from) return findPackage(parent);
  return { folder: from, version: String(found) };
}
