import { TailraceError } from '../../../../common/errors.ts';
import type { AppId, RecordChange, StoredRecord } from '../../contract.ts';
import { appOfRecord } from '../../record-app.ts';
import type { LmdbFile, LmdbTable } from './lmdb-file.ts';
import type { DiskSpaceGuard } from './lmdb-safety.ts';
import { RecordsByApp } from './records-by-app.ts';
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
/** Of scope and key: LMDB has so many for both. Names that somebody asks for may be longer, and throw from some kilobytes on. */
const KEY_BYTES_MAX = 1_978;
/** Of a character. */
const UTF8_BYTES_MAX = 3;

/** The small records in LMDB, under `[scope, key]`, each with a checksum. */
export class EmbeddedRecords {
  private readonly file: LmdbFile;
  private readonly table: LmdbTable<Buffer, [string, string]>;
  private readonly diskSpace: DiskSpaceGuard;
  /** Undefined until it is asked for, and after a transaction that failed. */
  private byApp: RecordsByApp | undefined;

  constructor(file: LmdbFile, diskSpace: DiskSpaceGuard) {
    this.file = file;
    this.diskSpace = diskSpace;
    this.table = file.table((root) => root.openDB({ name: RECORDS_DATABASE, encoding: 'binary' }));
  }

  /** @throws TailraceError `unavailable` when it is damaged */
  get<T>(scope: string, key: string): StoredRecord<T> | undefined {
    const stored = isTooLong(scope, key) ? undefined : this.table.get([scope, key]);
    if (!stored) return undefined;
    const { v, data } = openRecord(scope, key, stored);
    return { key, value: data as T, version: v };
  }

  /** @throws TailraceError `unavailable` when one is damaged */
  list<T>(scope: string, prefix: string): StoredRecord<T>[] {
    const found: StoredRecord<T>[] = [];
    if (isTooLong(scope, prefix)) return found;
    for (const { key, value } of this.table.entries({
      start: [scope, prefix],
      end: [scope, prefix + KEY_MAX],
    })) {
      const { v, data } = openRecord(scope, key[1], value);
      found.push({ key: key[1], value: data as T, version: v });
    }
    return found;
  }

  /** Records of no app that belong to this one. @throws TailraceError `unavailable` when one is damaged, or the disk can't be written */
  async listOfApp<T>(app: AppId, prefix: string): Promise<StoredRecord<T>[]> {
    // In a transaction: behind those that are under way.
    const byApp = this.byApp ?? (await this.indexed());
    return byApp.keysOf(app, prefix).flatMap((key) => {
      const record = this.get<T>('', key);
      return record && appOfRecord(record.value) === app ? [record] : [];
    });
  }

  /** All changes or none; resolves when they are durable. @throws TailraceError `unavailable` when one is damaged, `store_full` */
  async transact(scope: string, changes: readonly RecordChange[]): Promise<boolean> {
    try {
      return await this.file.write(() => this.change(scope, changes));
    } catch (error) {
      // It has changes that are in no record.
      this.byApp = undefined;
      throw error;
    }
  }

  private change(scope: string, changes: readonly RecordChange[]): Promise<boolean> {
    this.diskSpace.requireRoomForRecords();
    return this.table.db.transaction(() => this.make(scope, changes));
  }

  private make(scope: string, changes: readonly RecordChange[]): boolean {
    const { db } = this.table;
    const before = changes.map((change) => this.get(scope, change.key));
    const holds = changes.every(
      (change, i) => change.ifVersion === undefined || change.ifVersion === (before[i]?.version ?? 0),
    );
    if (!holds) return false;
    changes.forEach(({ key, value }, i) => {
      if (value === undefined) db.remove([scope, key]);
      else {
        const record: VersionedData = { v: (before[i]?.version ?? 0) + 1, data: value };
        db.put([scope, key], sealValue([RECORDS_DATABASE, scope, key], record));
      }
      if (scope === '') this.byApp?.change(key, before[i]?.value, value);
    });
    return true;
  }

  private async indexed(): Promise<RecordsByApp> {
    try {
      return await this.file.write(() => this.table.db.transaction(() => (this.byApp ??= this.indexByApp())));
    } catch (error) {
      // It is committed with what others write meanwhile, and may have seen that.
      this.byApp = undefined;
      throw await this.diskSpace.noteFailure(error);
    }
  }

  private indexByApp(): RecordsByApp {
    const index = new RecordsByApp();
    for (const { key, value } of this.table.entries({ start: ['', ''], end: ['', KEY_MAX] })) {
      const opened = unsealValue<VersionedData>([RECORDS_DATABASE, '', key[1]], value);
      if (opened) index.change(key[1], undefined, opened.value.data);
      else index.addUnreadable(key[1]);
    }
    return index;
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

/** Then no record is called that. */
function isTooLong(scope: string, key: string): boolean {
  return (
    scope.length + key.length > KEY_BYTES_MAX / UTF8_BYTES_MAX &&
    Buffer.byteLength(scope + key) > KEY_BYTES_MAX
  );
}
