/** The part of the stream that the page holds: lines in order, each once, without a gap in what the filters let through. */
import type { Line } from './line.ts';

/** Lines that are held at the most: more is requested of the server again when somebody scrolls there. */
export const WINDOW_LINES_MAX = 150_000;
/** One in so many is evicted at once, so that not every new line moves all others. */
const EVICTED_SHARE = 15;

export class LineWindow {
  lines: Line[] = [];
  private readonly linesMax: number;

  /** @param linesMax more are evicted by {@link trimStart} and {@link trimEnd} */
  constructor(linesMax: number = WINDOW_LINES_MAX) {
    this.linesMax = linesMax;
  }

  get first(): Line | undefined {
    return this.lines[0];
  }

  get last(): Line | undefined {
    return this.lines.at(-1);
  }

  /** More lines would evict others. */
  get isFull(): boolean {
    return this.lines.length >= this.linesMax;
  }

  /** Adds newer lines, and gives those that weren't there yet. */
  append(lines: readonly Line[]): readonly Line[] {
    const last = this.last?.at ?? 0;
    const fresh = lines.length > 0 && lines[0].at > last ? lines : lines.filter(({ at }) => at > last);
    for (const line of fresh) this.lines.push(line);
    return fresh;
  }

  /** Adds older lines, and gives those that weren't there yet. */
  prepend(lines: readonly Line[]): readonly Line[] {
    const first = this.first?.at ?? Number.POSITIVE_INFINITY;
    const fresh = lines.filter(({ at }) => at < first);
    if (fresh.length > 0) this.lines = [...fresh, ...this.lines];
    return fresh;
  }

  /** Evicts the oldest when there are too many; gives how many. */
  trimStart(): number {
    const excess = this.excess;
    return excess > 0 ? this.dropFirst(excess) : 0;
  }

  /** Evicts the newest when there are too many; gives how many. */
  trimEnd(): number {
    const excess = this.excess;
    return excess > 0 ? this.dropLast(excess) : 0;
  }

  /** Evicts the oldest; gives how many, as {@link trimStart}. */
  dropFirst(count: number): number {
    this.lines = this.lines.slice(count);
    return count;
  }

  /** Evicts the newest; gives how many, as {@link trimEnd}. @param count at least 1 */
  dropLast(count: number): number {
    this.lines = this.lines.slice(0, -count);
    return count;
  }

  clear(): void {
    this.lines = [];
  }

  /** How many are evicted; 0 while there aren't too many. */
  private get excess(): number {
    const { length } = this.lines;
    return length > this.linesMax ? length - this.linesMax + Math.ceil(this.linesMax / EVICTED_SHARE) : 0;
  }

  /** How many lines are before a position. */
  countBefore(at: number): number {
    const index = this.indexOf(at);
    return index >= 0 && this.lines[index].at < at ? index + 1 : Math.max(0, index);
  }

  /** The index of the line at a position, or of the next one; the last one's when it is behind all. -1 when empty. */
  indexOf(at: number): number {
    let low = 0;
    let high = this.lines.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.lines[middle].at < at) low = middle + 1;
      else high = middle;
    }
    return high < 0 ? -1 : low;
  }
}
