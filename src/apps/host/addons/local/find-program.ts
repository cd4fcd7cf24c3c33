import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { shellQuote } from '../../../../common/text/shell-quote.ts';

/** What a shell starts for a program: the one that was found, also where this server's PATH doesn't lead. */
export function programWord(name: string): string {
  return shellQuote(findProgram(name) ?? name);
}

/** The path of a program; undefined when it isn't installed. */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/local/bin',
    '/usr/bin',
    '/bin',
    '/usr/sbin',
  ];
  return folders
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
