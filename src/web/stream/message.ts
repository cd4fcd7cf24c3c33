/** A line's message made ready to be drawn: colours, fields and found words as marks on plain text. */
import { readColours } from '../text/ansi.ts';
import { type Field, readFields } from '../text/fields.ts';
import { cut, type Mark, type Piece } from '../text/marks.ts';
import { findTerms } from '../text/search.ts';
import type { Line } from './line.ts';

/** Characters of a message that are drawn as long as it isn't folded out. */
export const SHOWN_MAX = 4_000;

interface Read {
  readonly text: string;
  readonly marks: readonly Mark[];
  readonly fields: readonly Field[];
}

/** Reading a message costs more than drawing it, and the same lines are drawn again and again. */
const read = new WeakMap<Line, Read>();

export function readMessage(line: Line): Read {
  let found = read.get(line);
  if (!found) {
    const { text, marks } = readColours(line.message);
    const structured = readFields(text);
    // A sender's own colours count for more than ours.
    found = { text, marks: marks.length > 0 ? marks : structured.marks, fields: structured.fields };
    read.set(line, found);
  }
  return found;
}

/** The message in pieces, with the words that were searched for marked. */
export function drawMessage(line: Line, terms: readonly string[], lengthMax = SHOWN_MAX): Piece[] {
  const { text, marks } = readMessage(line);
  const shown = text.length > lengthMax ? text.slice(0, lengthMax) : text;
  const within = text.length > lengthMax ? marks.filter(({ from }) => from < lengthMax) : marks;
  return cut(shown, [...findTerms(shown, terms), ...within]);
}
