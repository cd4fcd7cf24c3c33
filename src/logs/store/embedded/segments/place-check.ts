import { fstatSync, statSync } from 'node:fs';
import type { FolderIdentity } from '../folder-identity.ts';

/** Whether everything is in its place is looked up no more often: it takes as long as some appends. */
const LOOK_INTERVAL_MS = 1;

/**
 * Is a file to which was written the one that the next start will find? Before anything is acknowledged: a file that was removed keeps
 * nothing.
 */
export class PlaceCheck {
  private readonly place: FolderIdentity;
  private lookedAtMs = 0;

  constructor(place: FolderIdentity) {
    this.place = place;
  }

  /**
   * @param nowMs on the clock of `performance.now()`
   * @param isOpenedNow the file was opened by its path for this write: then only the data folder may be another one
   */
  isInPlace(path: string, fd: number, nowMs: number, isOpenedNow = false): boolean {
    if (isOpenedNow) return this.place.checkWithin(LOOK_INTERVAL_MS) === undefined;
    const { nlink, ino, dev } = fstatSync(fd);
    let isInPlace = nlink > 0;
    if (isInPlace && nowMs - this.lookedAtMs > LOOK_INTERVAL_MS) {
      this.lookedAtMs = nowMs;
      const found = statSync(path, { throwIfNoEntry: false });
      isInPlace =
        found?.ino === ino && found.dev === dev && this.place.checkWithin(LOOK_INTERVAL_MS) === undefined;
    }
    // The next one is looked up.
    if (!isInPlace) this.lookedAtMs = 0;
    return isInPlace;
  }
}
