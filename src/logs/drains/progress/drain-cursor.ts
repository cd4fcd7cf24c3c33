import type { AppId, Sequence, Store } from '../../store/contract.ts';
import type { DrainRecord } from '../options/drain-record.ts';
import { type CursorRecord, cursorKey, type LossSpan } from './cursor-record.ts';

/** Somebody else works on the drain now: this process has to stop. */
export class FencedError extends Error {
  constructor() {
    super('another router works on this drain now');
    this.name = 'Superseded';
  }
}

/** What became of some lines. */
export interface SettledCounts {
  readonly delivered?: number;
  readonly lost?: number;
  readonly withheld?: number;
}

/** A drain's cursor: what is durable, and what is not yet. Every write checks that nobody else wrote meanwhile. */
export class DrainCursor {
  private readonly store: Store;
  private readonly app: AppId;
  private readonly key: string;
  private readonly fence: number;
  private readonly replay: DrainRecord['replay'];
  private recordVersion = 0;
  private savedRecord: CursorRecord;
  private saving: Promise<void> = Promise.resolve();
  /** As it should be written. */
  record: CursorRecord;

  constructor(store: Store, drain: DrainRecord, fence: number) {
    this.store = store;
    this.app = drain.app;
    this.key = cursorKey(drain.id);
    this.fence = fence;
    this.replay = drain.replay;
    this.record = { after: drain.after, delivered: 0, lost: 0, fence };
    this.savedRecord = this.record;
  }

  /** Reads the cursor, and makes it this process's own. */
  async load(): Promise<void> {
    const stored = await this.store.get<CursorRecord>(this.app, this.key);
    if (stored) {
      if (stored.value.fence > this.fence) throw new FencedError();
      this.recordVersion = stored.version;
      this.record = { ...stored.value, fence: this.fence };
    }
    const { replay } = this;
    if (replay && this.record.replayed !== replay.id)
      this.record = {
        ...this.record,
        after: replay.after,
        upTo: undefined,
        storedAtMs: 0,
        replayed: replay.id,
      };
    await this.save();
  }

  /** Lines up to `after` are settled: accepted, withheld or lost. */
  advance(after: Sequence, counts: SettledCounts, storedAtMs: number): void {
    const { record } = this;
    if (after <= record.after) return;
    const { delivered = 0, lost = 0, withheld = 0 } = counts;
    this.record = {
      ...record,
      after,
      upTo: undefined,
      storedAtMs: Math.max(storedAtMs, record.storedAtMs ?? 0),
      delivered: record.delivered + delivered,
      lost: record.lost + lost,
      withheld: (record.withheld ?? 0) + withheld,
    };
  }

  /** What the drain and the app's stream still have to be told of. */
  setPendingNotices(forDrain: LossSpan | undefined, forApp: LossSpan | undefined): void {
    this.record = { ...this.record, forDrain, forApp };
  }

  /** The request that comes next covers lines up to here. */
  markInFlight(upTo: Sequence): void {
    this.record = { ...this.record, upTo };
  }

  get isDirty(): boolean {
    return this.savedRecord !== this.record;
  }

  /**
   * Makes the cursor durable.
   * @throws Superseded when somebody else wrote it.
   */
  save(): Promise<void> {
    // One write after the other, each with the newest cursor.
    this.saving = this.saving.catch(() => {}).then(() => this.write());
    return this.saving;
  }

  private async write(): Promise<void> {
    const { record } = this;
    if (this.savedRecord === record && this.recordVersion > 0) return;
    const change = { key: this.key, value: record, ifVersion: this.recordVersion };
    const isWritten = await this.store.transact(this.app, [change], { quiet: true });
    if (!isWritten) throw new FencedError();
    this.recordVersion++;
    this.savedRecord = record;
  }
}
