/** A line's message made ready to be drawn: colors, fields and matches as styled ranges of plain text. */

import { errorLine, ownFrame } from '../../logs/syslog/event-lines.ts';
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
  /** What a stack trace is folded to behind its first line; undefined for other messages. */
  readonly trace: TraceSummary | undefined;
}

export interface TraceSummary {
  /** What went wrong, where the first line doesn't say it. */
  readonly error: string | undefined;
  /** The first frame that is the app's own. */
  readonly frame: string;
}

/** Reading a message costs more than drawing it, and the same lines are drawn again and again. */
const cache = new WeakMap<Line, ParsedMessage>();

/** Reads a line's message once; the same line gets the same object. */
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
      trace: text.includes('\n') ? summarizeTrace(text.split('\n')) : undefined,
    };
    cache.set(line, parsed);
  }
  return parsed;
}

function summarizeTrace(lines: readonly string[]): TraceSummary | undefined {
  const frame = ownFrame(lines);
  return frame === undefined ? undefined : { error: errorLine(lines), frame };
}

/** What is searched for in a folded trace, when none of that is in what is shown: the first line with it. */
export function matchInTrace(
  text: string,
  { error = '', frame }: TraceSummary,
  terms: readonly string[],
): TextSpan[] | undefined {
  if (terms.length === 0) return undefined;
  const lines = text.split('\n');
  if ([lines[0], error, frame].some((shown) => highlightTerms(shown, terms).length > 0)) return undefined;
  const line = lines.find((one) => highlightTerms(one, terms).length > 0)?.trim();
  return line === undefined ? undefined : splitIntoSpans(line, highlightTerms(line, terms));
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
