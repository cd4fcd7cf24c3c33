import type { Store } from '../../../src/logs/store/contract.ts';
import { ARCHIVE_SCOPE } from './archiver.ts';
import type { RetentionPolicy } from './retention.ts';

/** What groups have set for themselves, as records. */
export class GroupRetention {
  private readonly records: Pick<Store, 'get' | 'transact'>;

  constructor(records: Pick<Store, 'get' | 'transact'>) {
    this.records = records;
  }

  /** Undefined: as it is for all. */
  async get(group: string): Promise<RetentionPolicy | undefined> {
    return (await this.records.get<RetentionPolicy>(ARCHIVE_SCOPE, keepKey(group)))?.value;
  }

  /** In the place of what was set; with neither an age nor bytes it is as it is for all. */
  async set(group: string, { ageMs, bytes }: RetentionPolicy): Promise<void> {
    const value = ageMs === undefined && bytes === undefined ? undefined : { ageMs, bytes };
    await this.records.transact(ARCHIVE_SCOPE, [{ key: keepKey(group), value }], { quiet: true });
  }
}

function keepKey(group: string): string {
  return `keep/${group}`;
}
