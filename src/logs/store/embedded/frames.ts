import type { Database, RootDatabase } from 'lmdb';
import type { AppId, Sequence } from '../contract.ts';

/** How long a frame's name is remembered, at the least. */
export const FRAME_MEMORY_MS = 10 * 60_000;

/** Where a frame's lines are. */
export interface FramePlace {
  readonly first: Sequence;
  readonly last: Sequence;
}

/**
 * Remembers which named frames were stored, so that one that is sent again isn't stored again. The names stand in the streams too:
 * what a process that died had not noted here is found there.
 */
export class Frames {
  private readonly db: Database<FramePlace, [number, string, string]>;
  /** Frames on their way to the stream, or from there to LMDB: a copy that comes meanwhile waits for the first one. */
  private readonly recent = new Map<string, Promise<FramePlace>>();

  constructor(root: RootDatabase) {
    this.db = root.openDB<FramePlace, [number, string, string]>({ name: 'frames', encoding: 'msgpack' });
  }

  /** Where the frame's lines are, if it was stored; a promise while it is on its way. */
  find(app: AppId, frameId: string): FramePlace | Promise<FramePlace> | undefined {
    const period = currentPeriod();
    return (
      this.recent.get(app + frameId) ??
      this.db.get([period, app, frameId]) ??
      this.db.get([period - 1, app, frameId])
    );
  }

  /** The frame is on its way; when that fails, it never was. */
  expect(app: AppId, frameId: string, arrival: Promise<FramePlace>): void {
    const key = app + frameId;
    this.recent.set(key, arrival);
    arrival
      .then(
        (place) => this.db.put([currentPeriod(), app, frameId], place),
        () => true,
      )
      .then(
        () => this.recent.delete(key),
        () => {}, // LMDB can't take it: it is remembered here as long as this process runs
      );
  }

  /** A frame was found in the stream. */
  found(app: AppId, frameId: string, place: FramePlace): void {
    if (this.find(app, frameId) === undefined) this.expect(app, frameId, Promise.resolve(place));
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
