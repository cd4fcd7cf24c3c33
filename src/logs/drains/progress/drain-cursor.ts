import type { AppId, Store } from '../../store/contract.ts';
import type { DrainRecord } from '../options/drain-record.ts';
import { type CursorRecord, cursorKey } from './cursor-record.ts';
import { CursorState, FencedError } from './cursor-state.ts';

/** Makes a drain's cursor durable. Every write checks that nobody else wrote meanwhile. */
export class DrainCursor {
  readonly state: CursorState;
  private readonly store: Store;
  private readonly app: AppId;
  private readonly key: string;
  private readonly fence: number;
  private readonly replay: DrainRecord['replay'];
  private recordVersion = 0;
  private saving: Promise<void> = Promise.resolve();

  constructor(store: Store, drain: DrainRecord, fence: number) {
    this.state = new CursorState({ after: drain.after, delivered: 0, lost: 0, fence });
    this.store = store;
    this.app = drain.app;
    this.key = cursorKey(drain.id);
    this.fence = fence;
    this.replay = drain.replay;
  }

  /**
   * Reads the cursor, and writes it under this router's fence.
   * @throws FencedError
   */
  async load(): Promise<void> {
    const stored = await this.store.get<CursorRecord>(this.app, this.key);
    if (stored) {
      if (stored.value.fence > this.fence) throw new FencedError();
      this.recordVersion = stored.version;
    }
    this.state.restore(stored?.value, this.fence, this.replay);
    await this.save();
  }

  /**
   * Makes the cursor durable.
   * @throws FencedError when somebody else wrote it.
   */
  save(): Promise<void> {
    // One write after the other, each with the newest cursor.
    this.saving = this.saving.catch(() => {}).then(() => this.write());
    return this.saving;
  }

  private async write(): Promise<void> {
    const { state } = this;
    const { record } = state;
    if (!state.isDirty && this.recordVersion > 0) return;
    const change = { key: this.key, value: record, ifVersion: this.recordVersion };
    const isWritten = await this.store.transact(this.app, [change], { quiet: true });
    if (!isWritten) throw new FencedError();
    this.recordVersion++;
    state.markSaved(record);
  }
}

/** The fence under which a drain's cursor was written last; 0 when it wasn't. A lease with it, or a lower one, can't write the cursor. */
export async function storedFence(store: Store, { app, id }: DrainRecord): Promise<number> {
  return (await store.get<CursorRecord>(app, cursorKey(id)))?.value.fence ?? 0;
}
