/** Counts how often lines were deleted from the middle of a stream: with each time, what was copied of it before is out of date. */
import type { RecordChange, StoredRecord } from './contract.ts';

/** In the scope of the stream's app. */
export const EDITION_KEY = 'stream-edition';

interface EditionRecord {
  readonly edition: number;
}

/** @param records all of the scope, or the one alone */
export function readEdition(records: readonly (StoredRecord | undefined)[]): number {
  const found = records.find((record) => record?.key === EDITION_KEY);
  return (found?.value as EditionRecord | undefined)?.edition ?? 0;
}

/** The change that counts one more. */
export function nextEdition(before: StoredRecord | undefined): RecordChange {
  const value: EditionRecord = { edition: readEdition([before]) + 1 };
  return { key: EDITION_KEY, value, ifVersion: before?.version ?? 0 };
}
