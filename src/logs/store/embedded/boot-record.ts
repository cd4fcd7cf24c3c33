/** Whether a power cut may have taken lines since it was last noted where the streams end. */
import type { StoreClockRecord } from './store-clock.ts';

/** What is noted when it is known where the streams end; also a record. */
export interface BootRecord {
  /** Which start of the machine it was; '' where that isn't known. */
  readonly bootId: string;
  /** `disk`: all that was stored since then was synced first. */
  readonly durability: 'process' | 'disk';
}

/** What is noted in the store of an earlier version, as its clock says; undefined in a new one. */
export function bootOfEarlierVersion(clock: StoreClockRecord | undefined): BootRecord | undefined {
  return clock && { bootId: clock.bootId, durability: 'process' };
}

/** May lines be gone that were stored since this was noted? */
export function mayHaveLostLines(noted: BootRecord | undefined, bootId: string): boolean {
  return noted?.durability === 'process' && !isSameBoot(noted, bootId);
}

/** What is to be noted when it is known where the streams end. */
export function bootToNote(noted: BootRecord | undefined, now: BootRecord): BootRecord {
  // Nothing is lost, whichever start it was.
  if (noted?.durability === 'disk' && now.durability === 'disk') return noted;
  // What was stored before on this start of the machine, and wasn't synced, may still be lost.
  return noted?.durability === 'process' && isSameBoot(noted, now.bootId) ? noted : now;
}

function isSameBoot(noted: BootRecord, bootId: string): boolean {
  return bootId !== '' && noted.bootId === bootId;
}
