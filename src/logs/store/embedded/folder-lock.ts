import { join } from 'node:path';
import { TailraceError } from '../../../common/errors.ts';
import { acquireProcessLock } from '../../../common/processes/process-lock.ts';

/**
 * Locks the data folder for this process: two processes that allocate sequences from their own
 * memory would overwrite each other's batches. Returns the function that unlocks it.
 * @throws TailraceError `data_folder` while a living process holds it.
 */
export function lockFolder(folder: string): () => void {
  const lock = acquireProcessLock(join(folder, 'lock'));
  if (typeof lock === 'function') return lock;
  throw new TailraceError(
    'data_folder',
    `The data folder ${folder} is in use by another tailrace (process ${lock.holderPid}): stop that one, or choose another folder with TAILRACE_DATA.`,
  );
}
