import { randomUUID } from 'node:crypto';
import type { Store } from '../../store/contract.ts';
import { offsetsBehind } from '../../store/stream-positions.ts';
import { DRAIN_PREFIX, type DrainRecord, renumberedDrain } from '../options/drain-record.ts';

/**
 * Behind a power cut ({@link Store.repeatedEnds}) lines that come from now on have numbers of lines that are gone: they get other positions, for tails, and
 * what drains send of them has other frame ids, and is no repetition to receivers who know requests by them. To be called before lines are stored.
 * @throws TailraceError `unavailable`
 */
export async function renumberStreams(store: Store): Promise<void> {
  const ends = await store.repeatedEnds();
  if (ends) {
    const id = randomUUID();
    const drains = (await store.list<DrainRecord>('', DRAIN_PREFIX)).map(({ key, value }) => ({
      key,
      value: renumberedDrain(value, ends.get(value.app) ?? 0, id),
    }));
    const changes = [...(await offsetsBehind(store, ends)), ...drains];
    if (changes.length > 0) await store.transact('', changes);
  }
  await store.endsNoted();
}
