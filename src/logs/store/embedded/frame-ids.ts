import type { Database, RootDatabase } from 'lmdb';
import type { AppId, Sequence } from '../contract.ts';

/** How long a frame's name is remembered, at the least. */
export const FRAME_ID_TTL_MS = 10 * 60_000;

/** Where a frame's lines are. */
export interface FrameRange {
  readonly first: Sequence;
  readonly last: Sequence;
}

/**
 * Remembers which named frames were stored, so that one that is sent again isn't stored again. The names stand in the streams too:
 * what a process that died had not noted here is found there.
 */
export class FrameIdIndex {
  private readonly db: Database<FrameRange, [number, string, string]>;
  /** Frames on their way to the stream, or from there to LMDB: a copy that comes meanwhile waits for the first one. */
  private readonly pending = new Map<string, Promise<FrameRange>>();

  constructor(root: RootDatabase) {
    this.db = root.openDB<FrameRange, [number, string, string]>({ name: 'frames', encoding: 'msgpack' });
  }

  /** Where the frame's lines are, if it was stored; a promise while it is on its way. */
  find(app: AppId, frameId: string): FrameRange | Promise<FrameRange> | undefined {
    const period = currentPeriod();
    return (
      this.pending.get(app + frameId) ??
      this.db.get([period, app, frameId]) ??
      this.db.get([period - 1, app, frameId])
    );
  }

  /** The frame is on its way; when that fails, it never was. */
  addPending(app: AppId, frameId: string, stored: Promise<FrameRange>): void {
    const key = app + frameId;
    this.pending.set(key, stored);
    stored
      .then(
        (range) => this.db.put([currentPeriod(), app, frameId], range),
        () => true,
      )
      .then(
        () => this.pending.delete(key),
        () => {}, // LMDB can't take it: it is remembered here as long as this process runs
      );
  }

  /** A frame was found in the stream. */
  recover(app: AppId, frameId: string, range: FrameRange): void {
    if (this.find(app, frameId) === undefined) this.addPending(app, frameId, Promise.resolve(range));
  }

  /** Forgets frames of the periods before the last one. */
  removeExpired(): void {
    for (const key of this.db.getKeys({ end: [currentPeriod() - 1, '', ''] }))
      this.db.remove(key).catch(() => {}); // next time
  }
}

function currentPeriod(): number {
  return Math.floor(Date.now() / FRAME_ID_TTL_MS);
}
