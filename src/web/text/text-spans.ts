/** Text with styled ranges: what is drawn differently from where to where. */

export interface StyledRange {
  readonly from: number;
  readonly to: number;
  /** A class of the style sheet, or ''. */
  readonly className: string;
  /** A color that no class can name, such as `rgb(1 2 3)`. */
  readonly color?: string;
  readonly background?: string;
}

/** A stretch of text that is drawn in one way. */
export interface TextSpan {
  readonly text: string;
  readonly classNames: string;
  readonly color?: string;
  readonly background?: string;
}

/** Ranges beyond this many are left out: a message of nothing but ranges must not stop the page. */
const RANGES_MAX = 600;

/** Cuts a text into spans where ranges begin and end. Ranges may overlap; of two colors the later range's holds. */
export function splitIntoSpans(text: string, ranges: readonly StyledRange[]): TextSpan[] {
  if (ranges.length === 0) return text === '' ? [] : [{ text, classNames: '' }];
  const used = ranges.slice(0, RANGES_MAX);
  const edges = new Set([0, text.length]);
  for (const { from, to } of used) {
    edges.add(Math.min(from, text.length));
    edges.add(Math.min(to, text.length));
  }
  const sorted = [...edges].sort((a, b) => a - b);
  const spans: TextSpan[] = [];
  const active = new Set<StyledRange>();
  const byStart = [...used].sort((a, b) => a.from - b.from);
  let next = 0;
  for (let i = 0; i + 1 < sorted.length; i++) {
    const from = sorted[i];
    for (const range of active) if (range.to <= from) active.delete(range);
    for (; next < byStart.length && byStart[next].from <= from; next++)
      if (byStart[next].to > from) active.add(byStart[next]);
    const classNames: string[] = [];
    let color: string | undefined;
    let background: string | undefined;
    for (const range of active) {
      if (range.className) classNames.push(range.className);
      color = range.color ?? color;
      background = range.background ?? background;
    }
    spans.push({
      text: text.slice(from, sorted[i + 1]),
      classNames: classNames.join(' '),
      color,
      background,
    });
  }
  return spans;
}
