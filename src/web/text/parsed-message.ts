/** A line's message made ready to be drawn: colors, fields and matches as styled ranges of plain text. */

import { ownFrame } from '../../logs/syslog/event-lines.ts';
import type { Line } from '../stream/line.ts';
import { parseAnsi } from './ansi.ts';
import { type MessageField, parseFields } from './message-fields.ts';
import { highlightTerms } from './search-terms.ts';
import { type StyledRange, splitIntoSpans, type TextSpan } from './text-spans.ts';

/** Characters of a message that are drawn as long as the line isn't expanded. */
export const PREVIEW_CHARACTERS_MAX = 4_000;

interface ParsedMessage {
  readonly text: string;
  readonly ranges: readonly StyledRange[];
  readonly fields: readonly MessageField[];
  /** The first frame of a stack trace that is the app's own; undefined for other messages. */
  readonly ownFrame: string | undefined;
}

/** Reading a message costs more than drawing it, and the same lines are drawn again and again. */
const cache = new WeakMap<Line, ParsedMessage>();

export function parseMessage(line: Line): ParsedMessage {
  let parsed = cache.get(line);
  if (!parsed) {
    const { text, ranges } = parseAnsi(line.message);
    const structured = parseFields(text);
    // A sender's own colors win over ours.
    parsed = {
      text,
      ranges: ranges.length > 0 ? ranges : structured.ranges,
      fields: structured.fields,
      ownFrame: text.includes('\n') ? ownFrame(text.split('\n')) : undefined,
    };
    cache.set(line, parsed);
  }
  return parsed;
}

/** The message as spans, with what was searched for highlighted. */
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
