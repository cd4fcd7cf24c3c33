import { systemCode, TailraceError } from '../errors.ts';

/** What a file that can't be written fails with: where the disk is full, or a limit is reached, the refusal that says so; others as they are. */
export function fileError(error: unknown): unknown {
  const code = systemCode(error);
  if (code !== 'ENOSPC' && code !== 'EFBIG' && code !== 'EDQUOT') return error;
  return new TailraceError('store_full', "The server's disk is full: make space, and try again.", {
    cause: error,
  });
}
