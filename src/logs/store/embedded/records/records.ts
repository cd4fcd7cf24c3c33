import { TailraceError } from '../../../../common/errors.ts';
import type { RecordChange, StoredRecord } from '../../contract.ts';
import type { LmdbFile, LmdbTable } from './lmdb-file.ts';
import type { DiskSpaceGuard } from './lmdb-safety.ts';
import { recordName, sealValue, unsealValue } from './sealed-value.ts';

/** What is stored of a record: its version and its value. */
export interface VersionedData {
  readonly v: number;
  readonly data: unknown;
}

/** The scope of the embedded store's own records: no app's, and not moved to another store. */
export const STORE_SCOPE = 'store';

/** The database of records: its keys are scope and key. */
export const RECORDS_DATABASE = 'records';
/** Orders after every character that keys are made of. */
const KEY_MAX = '\uffff';

/** The small records in LMDB, under `[scope, key]`, each with a checksum. */
export class EmbeddedRecords {
  private readonly file: LmdbFile;
  private readonly table: LmdbTable<Buffer, [string, string]>;
  private readonly diskSpace: DiskSpaceGuard;

  constructor(file: LmdbFile, diskSpace: DiskSpaceGuard) {
    this.file = file;
    this.diskSpace = diskSpace;
    this.table = file.table((root) => root.openDB({ name: RECORDS_DATABASE, encoding: 'binary' }));
  }

  /** @throws TailraceError `unavailable` when it is damaged */
  get<T>(scope: string, key: string): StoredRecord<T> | undefined {
    const stored = this.table.get([scope, key]);
    if (!stored) return undefined;
    const { v, data } = openRecord(scope, key, stored);
    return { key, value: data as T, version: v };
  }

  /** @throws TailraceError `unavailable` when one is damaged */
  list<T>(scope: string, prefix: string): StoredRecord<T>[] {
    const found: StoredRecord<T>[] = [];
    for (const { key, value } of this.table.entries({
      start: [scope, prefix],
      end: [scope, prefix + KEY_MAX],
    })) {
      const { v, data } = openRecord(scope, key[1], value);
      found.push({ key: key[1], value: data as T, version: v });
    }
    return found;
  }

  /** All changes or none; resolves when they are durable. @throws TailraceError `unavailable` when one is damaged, `store_full` */
  async transact(scope: string, changes: readonly RecordChange[]): Promise<boolean> {
    return this.file.write(() => this.change(scope, changes));
  }

  private change(scope: string, changes: readonly RecordChange[]): Promise<boolean> {
    this.diskSpace.requireRoomForRecords();
    const { db } = this.table;
    return db.transaction(() => {
      const versions = changes.map((change) => this.get(scope, change.key)?.version ?? 0);
      const holds = changes.every(
        (change, i) => change.ifVersion === undefined || change.ifVersion === versions[i],
      );
      if (!holds) return false;
      changes.forEach((change, i) => {
        if (change.value === undefined) db.remove([scope, change.key]);
        else {
          const record: VersionedData = { v: versions[i] + 1, data: change.value };
          db.put([scope, change.key], sealValue([RECORDS_DATABASE, scope, change.key], record));
        }
      });
      return true;
    });
  }
}

function openRecord(scope: string, key: string, stored: Buffer): VersionedData {
  const opened = unsealValue<VersionedData>([RECORDS_DATABASE, scope, key], stored);
  if (!opened)
    throw new TailraceError(
      'unavailable',
      `The record ${recordName(scope, key)} in store.mdb is damaged: stop the server and run \`tailrace repair\`.`,
    );
  return opened.value;
}
