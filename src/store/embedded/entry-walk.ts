/** Walks over the entries of a segment, looking only at their heads. */
import { readSync } from 'node:fs';
import { type Entry, readEntry } from './layout.ts';

/** Read at a time: many small entries, or the head of a large one. More than the longest name. */
const WINDOW_BYTES = 65_536;
/** Enough for the head of most single entries. */
const HEAD_BYTES = 128;

/** Where a walk starts: an offset in the segment, and how far the stream is there. */
export interface WalkStart {
  readonly offset: number;
  readonly bytesSoFar: number;
}

class EntryWalk {
  offset: number;
  private bytesSoFar: number;
  private window: Buffer = Buffer.alloc(0);
  private windowStart = 0;
  private readonly limit: number;

  constructor({ offset, bytesSoFar }: WalkStart, limit: number) {
    this.offset = offset;
    this.bytesSoFar = bytesSoFar;
    this.limit = limit;
  }

  /** The next entry; undefined when it isn't in the window, or at the end of what is whole. */
  next(): Entry | undefined {
    const at = this.offset - this.windowStart;
    if (at < 0 || at >= this.window.length) return undefined;
    const entry = readEntry(this.window, at, this.windowStart, this.bytesSoFar);
    if (!entry || entry.end > this.limit) return undefined;
    this.offset = entry.end;
    this.bytesSoFar = entry.bytesSoFar;
    return entry;
  }

  /** Gives it what the file holds from `offset` on. */
  feed(window: Buffer): void {
    this.window = window;
    this.windowStart = this.offset;
  }
}

/** One entry of an open file. */
export function entryAt(fd: number, start: WalkStart, limit: number): Entry | undefined {
  for (const bytes of [HEAD_BYTES, WINDOW_BYTES]) {
    const window = Buffer.allocUnsafe(bytes);
    const walk = new EntryWalk(start, limit);
    walk.feed(window.subarray(0, readSync(fd, window, 0, bytes, start.offset)));
    const entry = walk.next();
    if (entry) return entry;
  }
  return undefined;
}

/** Walks over all entries up to `limit` or the first that is broken; `read` gives up to so many bytes from an offset on. */
export async function visitEntries(
  read: (offset: number, bytes: number) => Promise<Buffer>,
  start: WalkStart,
  limit: number,
  visit: (entry: Entry) => void,
): Promise<void> {
  const walk = new EntryWalk(start, limit);
  for (;;) {
    walk.feed(await read(walk.offset, WINDOW_BYTES));
    let entry = walk.next();
    if (!entry) return;
    for (; entry; entry = walk.next()) visit(entry);
  }
}
