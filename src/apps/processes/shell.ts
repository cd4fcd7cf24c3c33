import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const DEFAULT_FOLDERS = ['/bin', '/usr/bin', '/usr/local/bin'];

/**
 * The shell that runs a Procfile's commands: `bash`, as on Heroku, or `sh` where there is none (Alpine).
 *
 * @param path the value of `$PATH`
 * @returns an absolute path
 */
export function findShell(path = ''): string {
  for (const folder of [...DEFAULT_FOLDERS, ...path.split(delimiter)]) {
    const candidate = join(folder, 'bash');
    if (folder.startsWith('/') && isExecutable(candidate)) return candidate;
  }
  return '/bin/sh';
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
