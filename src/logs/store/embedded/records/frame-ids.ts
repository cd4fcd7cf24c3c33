import type { AppId, Sequence } from '../../contract.ts';
import type { StoreClock } from '../store-clock.ts';
import type { LmdbFile, LmdbTable } from './lmdb-file.ts';
import type { DiskSpaceGuard } from './lmdb-safety.ts';
import { sealValue, unsealValue } from './sealed-value.ts';

/** The database of frame ids: its keys are period, app and id. */
export const FRAMES_DATABASE = 'frames';
/** How long a frame id is kept, at the least. */
const FRAME_ID_TTL_MS = 10 * 60_000;

export type FrameKey = [period: number, app: string, frameId: string];

/** Where a frame's lines are. */
export interface FrameRange {
  readonly first: Sequence;
  readonly last: Sequence;
}

/**
 * Deduplicates frames: an index of those that were stored, by their ids. The ids are in the streams too: those that a process that died
 * had not written here are found there.
 */
export class FrameIdIndex {
  private readonly file: LmdbFile;
  private readonly table: LmdbTable<Buffer, FrameKey>;
  /** Frames that are being written to the stream, or to LMDB: a duplicate that comes meanwhile waits for the first one. */
  private readonly pending = new Map<string, Promise<FrameRange>>();
  private readonly clock: StoreClock;
  private readonly diskSpace: DiskSpaceGuard;

  constructor(file: LmdbFile, clock: StoreClock, diskSpace: DiskSpaceGuard) {
    this.file = file;
    this.diskSpace = diskSpace;
    this.clock = clock;
    this.table = file.table((root) => root.openDB({ name: FRAMES_DATABASE, encoding: 'binary' }));
  }

  /** Where the frame's lines are, if it was stored; a promise while it is being written. */
  find(app: AppId, frameId: string): FrameRange | Promise<FrameRange> | undefined {
    const period = this.currentPeriod();
    return (
      this.pending.get(app + frameId) ??
      this.get([period, app, frameId]) ??
      this.get([period - 1, app, frameId])
    );
  }

  /** The frame is being written; when that fails, it was never stored. */
  addPending(app: AppId, frameId: string, stored: Promise<FrameRange>): void {
    const key = app + frameId;
    this.pending.set(key, stored);
    stored
      .then(
        (range) =>
          this.file.write(() => {
            this.diskSpace.requireRoomForRecords();
            const stored: FrameKey = [this.currentPeriod(), app, frameId];
            return this.table.db.put(stored, sealValue(sealedFrameKey(stored), range));
          }),
        () => true,
      )
      .then(
        () => this.pending.delete(key),
        // LMDB can't take it: it is kept here as long as this process runs.
        (error) => void this.diskSpace.noteFailure(error),
      );
  }

  /** One that is damaged was never stored: it comes again at most. */
  private get(key: FrameKey): FrameRange | undefined {
    const stored = this.table.get(key);
    return stored && unsealValue<FrameRange>(sealedFrameKey(key), stored)?.value;
  }

  /** A frame was found in the stream. */
  recover(app: AppId, frameId: string, range: FrameRange): void {
    if (this.find(app, frameId) === undefined) this.addPending(app, frameId, Promise.resolve(range));
  }

  /** Removes frames of the periods before the last one. */
  removeExpired(): void {
    const remove = async (): Promise<void> => {
      if (!this.diskSpace.hasRoomForRecords()) return;
      const keys = this.table.keys({ end: [this.currentPeriod() - 1, '', ''] });
      await Promise.all(keys.map((key) => this.table.db.remove(key)));
    };
    this.file.write(remove).catch((error) => void this.diskSpace.noteFailure(error)); // next time
  }

  private currentPeriod(): number {
    return Math.floor(this.clock.now() / FRAME_ID_TTL_MS);
  }
}

/** Its key as its checksum counts it. */
export function sealedFrameKey([period, app, frameId]: FrameKey): string[] {
  return [FRAMES_DATABASE, String(period), app, frameId];
}
