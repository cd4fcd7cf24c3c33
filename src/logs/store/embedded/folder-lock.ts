import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode, TailraceError } from '../../../common/errors.ts';

/**
 * Locks the data folder for this process: two processes that allocate sequences from their own
 * memory would overwrite each other's batches. Returns the function that unlocks it.
 * @throws TailraceError `data_folder` while a living process holds it.
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'lock');
  const mine = `${process.pid} ${processStartTime(process.pid)}\n`;
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
    if (Number(pid) > 0 && isAlive(Number(pid)) && processStartTime(Number(pid)) === (start ?? ''))
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** When a process started, in the system's own unit, or '' where that isn't known: a pid alone may be a new process. */
function processStartTime(pid: number): string {
  const stat = readIfExists(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
