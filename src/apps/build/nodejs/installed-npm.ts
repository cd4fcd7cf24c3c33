import { constants } from 'node:fs';
import { access, readFile, realpath } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';

/**
 * The version of the first npm on a PATH, as its package.json has it: to be asked, npm has to start, which takes more processor time than
 * all else that is done before packages are installed. Undefined when there is none, or it is a wrapper of something else's.
 */
export async function readNpmVersion(path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    // What is relative to the app may be anything.
    if (!isAbsolute(folder)) return undefined;
    const program = join(folder, 'npm');
    const isThere = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return readOwnVersion(program).catch(() => undefined);
  }
  return undefined;
}

/** `npm` is a link to `npm/bin/npm-cli.js`. */
async function readOwnVersion(program: string): Promise<string | undefined> {
  const file = join(dirname(await realpath(program)), '..', 'package.json');
  const { name, version } = JSON.parse(await readFile(file, 'utf8')) as { name?: unknown; version?: unknown };
  return name === 'npm' && typeof version === 'string' ? version : undefined;
}
