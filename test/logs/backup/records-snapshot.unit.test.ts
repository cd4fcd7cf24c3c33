import { describe, expect, it } from 'vitest';
import { readRecordsAtOnce } from '../../../src/logs/backup/records-snapshot.ts';
import type { RecordListener, Store, StoredRecord } from '../../../src/logs/store/contract.ts';

type Records = Record<string, Record<string, unknown>>;

/** Records in memory that somebody changes each time they are read. */
function changingStore(records: Records, changeAfterRead: (scope: string, notify: RecordListener) => void) {
  const listeners = new Set<RecordListener>();
  return {
    list: async (scope: string) => {
      const read = Object.entries(records[scope] ?? {}).map(([key, value]) => ({ key, value, version: 1 }));
      changeAfterRead(scope, (...change) => {
        for (const listener of listeners) listener(...change);
      });
      return read as StoredRecord[];
    },
    watchRecords: (listener: RecordListener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    listeners,
  };
}

const scopesOf = (platform: readonly StoredRecord[]): string[] => platform.map(({ key }) => key);

describe('the records of a backup', () => {
  it('are read again until nothing has changed', async () => {
    const records: Records = { '': { shop: 1 }, shop: { release: 1 } };
    let changes = 0;
    const store = changingStore(records, (_scope, notify) => {
      if (changes === 30) return;
      changes += 1;
      records[''].shop = changes;
      records.shop.release = changes;
      notify('', []);
      notify('shop', []);
    });
    const read = await readRecordsAtOnce(store as unknown as Store, scopesOf);
    expect([...read].map(([scope, all]) => [scope, all.map(({ value }) => value)])).toEqual([
      ['', [30]],
      ['shop', [30]],
    ]);
    expect(store.listeners.size).toBe(0);
  });

  it.each([[''], ['shop']])(
    'are refused, and never left out, while "%s" changes all the time',
    async (scope) => {
      const store = changingStore({ '': { shop: 1 }, shop: { release: 1 } }, (_read, notify) =>
        notify(scope, []),
      );
      await expect(readRecordsAtOnce(store as unknown as Store, scopesOf)).rejects.toThrow(
        /changed so often now .*: back up again/,
      );
      expect(store.listeners.size).toBe(0);
    },
  );
});
