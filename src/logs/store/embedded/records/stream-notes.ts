import type { AppId } from '../../contract.ts';
import type { StreamNote, StreamNotes } from '../streams/stream-note.ts';
import type { LmdbFile, LmdbTable } from './lmdb-file.ts';
import type { DiskSpaceGuard } from './lmdb-safety.ts';
import { sealValue, unsealValue } from './sealed-value.ts';

/** The database of notes: its key is an app's id. */
export const NOTES_DATABASE = 'streams';

/** The notes of streams in LMDB. */
export class EmbeddedStreamNotes implements StreamNotes {
  private readonly file: LmdbFile;
  private readonly diskSpace: DiskSpaceGuard;
  private readonly table: LmdbTable<Buffer, AppId>;

  constructor(file: LmdbFile, diskSpace: DiskSpaceGuard) {
    this.file = file;
    this.diskSpace = diskSpace;
    this.table = file.table((root) => root.openDB({ name: NOTES_DATABASE, encoding: 'binary' }));
  }

  get(app: AppId): StreamNote | undefined {
    const stored = this.table.get(app);
    return stored && unsealValue<StreamNote>([NOTES_DATABASE, app], stored)?.value;
  }

  async put(notes: ReadonlyMap<AppId, StreamNote>): Promise<void> {
    if (notes.size === 0) return;
    await this.write(() => {
      const { db } = this.table;
      return Promise.all(
        [...notes].map(([app, note]) => db.put(app, sealValue([NOTES_DATABASE, app], note))),
      );
    });
  }

  async remove(app: AppId): Promise<void> {
    await this.write(() => this.table.db.remove(app));
  }

  apps(): AppId[] {
    return this.table.keys();
  }

  private async write(work: () => Promise<unknown>): Promise<void> {
    try {
      await this.file.write(() => {
        this.diskSpace.requireRoomForRecords();
        return work();
      });
      await this.file.flushed();
    } catch (error) {
      throw await this.diskSpace.noteFailure(error);
    }
  }
}
