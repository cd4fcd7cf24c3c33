import type { AppId, RecordChange, Store, StoredRecord } from '../../store/contract.ts';
import { type DrainRecord, drainKey } from '../options/drain-record.ts';
import { type CursorRecord, cursorKey } from './cursor-record.ts';
import { CursorState, FencedError } from './cursor-state.ts';

/**
 * Makes a drain's cursor durable. A write is refused when the record isn't the one that is known here; then its fence tells who
 * wrote it: another router, or this one, in a write whose answer was lost.
 */
export class DrainCursor {
  readonly state: CursorState;
  private readonly store: Store;
  private readonly app: AppId;
  private readonly drainId: string;
  private readonly key: string;
  private readonly fence: number;
  private readonly replay: DrainRecord['replay'];
  private recordVersion = 0;
  /** Was there none? It stays so until it is known that its drain is there, also when the store can't be asked meanwhile. */
  private isNew = false;
  /** It was removed: nothing is written any more. */
  private isGone = false;
  private saving: Promise<void> = Promise.resolve();

  constructor(store: Store, drain: DrainRecord, fence: number) {
    this.state = new CursorState({ after: drain.after, delivered: 0, lost: 0, fence });
    this.store = store;
    this.app = drain.app;
    this.drainId = drain.id;
    this.key = cursorKey(drain.id);
    this.fence = fence;
    this.replay = drain.replay;
  }

  /**
   * Reads the cursor, and writes it under this router's fence.
   * @throws FencedError when another router wrote it, or its drain is gone.
   */
  async load(): Promise<void> {
    do {
      const stored = await this.read();
      this.isNew ||= !stored;
      this.state.restore(stored?.value, this.fence, this.replay);
    } while (!(await this.tryWrite()));
    if (this.isNew) await this.removeUnlessDrained();
    this.isNew = false;
  }

  /**
   * A router may not have heard yet that a drain was removed, or everything. The drain's record goes first, and its cursor then: one that is new
   * and whose drain is there is removed with it, and nobody would remove any other.
   */
  private async removeUnlessDrained(): Promise<void> {
    if (await this.store.get<DrainRecord>('', drainKey(this.drainId))) return;
    const removal = { key: this.key, value: undefined, ifVersion: this.recordVersion };
    await this.store.transact(this.app, [removal], { quiet: true });
    throw new FencedError();
  }

  /**
   * Makes the cursor durable.
   * @param others records of the app that are written only with it: whoever doesn't have the drain any more writes none
   * @throws FencedError when another router wrote it, or it was removed.
   */
  save(others: readonly RecordChange[] = []): Promise<void> {
    // One write after the other, each with the newest cursor.
    this.saving = this.saving.catch(() => {}).then(() => this.write(others));
    return this.saving;
  }

  private async write(others: readonly RecordChange[]): Promise<void> {
    if (this.isGone) throw new FencedError();
    if (others.length === 0 && !this.state.isDirty && this.recordVersion > 0) return;
    while (!(await this.tryWrite(others)))
      // It was removed, with its drain, or with everything else: it must not be left behind.
      if (!(await this.read())) {
        this.isGone = true;
        throw new FencedError();
      }
  }

  /**
   * False when the record has another version than is known here. A failover must not take back which lines the request on its way has: they would
   * come again in another one.
   */
  private async tryWrite(others: readonly RecordChange[] = []): Promise<boolean> {
    const { record } = this.state;
    const change = { key: this.key, value: record, ifVersion: this.recordVersion };
    if (!(await this.store.transact(this.app, [change, ...others], { quiet: true, replicated: true })))
      return false;
    this.recordVersion++;
    this.state.markSaved(record);
    return true;
  }

  private async read(): Promise<StoredRecord<CursorRecord> | undefined> {
    const stored = await this.store.get<CursorRecord>(this.app, this.key);
    if (stored && stored.value.fence > this.fence) throw new FencedError();
    this.recordVersion = stored?.version ?? 0;
    return stored;
  }
}

/** The fence under which a drain's cursor was written last; 0 when it wasn't. A lease with it, or a lower one, can't write the cursor. */
export async function storedFence(store: Store, { app, id }: DrainRecord): Promise<number> {
  return (await store.get<CursorRecord>(app, cursorKey(id)))?.value.fence ?? 0;
}
