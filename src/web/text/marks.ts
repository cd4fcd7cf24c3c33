/** Text with marks on it: what is drawn differently from where to where. */

export interface Mark {
  readonly from: number;
  readonly to: number;
  /** A class of the style sheet, or ''. */
  readonly name: string;
  /** A colour that no class can name, such as `rgb(1 2 3)`. */
  readonly colour?: string;
  readonly ground?: string;
}

/** A stretch of text that is drawn in one way. */
export interface Piece {
  readonly text: string;
  readonly names: string;
  readonly colour?: string;
  readonly ground?: string;
}

/** Marks beyond this many are left out: a message of nothing but marks must not stop the page. */
const MARKS_MAX = 600;

/** Cuts a text into pieces where marks begin and end. Marks may overlap; of two colours the later mark's holds. */
export function cut(text: string, marks: readonly Mark[]): Piece[] {
  if (marks.length === 0) return text === '' ? [] : [{ text, names: '' }];
  const used = marks.slice(0, MARKS_MAX);
  const edges = new Set([0, text.length]);
  for (const { from, to } of used) {
    edges.add(Math.min(from, text.length));
    edges.add(Math.min(to, text.length));
  }
  const sorted = [...edges].sort((a, b) => a - b);
  const pieces: Piece[] = [];
  const active = new Set<Mark>();
  const byStart = [...used].sort((a, b) => a.from - b.from);
  let next = 0;
  for (let i = 0; i + 1 < sorted.length; i++) {
    const from = sorted[i];
    for (const mark of active) if (mark.to <= from) active.delete(mark);
    for (; next < byStart.length && byStart[next].from <= from; next++)
      if (byStart[next].to > from) active.add(byStart[next]);
    const names: string[] = [];
    let colour: string | undefined;
    let ground: string | undefined;
    for (const mark of active) {
      if (mark.name) names.push(mark.name);
      colour = mark.colour ?? colour;
      ground = mark.ground ?? ground;
    }
    pieces.push({ text: text.slice(from, sorted[i + 1]), names: names.join(' '), colour, ground });
  }
  return pieces;
}
