import type { Database, RootDatabase } from 'lmdb';
import type { AppId, Sequence } from '../contract.ts';

/** How long a frame's name is remembered, at the least. */
export const FRAME_MEMORY_MS = 10 * 60_000;

interface Remembered {
  readonly first: Sequence;
  readonly last: Sequence;
}

/** Remembers which named frames were stored, so that one that is sent again isn't stored again. */
export class Frames {
  private readonly db: Database<Remembered, [number, string, string]>;
  /** Frames that are on their way, so that a copy that comes meanwhile waits for the first one. */
  private readonly underWay = new Map<string, Promise<Remembered>>();

  constructor(root: RootDatabase) {
    this.db = root.openDB<Remembered, [number, string, string]>({ name: 'frames', encoding: 'msgpack' });
  }

  /** Where the frame's lines are, if it was stored; a promise while it is on its way. */
  find(app: AppId, frameId: string): Remembered | Promise<Remembered> | undefined {
    const period = currentPeriod();
    return (
      this.underWay.get(app + frameId) ??
      this.db.get([period, app, frameId]) ??
      this.db.get([period - 1, app, frameId])
    );
  }

  /** Remembers a frame; in the same transaction as its batch when it is called in the same turn. */
  remember(app: AppId, frameId: string, where: Remembered, committed: Promise<unknown>): void {
    const name = app + frameId;
    this.db.put([currentPeriod(), app, frameId], where).catch(() => {}); // fails with its batch
    const arrival = committed.then(() => where);
    this.underWay.set(name, arrival);
    const over = () => this.underWay.delete(name);
    arrival.then(over, over);
  }

  /** Forgets frames of the periods before the last one. */
  forgetOld(): void {
    for (const key of this.db.getKeys({ end: [currentPeriod() - 1, '', ''] }))
      this.db.remove(key).catch(() => {}); // next time
  }
}

function currentPeriod(): number {
  return Math.floor(Date.now() / FRAME_MEMORY_MS);
}
