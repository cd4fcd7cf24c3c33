import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../../common/errors.ts';
import type { AppId, RecordChange, Sequence, Store } from '../../store/contract.ts';
import { DRAIN_PREFIX, type DrainRecord, renumberedDrain } from '../options/drain-record.ts';

/**
 * Behind a power cut ({@link Store.mayRepeatNumbers}): what is sent of lines that come from now on has other frame ids than what was sent of lines
 * that are gone, and is no repetition to receivers who know requests by them. To be called before lines are stored.
 * @throws TailraceError `unavailable`
 */
export async function renumberDrains(store: Store): Promise<void> {
  const id = randomUUID();
  const changes: RecordChange[] = [];
  for (const { key, value, version } of await store.list<DrainRecord>('', DRAIN_PREFIX)) {
    const last = await lastOf(store, value.app);
    if (last !== undefined)
      changes.push({ key, value: renumberedDrain(value, last, id), ifVersion: version });
  }
  if (changes.length > 0) await store.transact('', changes);
}

/** Undefined when the stream can't be used: nothing is sent of it, either. */
async function lastOf(store: Store, app: AppId): Promise<Sequence | undefined> {
  try {
    return (await store.bounds(app)).last;
  } catch (error) {
    if (error instanceof TailraceError) return undefined;
    throw error;
  }
}
