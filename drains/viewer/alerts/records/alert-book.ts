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
  /** How many records there are, by prefix, once that was asked. */
  private readonly counts = new Map<string, Promise<{ kept: number }>>();

  /** @param onChange resolves when what was changed is in effect */
  constructor(records: Store, onChange: () => Promise<void>) {
    this.records = records;
    this.onChange = onChange;
  }

  /** All that are kept, of all groups: who may see them is for the caller to say. In the order of their ids. */
  async searches(): Promise<SavedSearch[]> {
    return (await this.records.list<SavedSearch>(ALERTS_SCOPE, SEARCH_PREFIX)).map(({ value }) => value);
  }

  /** All alerts, also those that are off, in the order of their ids. */
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

  private async add(
    prefix: string,
    record: SavedSearch | AlertRecord,
    max: number,
    what: string,
  ): Promise<void> {
    const count = await this.countOf(prefix);
    if (count.kept >= max) throw tooMany(max, what);
    // Counted before it is written: no two take the last place.
    count.kept++;
    try {
      await this.records.transact(ALERTS_SCOPE, [{ key: prefix + record.id, value: record, ifVersion: 0 }]);
    } catch (error) {
      count.kept--;
      throw error;
    }
  }

  private countOf(prefix: string): Promise<{ kept: number }> {
    let count = this.counts.get(prefix);
    if (!count) {
      count = this.records.list(ALERTS_SCOPE, prefix).then(({ length }) => ({ kept: length }));
      this.counts.set(prefix, count);
      count.catch(() => this.counts.delete(prefix));
    }
    return count;
  }

  /** Puts a search in the place of the one with its id; its alerts are evaluated with it from then on. */
  async changeSearch(search: SavedSearch): Promise<SavedSearch> {
    const changed = { ...search, updatedAt: new Date().toISOString() };
    await this.write([{ key: SEARCH_PREFIX + search.id, value: changed }]);
    return changed;
  }

  /** Puts an alert in the place of the one with its id. One that is off forgets what it has counted. */
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
    this.counts.delete(SEARCH_PREFIX);
  }

  /** With what it has counted. */
  async removeAlert(id: string): Promise<void> {
    await this.write([{ key: ALERT_PREFIX + id, value: undefined }]);
    this.counts.delete(ALERT_PREFIX);
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
