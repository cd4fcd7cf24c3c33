/** What fired: a bounded list, newest last, that survives restarts. */
import { randomBytes } from 'node:crypto';
import type { RecordChange, Store } from '../../../../src/logs/store/contract.ts';
import { ALERTS_SCOPE, type AlertEvent, EVENT_PREFIX } from './alert-records.ts';

const EVENTS_MAX = 1_000;
/** With those of which somebody still has to be told, which stay. */
const EVENTS_WAITING_MAX = 20_000;
const RANDOM_BYTES = 5;

export class AlertHistory {
  private readonly records: Store;
  /** Oldest first. */
  private readonly ids: Set<string>;
  /** Of which somebody still has to be told. */
  private readonly waiting = new Set<string>();
  private lastId: string | undefined;
  private lastMs = 0;

  private constructor(records: Store, kept: readonly AlertEvent[]) {
    this.records = records;
    this.ids = new Set(kept.map(({ id }) => id));
    this.lastId = kept.at(-1)?.id;
    for (const event of kept) this.noteWaiting(event);
  }

  /** Opens it, with the events that somebody still has to be told of. */
  static async open(records: Store): Promise<{ history: AlertHistory; undelivered: AlertEvent[] }> {
    const kept = await records.list<AlertEvent>(ALERTS_SCOPE, EVENT_PREFIX);
    const events = kept.map(({ value }) => value);
    return { history: new AlertHistory(records, events), undelivered: events.filter(isWaiting) };
  }

  /** An id that comes after those before it, also when the clock goes back. */
  newId(): string {
    const last = this.lastId;
    const lastMs = Math.max(this.lastMs, last === undefined ? 0 : Number.parseInt(last.slice(0, 9), 36));
    this.lastMs = Math.max(Date.now(), lastMs + 1);
    return `${this.lastMs.toString(36).padStart(9, '0')}${randomBytes(RANDOM_BYTES).toString('hex')}`;
  }

  /** Changes that add events, and remove what is too old. */
  changesFor(events: readonly AlertEvent[]): RecordChange[] {
    return [
      ...events.map((event) => ({ key: EVENT_PREFIX + event.id, value: event })),
      ...this.excess(events.length).map((id) => ({ key: EVENT_PREFIX + id, value: undefined })),
    ];
  }

  /** The changes were made. */
  written(events: readonly AlertEvent[]): void {
    for (const id of this.excess(events.length)) {
      this.ids.delete(id);
      this.waiting.delete(id);
    }
    for (const event of events) {
      this.ids.add(event.id);
      this.lastId = event.id;
      this.noteWaiting(event);
    }
  }

  /** The oldest ones, when so many more come; those that are on their way to somebody only when there are far too many. */
  private excess(added: number): string[] {
    const excess = Math.max(0, this.ids.size + added - EVENTS_MAX);
    if (excess === 0) return [];
    const overflow = Math.max(0, this.ids.size + added - EVENTS_WAITING_MAX);
    const removed: string[] = [];
    let seen = 0;
    for (const id of this.ids) {
      if (removed.length >= excess) break;
      if (!this.waiting.has(id) || seen < overflow) removed.push(id);
      seen++;
    }
    return removed;
  }

  private noteWaiting(event: AlertEvent): void {
    if (isWaiting(event)) this.waiting.add(event.id);
    else this.waiting.delete(event.id);
  }

  /** Stores an event; the oldest go for it, except those that somebody has to be told of. */
  async add(event: AlertEvent): Promise<void> {
    await this.records.transact(ALERTS_SCOPE, this.changesFor([event]), { quiet: true });
    this.written([event]);
  }

  /** Writes down how an event is on its way, unless it is too old to be kept. */
  async update(event: AlertEvent): Promise<void> {
    if (!this.ids.has(event.id)) return;
    await this.records.transact(ALERTS_SCOPE, [{ key: EVENT_PREFIX + event.id, value: event }], {
      quiet: true,
    });
    this.noteWaiting(event);
  }

  /** Newest first. */
  async list(): Promise<AlertEvent[]> {
    const kept = await this.records.list<AlertEvent>(ALERTS_SCOPE, EVENT_PREFIX);
    return kept.map(({ value }) => value).reverse();
  }
}

function isWaiting({ deliveries }: AlertEvent): boolean {
  return deliveries.some(({ state }) => state === 'waiting');
}
