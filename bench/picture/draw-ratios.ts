/** Draws ratios as bars: SVG that follows the reader's light or dark theme. */
import { escapeHtml } from '../../src/common/text/escape-html.ts';
import type { Ratio } from './ratios.ts';

const WIDTH = 960;
const NAMES_WIDTH = 400;
const FIGURES_WIDTH = 110;
const ROW = 18;
const HEADING = 34;
const TOP = 44;
/** Both ends of the logarithmic axis. */
const [LEAST, MOST] = [0.05, 10];
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10];

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.heading { font-weight: 600 }
.quiet { fill: #59636e }
.grid { stroke: #d1d9e0 }
.one { stroke: #59636e }
.met { fill: #1a7f37 }
.missed { fill: #9a6700 }
.free { fill: #57606a }
.goal { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
.met { fill: #3fb950 } .missed { fill: #d29922 } .free { fill: #8b949e } .goal { stroke: #ff7b72 }
}`;

/** Where a ratio is on the axis, from its left end. */
function position(value: number): number {
  const inside = Math.min(MOST, Math.max(LEAST, value));
  return (Math.log(inside / LEAST) / Math.log(MOST / LEAST)) * (WIDTH - NAMES_WIDTH - FIGURES_WIDTH);
}

/** @param note one line on where the figures are from */
export function drawRatios(ratios: readonly Ratio[], note: string): string {
  const parts: string[] = [];
  let y = TOP;
  let table = '';
  for (const ratio of ratios) {
    if (ratio.table !== table) {
      table = ratio.table;
      y += HEADING;
      parts.push(text(0, y - 8, table, 'heading'));
    }
    parts.push(drawRow(ratio, y));
    y += ROW;
  }
  const bottom = y + 6;
  const grid = TICKS.map((tick) => {
    const x = (NAMES_WIDTH + position(tick)).toFixed(1);
    return `<line x1="${x}" x2="${x}" y1="${TOP}" y2="${bottom}" class="${tick === 1 ? 'one' : 'grid'}"/>${text(Number(x), TOP - 6, `${tick} ×`, 'quiet', 'middle')}`;
  });
  const title = 'Lines per CPU second, × the baseline named in each table (a red mark is the goal)';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 26}" role="img" aria-label="${escapeHtml(title)}">
<style>${STYLE}
</style>
${text(0, 16, title, 'heading')}
${grid.join('\n')}
${parts.join('\n')}
${text(0, bottom + 18, note, 'quiet')}
</svg>
`;
}

function drawRow({ name, value, goal }: Ratio, y: number): string {
  const state = goal === undefined ? 'free' : value >= goal ? 'met' : 'missed';
  const mark = (NAMES_WIDTH + position(goal ?? 0)).toFixed(1);
  return [
    text(NAMES_WIDTH - 10, y + 12, name, 'name', 'end'),
    `<rect x="${NAMES_WIDTH}" y="${y + 3}" width="${position(value).toFixed(1)}" height="${ROW - 6}" class="${state}"/>`,
    ...(goal === undefined
      ? []
      : [`<line x1="${mark}" x2="${mark}" y1="${y + 1}" y2="${y + ROW - 1}" class="goal"/>`]),
    text(WIDTH - FIGURES_WIDTH + 10, y + 12, figures(value, goal), 'figures'),
  ].join('');
}

function figures(value: number, goal: number | undefined): string {
  return goal === undefined ? value.toFixed(2) : `${value.toFixed(2)} of ${goal.toFixed(2)}`;
}

function text(x: number, y: number, content: string, kind: string, anchor = 'start'): string {
  return `<text x="${x}" y="${y}" class="${kind}" text-anchor="${anchor}">${escapeHtml(content)}</text>`;
}
