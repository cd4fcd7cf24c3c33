import { systemCode, TailraceError } from '../errors.ts';

/** Is there no room for what is written? */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EFBIG', 'EDQUOT'].includes(systemCode(error));
}

/** What a file that can't be written fails with: where the disk is full, or a limit is reached, the refusal that says so; others as they are. */
export function fileError(error: unknown): unknown {
  if (!isDiskFull(error)) return error;
  return new TailraceError('store_full', "The server's disk is full: make space, and try again.", {
    cause: error,
  });
}
