import { cpSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { STORE_FILE } from '../../src/logs/store/embedded/records/store-file.ts';

const COPIES_MAX = 100;

/**
 * Copies the folder of an embedded store that is open to what its process would leave, were it killed now. A copy isn't made at one instant: one
 * during which a transaction was written is made again.
 * @param to a folder; what is in it is removed
 */
export function copyAsKilled(from: string, to: string): void {
  for (let i = 0; i < COPIES_MAX; i++) {
    rmSync(to, { recursive: true, force: true });
    cpSync(from, to, { recursive: true, filter: (path) => basename(path) !== 'lock' });
    if (readFileSync(join(from, STORE_FILE)).equals(readFileSync(join(to, STORE_FILE)))) return;
  }
  throw new Error(`${from} was written to during each of ${COPIES_MAX} copies`);
}
