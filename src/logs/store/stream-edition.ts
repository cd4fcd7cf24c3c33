/** Counts how often lines were deleted from a stream: with each time, what was copied or kept of it before is out of date. */
import type { AppId, RecordChange, Store, StoredRecord } from './contract.ts';

/** In the scope of no app: its changes are noticed by all processes. */
export const EDITION_PREFIX = 'edition/';

/** The key of a stream's edition, in the scope of no app. */
export function editionKey(app: AppId): string {
  return EDITION_PREFIX + app;
}

/** The editions of streams of which lines were deleted; of all others it is 0. @param records of the scope of no app */
export function readEditions(records: readonly StoredRecord[]): Map<AppId, number> {
  const own = records.filter(({ key }) => key.startsWith(EDITION_PREFIX));
  return new Map(own.map(({ key, value }) => [key.slice(EDITION_PREFIX.length) as AppId, value as number]));
}

/** See {@link readEditions}. */
export async function loadEditions(store: Store): Promise<Map<AppId, number>> {
  return readEditions(await store.list('', EDITION_PREFIX));
}

/** Counts one more. */
export async function countEdition(store: Store, app: AppId): Promise<void> {
  for (;;) {
    const before = await store.get<number>('', editionKey(app));
    const change: RecordChange = {
      key: editionKey(app),
      value: (before?.value ?? 0) + 1,
      ifVersion: before?.version ?? 0,
    };
    if (await store.transact('', [change])) return;
  }
}
