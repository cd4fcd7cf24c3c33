import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode, TailraceError } from '../../../common/errors.ts';
import { isProcessRunning, ownStartTicks } from '../../../common/process-identity.ts';

/**
 * Locks the data folder for this process: two processes that allocate sequences from their own
 * memory would overwrite each other's batches. Returns the function that unlocks it.
 * @throws TailraceError `data_folder` while a living process holds it.
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'lock');
  const mine = `${process.pid} ${ownStartTicks()}\n`;
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(file, mine, { flag: 'wx', mode: 0o600 });
      return () => {
        if (readIfExists(file) === mine) rmSync(file, { force: true });
      };
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    const [pid, start] = readIfExists(file).trim().split(' ');
    if (isProcessRunning(Number(pid), start))
      throw new TailraceError(
        'data_folder',
        `The data folder ${folder} is in use by another tailrace (process ${pid}): stop that one, or choose another folder with TAILRACE_DATA.`,
      );
    rmSync(file, { force: true }); // left by a process that died
  }
  throw new TailraceError(
    'data_folder',
    `The data folder ${folder} can't be locked: remove ${file} and try again.`,
  );
}

function readIfExists(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
