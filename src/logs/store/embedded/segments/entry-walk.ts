/** Walks over the entries of a segment, reading only their headers. */
import { readSync } from 'node:fs';
import { parseEntry, type SegmentEntry, type SegmentOffset } from './entry-format.ts';

/** Read at a time: many small entries, or the header of a large one. More than the longest frame id. */
const WINDOW_BYTES = 65_536;
/** Enough for the header of most single entries. */
const HEADER_BYTES = 128;

/** One entry of an open file; undefined when there is no complete one before `limit`. */
export function readEntryAt(
  fd: number,
  { offset, bytesSoFar }: SegmentOffset,
  limit: number,
): SegmentEntry | undefined {
  for (const bytes of [HEADER_BYTES, WINDOW_BYTES]) {
    const window = Buffer.allocUnsafe(bytes);
    const held = readSync(fd, window, 0, bytes, offset);
    const entry = parseEntry(window.subarray(0, held), 0, offset, bytesSoFar);
    if (entry && entry.end <= limit) return entry;
  }
  return undefined;
}

/** Walks over all entries up to `limit` or the first that is corrupt; `read` gives up to so many bytes from an offset on. */
export async function walkEntries(
  read: (offset: number, bytes: number) => Promise<Buffer>,
  { offset, bytesSoFar }: SegmentOffset,
  limit: number,
  visit: (entry: SegmentEntry) => void,
): Promise<void> {
  for (;;) {
    const window = await read(offset, WINDOW_BYTES);
    const windowStart = offset;
    while (offset - windowStart < window.length) {
      const entry = parseEntry(window, offset - windowStart, windowStart, bytesSoFar);
      if (!entry || entry.end > limit) break;
      visit(entry);
      offset = entry.end;
      ({ bytesSoFar } = entry);
    }
    if (offset === windowStart) return;
  }
}
