/** What a soak found: a table, and a plot of each series as SVG. */
import type { Point, Trend } from './trend.ts';

export interface Series {
  /** Of a file, too. */
  readonly name: string;
  readonly title: string;
  readonly unit: '' | 'MB' | 'ms' | 'lines/s';
  readonly points: readonly Point[];
}

export interface Finding {
  readonly series: Series;
  readonly trend: Trend;
  /** Undefined: it isn't judged, only shown. */
  readonly isGrowing: boolean | undefined;
}

export function toReport(heading: string, facts: readonly string[], findings: readonly Finding[]): string {
  const rows = findings.map(({ series, trend, isGrowing }) => [
    series.title,
    format(trend.firstQuarter),
    format(trend.lastQuarter),
    `${trend.perHour >= 0 ? '+' : ''}${format(trend.perHour)}`,
    series.unit,
    isGrowing === undefined ? '' : isGrowing ? '**grows**' : 'steady',
  ]);
  const columns = ['', 'first quarter', 'last quarter', 'an hour', 'unit', 'verdict'];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    `# ${heading}`,
    '',
    ...facts.map((fact) => `- ${fact}`),
    '',
    line(columns),
    '| --- | ---: | ---: | ---: | --- | --- |',
    ...rows.map(line),
    '',
    'Medians of the quarters; slopes by Theil–Sen, over all that was watched.',
    '',
    ...findings.map(({ series }) => `![${series.title}](${series.name}.svg)`),
    '',
  ].join('\n');
}

/** Three digits that say something. */
function format(value: number): string {
  if (Number.isNaN(value)) return '-';
  const size = Math.abs(value);
  return size >= 100
    ? Math.round(value).toLocaleString('en-US')
    : size >= 10
      ? value.toFixed(1)
      : value.toFixed(2);
}

const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 64;
const BOTTOM = 28;
const TOP = 26;
/** More points than this would be a large file for nothing to see. */
const PLOTTED_MAX = 360;

/** A line over time, from 0 up, readable on white and on black. */
export function toSvg({ title, unit, points }: Series): string {
  const step = Math.max(1, Math.ceil(points.length / PLOTTED_MAX));
  const shown = points.filter((_, i) => i % step === 0);
  const seconds = Math.max(1, points.at(-1)?.[0] ?? 1);
  const most = niceCeiling(Math.max(...shown.map(([, value]) => value), 0));
  const x = (at: number): string => (LEFT + (at / seconds) * (WIDTH - LEFT - 8)).toFixed(1);
  const y = (value: number): string =>
    (HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  const grid = [0, 0.5, 1].map(
    (share) =>
      `<line x1="${LEFT}" x2="${WIDTH - 8}" y1="${y(share * most)}" y2="${y(share * most)}" stroke="#8884"/>` +
      `<text x="${LEFT - 6}" y="${Number(y(share * most)) + 4}" text-anchor="end">${format(share * most)}</text>`,
  );
  const times = [0, 0.5, 1].map(
    (share) =>
      `<text x="${x(share * seconds)}" y="${HEIGHT - 8}" text-anchor="${['start', 'middle', 'end'][share * 2]}">${((share * seconds) / 60).toFixed(seconds < 600 ? 1 : 0)} min</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#888">`,
    `<text x="8" y="16" font-size="13">${title}${unit === '' ? '' : `, ${unit}`}</text>`,
    ...grid,
    ...times,
    `<polyline fill="none" stroke="#2a78c8" stroke-width="1.5" points="${shown.map(([at, value]) => `${x(at)},${y(value)}`).join(' ')}"/>`,
    '</svg>',
    '',
  ].join('\n');
}

/** 1, 2 or 5 and zeros. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((one) => one * power >= value) ?? 10);
}
