/** The axis of counts, and bars as SVG paths on a grid of one unit a bucket. */
import { bucketCount, type HistogramCounts, totalOf } from '../../stream/counts/histogram-counts.ts';

/** The height that is drawn in; the browser stretches it. */
export const CHART_HEIGHT = 100;
/** What is there is seen, however little it is beside the rest. */
const BAR_HEIGHT_MIN = 3;
/** Between two bars, of a bucket's width. */
const BAR_GAP = 0.14;

export interface BarPaths {
  readonly errors: string;
  readonly warnings: string;
  readonly others: string;
}

/** The upper end of the axis for a highest count: 1, 2 or 5 times a power of ten, 4 at the least. */
export function niceMaximum(highest: number): number {
  if (highest <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(highest));
  const factor = [1, 2, 5, 10].find((one) => one * power >= highest) ?? 10;
  return factor * power;
}

/** The highest bucket's count. */
export function highestCount(counts: HistogramCounts): number {
  let highest = 0;
  for (let i = 0; i < bucketCount(counts); i++) highest = Math.max(highest, totalOf(counts, i));
  return highest;
}

/** Errors stand at the bottom, where they can be compared; then warnings, then everything else. */
export function barPaths(counts: HistogramCounts, maximum: number): BarPaths {
  const paths = { errors: '', warnings: '', others: '' };
  for (let i = 0; i < bucketCount(counts); i++) {
    let bottom = CHART_HEIGHT;
    for (const level of ['errors', 'warnings', 'others'] as const) {
      const count = counts[level][i];
      if (count === 0) continue;
      const height = Math.max(BAR_HEIGHT_MIN, (count / maximum) * CHART_HEIGHT);
      const top = Math.max(0, bottom - height);
      paths[level] += `M${i + BAR_GAP / 2} ${fixed(bottom)}V${fixed(top)}h${1 - BAR_GAP}V${fixed(bottom)}z`;
      bottom = top;
    }
  }
  return paths;
}

function fixed(number: number): string {
  return number.toFixed(2);
}
