/** A line's message made ready to be drawn: colours, fields and found words as marks on plain text. */
import { parseAnsi } from '../text/ansi.ts';
import { type MessageField, parseFields } from '../text/message-fields.ts';
import { highlightTerms } from '../text/search-terms.ts';
import { type StyledRange, splitIntoSpans, type TextSpan } from '../text/text-spans.ts';
import type { Line } from './line.ts';

/** Characters of a message that are drawn as long as it isn't folded out. */
export const PREVIEW_CHARACTERS_MAX = 4_000;

interface ParsedMessage {
  readonly text: string;
  readonly ranges: readonly StyledRange[];
  readonly fields: readonly MessageField[];
}

/** Reading a message costs more than drawing it, and the same lines are drawn again and again. */
const cache = new WeakMap<Line, ParsedMessage>();

export function parseMessage(line: Line): ParsedMessage {
  let parsed = cache.get(line);
  if (!parsed) {
    const { text, ranges } = parseAnsi(line.message);
    const structured = parseFields(text);
    // A sender's own colours count for more than ours.
    parsed = { text, ranges: ranges.length > 0 ? ranges : structured.ranges, fields: structured.fields };
    cache.set(line, parsed);
  }
  return parsed;
}

/** The message in pieces, with the words that were searched for marked. */
export function messageSpans(
  line: Line,
  terms: readonly string[],
  lengthMax = PREVIEW_CHARACTERS_MAX,
): TextSpan[] {
  const { text, ranges } = parseMessage(line);
  const shown = text.length > lengthMax ? text.slice(0, lengthMax) : text;
  const shownRanges = text.length > lengthMax ? ranges.filter(({ from }) => from < lengthMax) : ranges;
  return splitIntoSpans(shown, [...highlightTerms(shown, terms), ...shownRanges]);
}
