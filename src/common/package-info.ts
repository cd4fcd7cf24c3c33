/** The folder of this package, and its version: no other file may depend on where it was built to. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the package's package.json: the nearest one above the sources, or what was built of them. */
export const PACKAGE_ROOT: string = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

export const VERSION: string = String(
  JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')).version,
);

function findPackageRoot(folder: string): string {
  const parent = dirname(folder);
  return parent === folder || existsSync(join(folder, 'package.json')) ? folder : findPackageRoot(parent);
}
