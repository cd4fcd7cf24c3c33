import type { AppId, Sequence, Store } from '../../store/contract.ts';
import type { DrainRecord } from '../options/drain.ts';
import { type CursorRecord, cursorKey, type LossSpan } from './cursor-record.ts';

/** Somebody else works on the drain now: this process has to stop. */
export class Superseded extends Error {
  constructor() {
    super('another router works on this drain now');
    this.name = 'Superseded';
  }
}

/** What became of some lines. */
export interface Counts {
  readonly delivered?: number;
  readonly lost?: number;
  readonly withheld?: number;
}

/** A drain's cursor: what is durable, and what is not yet. Every write checks that nobody else wrote meanwhile. */
export class Progress {
  private readonly store: Store;
  private readonly app: AppId;
  private readonly key: string;
  private readonly fence: number;
  private readonly replay: DrainRecord['replay'];
  private version = 0;
  private saved: CursorRecord;
  private saving: Promise<void> = Promise.resolve();
  /** As it should be written. */
  cursor: CursorRecord;

  constructor(store: Store, drain: DrainRecord, fence: number) {
    this.store = store;
    this.app = drain.app;
    this.key = cursorKey(drain.id);
    this.fence = fence;
    this.replay = drain.replay;
    this.cursor = { after: drain.after, delivered: 0, lost: 0, fence };
    this.saved = this.cursor;
  }

  /** Reads the cursor, and makes it this process's own. */
  async load(): Promise<void> {
    const record = await this.store.get<CursorRecord>(this.app, this.key);
    if (record) {
      if (record.value.fence > this.fence) throw new Superseded();
      this.version = record.version;
      this.cursor = { ...record.value, fence: this.fence };
    }
    const { replay } = this;
    if (replay && this.cursor.replayed !== replay.id)
      this.cursor = {
        ...this.cursor,
        after: replay.after,
        upTo: undefined,
        storedAtMs: 0,
        replayed: replay.id,
      };
    await this.save();
  }

  /** Lines up to `after` are settled: accepted, withheld or lost. */
  settled(after: Sequence, counts: Counts, storedAtMs: number): void {
    const { cursor } = this;
    if (after <= cursor.after) return;
    const { delivered = 0, lost = 0, withheld = 0 } = counts;
    this.cursor = {
      ...cursor,
      after,
      upTo: undefined,
      storedAtMs: Math.max(storedAtMs, cursor.storedAtMs ?? 0),
      delivered: cursor.delivered + delivered,
      lost: cursor.lost + lost,
      withheld: (cursor.withheld ?? 0) + withheld,
    };
  }

  /** What the drain and the app's stream still have to be told of. */
  untold(forDrain: LossSpan | undefined, forApp: LossSpan | undefined): void {
    this.cursor = { ...this.cursor, forDrain, forApp };
  }

  /** The request that comes next covers lines up to here. */
  intend(upTo: Sequence): void {
    this.cursor = { ...this.cursor, upTo };
  }

  get dirty(): boolean {
    return this.saved !== this.cursor;
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
    const { cursor } = this;
    if (this.saved === cursor && this.version > 0) return;
    const change = { key: this.key, value: cursor, ifVersion: this.version };
    const made = await this.store.transact(this.app, [change], { quiet: true });
    if (!made) throw new Superseded();
    this.version++;
    this.saved = cursor;
  }
}
