/** Entries that are kept one by one: counts up to this are exact to the millisecond. */
const EXACT_ENTRIES = 128;
/** Beyond, what is as close as this part of the window is one entry. */
const PART = 64;

/** How many matches there were in the last minutes: entries of a time and a count, oldest first, of bounded number. */
export class MatchWindow {
  private readonly lengthMs: number;
  /** Times and counts by turns: as it is kept. */
  private readonly entries: number[];
  private sum = 0;

  constructor(lengthMs: number, entries: readonly number[] = []) {
    this.lengthMs = lengthMs;
    this.entries = [...entries];
    for (let i = 1; i < entries.length; i += 2) this.sum += entries[i];
  }

  /** Adds matches of a time; times may come a little out of order. */
  add(atMs: number, count: number): void {
    const { entries } = this;
    this.sum += count;
    let at = entries.length;
    while (at > 0 && entries[at - 2] > atMs) at -= 2;
    const isClose =
      at > 0 && entries.length >= EXACT_ENTRIES * 2 && atMs - entries[at - 2] < this.lengthMs / PART;
    if (at > 0 && (entries[at - 2] === atMs || isClose)) entries[at - 1] += count;
    else entries.splice(at, 0, atMs, count);
  }

  /** Matches later than a window's length before a time; older ones are forgotten. */
  countAt(nowMs: number): number {
    const { entries, lengthMs } = this;
    let gone = 0;
    while (gone < entries.length && entries[gone] <= nowMs - lengthMs) {
      this.sum -= entries[gone + 1];
      gone += 2;
    }
    if (gone > 0) entries.splice(0, gone);
    return this.sum;
  }

  /** When the oldest match came that is remembered; undefined when there is none. */
  get oldestMs(): number | undefined {
    return this.entries[0];
  }

  /** Times and counts by turns, for the constructor. */
  toJSON(): readonly number[] {
    return this.entries;
  }
}
