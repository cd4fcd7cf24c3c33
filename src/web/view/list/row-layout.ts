/** Where every line of the window is in the list: its height measured, or estimated as long as nobody has seen it. */

import type { Line } from '../../stream/line.ts';
import { RowHeights } from './row-heights.ts';

export interface RowMetrics {
  /** Height of a row with one line of text, and of every further line of text, in pixels. */
  readonly rowHeight: number;
  readonly lineHeight: number;
  /** Characters in a row; 0 when long ones aren't wrapped. */
  readonly columns: number;
}

/** So many rows of a wrapped line are shown as long as it isn't unfolded; the style sheet says the same. */
export const FOLDED_ROWS = 5;
/** Browsers can't draw lists that are much higher than this. */
const LIST_HEIGHT_MAX = 12_000_000;

export class RowLayout {
  readonly heights = new RowHeights();
  private metrics: RowMetrics;
  private positions: number[] = [];

  constructor(metrics: RowMetrics) {
    this.metrics = metrics;
  }

  /** Takes over what has changed in the window; what stayed keeps its measured height. */
  update(lines: readonly Line[]): void {
    if (!this.updateIncrementally(lines)) this.rebuild(lines);
  }

  /** Begins again, with other metrics. */
  setMetrics(metrics: RowMetrics, lines: readonly Line[]): void {
    this.metrics = metrics;
    this.rebuild(lines);
  }

  /** Are there more lines than a list can be high? */
  get isTooHigh(): boolean {
    return this.heights.total > LIST_HEIGHT_MAX;
  }

  private updateIncrementally(lines: readonly Line[]): boolean {
    const { positions, heights } = this;
    if (positions.length === 0 || lines.length === 0) return false;
    const first = lines[0].at;
    const last = lines[lines.length - 1].at;
    const gone = lowerBound(positions, first);
    const kept = lowerBound(positions, last + 1) - gone;
    if (kept <= 0) return false;
    const start = positions[gone];
    const older = lowerBoundOfLine(lines, start);
    // Both have to agree on the stretch that they share.
    const end = older + kept;
    if (lines[older]?.at !== start || lines[end - 1]?.at !== positions[gone + kept - 1]) return false;
    if (positions.length > gone + kept) {
      heights.dropLast(positions.length - gone - kept);
      positions.length = gone + kept;
    }
    if (gone > 0) {
      heights.dropFirst(gone);
      this.positions = positions.slice(gone);
    }
    if (older > 0) {
      const added = lines.slice(0, older);
      heights.prepend(added.map((line) => this.estimateHeight(line)));
      this.positions = [...added.map(({ at }) => at), ...this.positions];
    }
    if (lines.length > end) {
      const added = lines.slice(end);
      heights.append(added.map((line) => this.estimateHeight(line)));
      for (const { at } of added) this.positions.push(at);
    }
    return true;
  }

  private rebuild(lines: readonly Line[]): void {
    this.heights.dropLast(this.heights.count);
    this.heights.append(lines.map((line) => this.estimateHeight(line)));
    this.positions = lines.map(({ at }) => at);
  }

  private estimateHeight({ message }: Line): number {
    const { rowHeight: row, lineHeight: line, columns } = this.metrics;
    if (columns === 0) return row;
    if (message.length <= columns && !message.includes('\n')) return row;
    let count = 0;
    for (const part of message.split('\n')) count += Math.max(1, Math.ceil(part.length / columns));
    return row + (Math.min(count, FOLDED_ROWS) - 1) * line;
  }
}

function lowerBound(sorted: readonly number[], wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lowerBoundOfLine(lines: readonly Line[], at: number): number {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].at < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
