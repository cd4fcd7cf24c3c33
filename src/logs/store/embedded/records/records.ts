import type { Database, RootDatabase } from 'lmdb';
import type { RecordChange, StoredRecord } from '../../contract.ts';

interface Versioned {
  readonly v: number;
  readonly data: unknown;
}

/** The scope of the embedded store's own records: no app's, and not moved to another store. */
export const STORE_SCOPE = 'store';

/** Orders after every character that keys are made of. */
const KEY_MAX = '\uffff';

/** The small records in LMDB: JSON under `[scope, key]`. */
export class EmbeddedRecords {
  private readonly db: Database<Versioned, [string, string]>;

  constructor(root: RootDatabase) {
    this.db = root.openDB<Versioned, [string, string]>({ name: 'records', encoding: 'json' });
  }

  get<T>(scope: string, key: string): StoredRecord<T> | undefined {
    const found = this.db.get([scope, key]);
    return found && { key, value: found.data as T, version: found.v };
  }

  list<T>(scope: string, prefix: string): StoredRecord<T>[] {
    const found: StoredRecord<T>[] = [];
    for (const { key, value } of this.db.getRange({ start: [scope, prefix], end: [scope, prefix + KEY_MAX] }))
      found.push({ key: key[1], value: value.data as T, version: value.v });
    return found;
  }

  /** All changes or none; resolves when they are durable. */
  async transact(scope: string, changes: readonly RecordChange[]): Promise<boolean> {
    return this.db.transaction(() => {
      const versions = changes.map((change) => this.db.get([scope, change.key])?.v ?? 0);
      const holds = changes.every(
        (change, i) => change.ifVersion === undefined || change.ifVersion === versions[i],
      );
      if (!holds) return false;
      changes.forEach((change, i) => {
        if (change.value === undefined) this.db.remove([scope, change.key]);
        else this.db.put([scope, change.key], { v: versions[i] + 1, data: change.value });
      });
      return true;
    });
  }
}
