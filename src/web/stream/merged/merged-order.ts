/** Lines of several streams as one list: each gets a number of its own, and a number leads back to a place in every stream. */

/** So many numbers are remembered; what was before them can't be gone back to. */
const REMEMBERED_MAX = 400_000;
const FORGOTTEN = 50_000;

/** Where a line is from. */
export interface MergedEntry {
  readonly stream: number;
  /** Its position there. */
  readonly position: number;
}

/** Numbers grow with time from `start`; those before it go down as history is read. */
export class MergedOrder {
  /** Of the numbers from `first` on. */
  private streams: number[] = [];
  private positions: number[] = [];
  private first: number;
  private readonly newest: readonly number[];

  /**
   * @param start the number of the newest line now
   * @param newest positions of the streams' newest lines now; 0 of an empty one
   */
  constructor(start: number, newest: readonly number[]) {
    this.first = start + 1;
    this.newest = newest;
  }

  /** The number of the newest line. */
  get last(): number {
    return this.first + this.streams.length - 1;
  }

  /** Gives a line that comes the next number. */
  append({ stream, position }: MergedEntry): number {
    this.streams.push(stream);
    this.positions.push(position);
    if (this.streams.length > REMEMBERED_MAX) {
      this.streams = this.streams.slice(FORGOTTEN);
      this.positions = this.positions.slice(FORGOTTEN);
      this.first += FORGOTTEN;
    }
    return this.last;
  }

  /** Gives lines, oldest first, the numbers before one; the number of the first of them. */
  insertBefore(number: number, entries: readonly MergedEntry[]): number {
    const at = number - this.first;
    if (at < 0) return number - entries.length;
    const kept = Math.max(0, at - entries.length);
    this.streams = [
      ...this.streams.slice(0, kept),
      ...entries.map(({ stream }) => stream),
      ...this.streams.slice(at),
    ];
    this.positions = [
      ...this.positions.slice(0, kept),
      ...entries.map(({ position }) => position),
      ...this.positions.slice(at),
    ];
    this.first = Math.min(this.first, number - entries.length);
    return number - entries.length;
  }

  /** Forgets what is behind a number: it is read anew. */
  truncateAfter(number: number): void {
    const length = Math.max(0, number + 1 - this.first);
    if (length >= this.streams.length) return;
    this.streams.length = length;
    this.positions.length = length;
  }

  /** For each stream the position before which its lines are that come before a number; undefined when that is forgotten. */
  before(number: number): readonly number[] | undefined {
    if (number < this.first && this.streams.length > 0) return undefined;
    return this.edges(number).map(
      ({ below, above }, i) => above ?? (below === undefined ? this.newest[i] : below) + 1,
    );
  }

  /** For each stream the position of its last line up to a number. */
  upTo(number: number): readonly number[] {
    return this.edges(number + 1).map(
      ({ below, above }, i) => below ?? (above === undefined ? this.newest[i] : above - 1),
    );
  }

  /** Of each stream the nearest positions below a number, and from it on. */
  private edges(
    number: number,
  ): { readonly below: number | undefined; readonly above: number | undefined }[] {
    const found = this.newest.map(
      () => ({ below: undefined, above: undefined }) as { below?: number; above?: number },
    );
    const at = Math.max(0, Math.min(this.streams.length, number - this.first));
    for (let i = at - 1, missing = found.length; i >= 0 && missing > 0; i--) {
      const edge = found[this.streams[i]];
      if (edge.below !== undefined) continue;
      edge.below = this.positions[i];
      missing--;
    }
    for (let i = at, missing = found.length; i < this.streams.length && missing > 0; i++) {
      const edge = found[this.streams[i]];
      if (edge.above !== undefined) continue;
      edge.above = this.positions[i];
      missing--;
    }
    return found.map(({ below, above }) => ({ below, above }));
  }
}

/**
 * The newest lines of several streams by their times, oldest first; within a stream the order stays, whatever its clock says.
 * @param streams lines of each, oldest first
 */
export function mergeNewest<T extends { readonly ms: number }>(
  streams: readonly (readonly T[])[],
  count: number,
): { readonly stream: number; readonly line: T }[] {
  const merged: { readonly stream: number; readonly line: T }[] = [];
  const ends = streams.map((lines) => lines.length);
  const times = streams.map(() => Number.POSITIVE_INFINITY);
  while (merged.length < count) {
    let newest = -1;
    for (const [i, lines] of streams.entries()) {
      if (ends[i] === 0) continue;
      const { ms } = lines[ends[i] - 1];
      if (!Number.isNaN(ms)) times[i] = Math.min(times[i], ms);
      if (newest === -1 || times[i] > times[newest]) newest = i;
    }
    if (newest === -1) break;
    merged.push({ stream: newest, line: streams[newest][--ends[newest]] });
  }
  return merged.reverse();
}
