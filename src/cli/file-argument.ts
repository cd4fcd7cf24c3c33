import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { systemCode, TailraceError } from '../common/errors.ts';

/**
 * What is in a file that an argument names; `-` is standard input. For what should stand neither in the list of processes nor in the
 * shell's history.
 *
 * @param what it should be, such as `a file of config vars`
 * @throws TailraceError `not_found` when it can't be read
 */
export async function readFileArgument(name: string, what: string): Promise<Buffer> {
  try {
    return name === '-' ? await buffer(process.stdin) : await readFile(name);
  } catch (error) {
    throw new TailraceError(
      'not_found',
      `${name} can't be read (${systemCode(error)}): name ${what}, or - for standard input.`,
    );
  }
}
