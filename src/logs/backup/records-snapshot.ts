/** Reads the records of many scopes as they were at one time, though others change them meanwhile. */
import { TailraceError } from '../../common/errors.ts';
import type { Store, StoredRecord } from '../store/contract.ts';

/** So often scopes that keep changing are read again: with Redis some seconds. */
const ROUNDS_MAX = 1_000;

export type RecordsByScope = ReadonlyMap<string, readonly StoredRecord[]>;

/**
 * Reads all records of the scope of no app and of those that are found there. What changes while it is read, is read again, with the scope
 * of no app: until nothing has changed. Records that are written quietly (cursors) are as they were when they were read.
 * @param scopesOf the other scopes
 * @throws TailraceError `unavailable` when something has changed each time
 */
export async function readRecordsAtOnce(
  store: Store,
  scopesOf: (platform: readonly StoredRecord[]) => readonly string[],
): Promise<RecordsByScope> {
  const found = new Map<string, readonly StoredRecord[]>();
  const changed = new Set<string>();
  const stop = store.watchRecords((scope) => changed.add(scope));
  try {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      changed.clear();
      const platform = await store.list('', '');
      const scopes = scopesOf(platform);
      for (const scope of found.keys()) if (!scopes.includes(scope)) found.delete(scope);
      found.set('', platform);
      for (const scope of scopes) if (!found.has(scope)) found.set(scope, await store.list(scope, ''));
      const known = [...changed].filter((scope) => scope === '' || found.has(scope));
      if (known.length === 0) return found;
      for (const scope of known) found.delete(scope);
    }
    throw new TailraceError(
      'unavailable',
      "Apps are changed so often now that they can't be read as they are at one time: back up again when less is changed.",
    );
  } finally {
    stop();
  }
}
