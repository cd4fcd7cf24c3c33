/** Saved searches and alerts, kept as records. */
import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { RecordChange, Store } from '../../../../src/logs/store/contract.ts';
import {
  ALERT_PREFIX,
  ALERTS_SCOPE,
  type AlertRecord,
  PATTERN_PREFIX,
  type SavedSearch,
  SEARCH_PREFIX,
  STATE_PREFIX,
} from './alert-records.ts';

export const SEARCHES_MAX = 10_000;
export const ALERTS_MAX = 5_000;

export class AlertBook {
  private readonly records: Store;
  private readonly onChange: () => Promise<void>;
  private adding: Promise<void> = Promise.resolve();

  /** @param onChange resolves when what was changed is in effect */
  constructor(records: Store, onChange: () => Promise<void>) {
    this.records = records;
    this.onChange = onChange;
  }

  async searches(): Promise<SavedSearch[]> {
    return (await this.records.list<SavedSearch>(ALERTS_SCOPE, SEARCH_PREFIX)).map(({ value }) => value);
  }

  async alerts(): Promise<AlertRecord[]> {
    return (await this.records.list<AlertRecord>(ALERTS_SCOPE, ALERT_PREFIX)).map(({ value }) => value);
  }

  async findAlert(id: string): Promise<AlertRecord | undefined> {
    return (await this.records.get<AlertRecord>(ALERTS_SCOPE, ALERT_PREFIX + id))?.value;
  }

  /** @throws TailraceError `not_found` */
  async search(id: string): Promise<SavedSearch> {
    const found = await this.records.get<SavedSearch>(ALERTS_SCOPE, SEARCH_PREFIX + id);
    if (!found) throw new TailraceError('not_found', "Couldn't find that search.");
    return found.value;
  }

  /** @throws TailraceError `not_found` */
  async alert(id: string): Promise<AlertRecord> {
    const found = await this.findAlert(id);
    if (!found) throw new TailraceError('not_found', "Couldn't find that alert.");
    return found;
  }

  /** @throws TailraceError `conflict` when there are {@link SEARCHES_MAX} */
  async addSearch(settings: Omit<SavedSearch, 'id' | 'createdAt' | 'updatedAt'>): Promise<SavedSearch> {
    const now = new Date().toISOString();
    const search: SavedSearch = { ...settings, id: randomUUID(), createdAt: now, updatedAt: now };
    // No alert is on it yet.
    await this.add(SEARCH_PREFIX, search, SEARCHES_MAX, 'searches');
    return search;
  }

  /** @throws TailraceError `conflict` when there are {@link ALERTS_MAX} */
  async addAlert(settings: Omit<AlertRecord, 'id' | 'createdAt' | 'updatedAt'>): Promise<AlertRecord> {
    const now = new Date().toISOString();
    const alert: AlertRecord = { ...settings, id: randomUUID(), createdAt: now, updatedAt: now };
    await this.add(ALERT_PREFIX, alert, ALERTS_MAX, 'alerts');
    await this.onChange();
    return alert;
  }

  /** One after the other, so that no two take the last place. */
  private add(prefix: string, record: SavedSearch | AlertRecord, max: number, what: string): Promise<void> {
    const added = this.adding.then(async () => {
      const { length } = await this.records.list(ALERTS_SCOPE, prefix);
      if (length >= max) throw tooMany(max, what);
      await this.records.transact(ALERTS_SCOPE, [{ key: prefix + record.id, value: record, ifVersion: 0 }]);
    });
    this.adding = added.catch(() => undefined);
    return added;
  }

  async changeSearch(search: SavedSearch): Promise<SavedSearch> {
    const changed = { ...search, updatedAt: new Date().toISOString() };
    await this.write([{ key: SEARCH_PREFIX + search.id, value: changed }]);
    return changed;
  }

  async changeAlert(alert: AlertRecord): Promise<AlertRecord> {
    const changed = { ...alert, updatedAt: new Date().toISOString() };
    await this.write([{ key: ALERT_PREFIX + alert.id, value: changed }]);
    // When it is on again, it counts anew: nobody looked meanwhile. What it has learned stays.
    if (!alert.enabled)
      await this.records.transact(ALERTS_SCOPE, [{ key: STATE_PREFIX + alert.id, value: undefined }]);
    return changed;
  }

  /** @throws TailraceError `conflict` while there are alerts on it */
  async removeSearch(id: string): Promise<void> {
    const alerts = (await this.alerts()).filter(({ search }) => search === id);
    if (alerts.length > 0)
      throw new TailraceError(
        'conflict',
        `There are alerts on this search (${alerts[0].name}): remove them first.`,
      );
    await this.write([{ key: SEARCH_PREFIX + id, value: undefined }]);
  }

  /** With what it has counted. */
  async removeAlert(id: string): Promise<void> {
    await this.write([{ key: ALERT_PREFIX + id, value: undefined }]);
    // Nobody counts for it any more.
    const patterns = await this.records.list(ALERTS_SCOPE, `${PATTERN_PREFIX}${id}/`);
    await this.records.transact(ALERTS_SCOPE, [
      { key: STATE_PREFIX + id, value: undefined },
      ...patterns.map(({ key }) => ({ key, value: undefined })),
    ]);
  }

  private async write(changes: readonly RecordChange[]): Promise<void> {
    await this.records.transact(ALERTS_SCOPE, changes);
    await this.onChange();
  }
}

function tooMany(max: number, what: string): TailraceError {
  return new TailraceError(
    'conflict',
    `There are ${max} ${what} already, which is the most a viewer keeps: remove some first.`,
  );
}
