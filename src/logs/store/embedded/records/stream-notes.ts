import type { Database, RootDatabase } from 'lmdb';
import type { AppId } from '../../contract.ts';
import type { StreamNote, StreamNotes } from '../segments/stream-note.ts';
import type { DiskSpaceGuard } from './lmdb-safety.ts';
import { sealValue, unsealValue } from './sealed-value.ts';

/** The database of notes: its key is an app's id. */
export const NOTES_DATABASE = 'streams';

/** The notes of streams in LMDB. */
export class EmbeddedStreamNotes implements StreamNotes {
  private readonly root: RootDatabase;
  private readonly diskSpace: DiskSpaceGuard;
  private readonly db: Database<Buffer, AppId>;

  constructor(root: RootDatabase, diskSpace: DiskSpaceGuard) {
    this.root = root;
    this.diskSpace = diskSpace;
    this.db = root.openDB<Buffer, AppId>({ name: NOTES_DATABASE, encoding: 'binary' });
  }

  get(app: AppId): StreamNote | undefined {
    const stored = this.db.get(app);
    return stored && unsealValue<StreamNote>([NOTES_DATABASE, app], stored)?.value;
  }

  async put(notes: ReadonlyMap<AppId, StreamNote>): Promise<void> {
    if (notes.size === 0) return;
    this.diskSpace.requireRoomForRecords();
    await this.write(() =>
      Promise.all([...notes].map(([app, note]) => this.db.put(app, sealValue([NOTES_DATABASE, app], note)))),
    );
  }

  async remove(app: AppId): Promise<void> {
    this.diskSpace.requireRoomForRecords();
    await this.write(() => this.db.remove(app));
  }

  apps(): AppId[] {
    return [...this.db.getKeys()];
  }

  private async write(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      await this.root.flushed;
    } catch (error) {
      throw await this.diskSpace.noteFailure(error);
    }
  }
}
