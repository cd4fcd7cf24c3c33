import type { RootDatabase } from 'lmdb';
import { FRAMES_DATABASE, type FrameKey, type FrameRange, sealedFrameKey } from './frame-ids.ts';
import { RECORDS_DATABASE } from './records.ts';
import { isLegacyValue, readLegacyValue, sealValue } from './sealed-value.ts';
import { FOLDER_FORMAT, FORMAT_DATABASE } from './store-file.ts';

/** Gives each value of a store of version 0.1 its checksum, in one transaction. */
export function upgradeStore(root: RootDatabase, format: number | undefined): void {
  if (format === FOLDER_FORMAT) return;
  const records = root.openDB<Buffer, [string, string]>({ name: RECORDS_DATABASE, encoding: 'binary' });
  const frames = root.openDB<Buffer, FrameKey>({ name: FRAMES_DATABASE, encoding: 'binary' });
  const formats = root.openDB<Buffer, string>({ name: FORMAT_DATABASE, encoding: 'binary' });
  if (format !== undefined) {
    // Since format 2 only the files beside it have changed.
    root.transactionSync(() => {
      formats.putSync(FORMAT_DATABASE, sealValue([FORMAT_DATABASE], FOLDER_FORMAT));
    });
    return;
  }
  const oldFrames = root.openDB<FrameRange, FrameKey>({ name: FRAMES_DATABASE, encoding: 'msgpack' });
  root.transactionSync(() => {
    for (const { key, value } of [...records.getRange()]) {
      const legacy = isLegacyValue(value) ? readLegacyValue(value) : undefined;
      if (legacy) records.putSync(key, sealValue([RECORDS_DATABASE, ...key], legacy.value));
    }
    for (const key of [...frames.getKeys()]) {
      const range = tryRead(() => oldFrames.get(key));
      if (range)
        frames.putSync(key, sealValue(sealedFrameKey(key), { first: range.first, last: range.last }));
      else frames.removeSync(key);
    }
    formats.putSync(FORMAT_DATABASE, sealValue([FORMAT_DATABASE], FOLDER_FORMAT));
  });
}

/** Frame ids are kept for minutes: one that can't be read is forgotten. */
function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
