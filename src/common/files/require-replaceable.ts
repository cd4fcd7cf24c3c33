import { stat } from 'node:fs/promises';
import { TailraceError } from '../errors.ts';

/**
 * What is written beside its name and renamed when it is whole replaces what has the name. Of a file that is meant; a device, a FIFO or a
 * folder isn't to be replaced by one.
 * @param instead what to do when it is none: `name one with --output`
 * @throws TailraceError `invalid_params` when something else than a file has this name
 */
export async function requireReplaceable(file: string, instead: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found && !found.isFile()) throw new TailraceError('invalid_params', `${file} is no file: ${instead}.`);
}
