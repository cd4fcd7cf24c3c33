/** What fired: a bounded list, newest last, that survives restarts. */
import { randomBytes } from 'node:crypto';
import type { RecordChange, Store } from '../../../../src/logs/store/contract.ts';
import { ALERTS_SCOPE, type AlertEvent, EVENT_PREFIX } from './alert-records.ts';

const EVENTS_MAX = 1_000;
const RANDOM_BYTES = 5;

export class AlertHistory {
  private readonly records: Store;
  /** Oldest first. */
  private readonly ids: string[];
  private lastMs = 0;

  private constructor(records: Store, ids: string[]) {
    this.records = records;
    this.ids = ids;
  }

  /** Opens it, with the events that somebody still has to be told of. */
  static async open(records: Store): Promise<{ history: AlertHistory; undelivered: AlertEvent[] }> {
    const kept = await records.list<AlertEvent>(ALERTS_SCOPE, EVENT_PREFIX);
    const history = new AlertHistory(
      records,
      kept.map(({ value }) => value.id),
    );
    const undelivered = kept
      .map(({ value }) => value)
      .filter(({ deliveries }) => deliveries.some(({ state }) => state === 'waiting'));
    return { history, undelivered };
  }

  /** An id that comes after those before it, also when the clock goes back. */
  newId(nowMs: number = Date.now()): string {
    const last = this.ids.at(-1);
    const lastMs = Math.max(this.lastMs, last === undefined ? 0 : Number.parseInt(last.slice(0, 9), 36));
    this.lastMs = Math.max(nowMs, lastMs + 1);
    return `${this.lastMs.toString(36).padStart(9, '0')}${randomBytes(RANDOM_BYTES).toString('hex')}`;
  }

  /** Changes that add events, and remove what is too old. */
  changesFor(events: readonly AlertEvent[]): RecordChange[] {
    const excess = Math.max(0, this.ids.length + events.length - EVENTS_MAX);
    return [
      ...events.map((event) => ({ key: EVENT_PREFIX + event.id, value: event })),
      ...this.ids.slice(0, excess).map((id) => ({ key: EVENT_PREFIX + id, value: undefined })),
    ];
  }

  /** The changes were made. */
  written(events: readonly AlertEvent[]): void {
    this.ids.push(...events.map(({ id }) => id));
    this.ids.splice(0, Math.max(0, this.ids.length - EVENTS_MAX));
  }

  async add(event: AlertEvent): Promise<void> {
    await this.records.transact(ALERTS_SCOPE, this.changesFor([event]), { quiet: true });
    this.written([event]);
  }

  /** Writes down how an event is on its way, unless it is too old to be kept. */
  async update(event: AlertEvent): Promise<void> {
    if (this.ids.includes(event.id))
      await this.records.transact(ALERTS_SCOPE, [{ key: EVENT_PREFIX + event.id, value: event }], {
        quiet: true,
      });
  }

  /** Newest first. */
  async list(): Promise<AlertEvent[]> {
    const kept = await this.records.list<AlertEvent>(ALERTS_SCOPE, EVENT_PREFIX);
    return kept.map(({ value }) => value).reverse();
  }
}
