/** Which lines a drain gets: by source, dyno and level (syslog/line-filter.ts), by a sample, and by patterns. */
import { RE2JS } from 're2js';
import { hasColors, stripColors } from '../../../common/text/colors.ts';
import { type Literal, LiteralScanner } from '../../query/prefilter/literal-scanner.ts';
import { regexLiterals } from '../../query/prefilter/regex-literal.ts';
import { PATTERNS_MAX } from '../../query/prefilter/wasm-search.ts';
import type { Sequence } from '../../store/contract.ts';
import type { RecordCursor } from '../../syslog/batch.ts';
import { LOG_LEVELS } from '../../syslog/level.ts';
import { LineFilter } from '../../syslog/line-filter.ts';
import { lineLevel } from '../../syslog/record.ts';
import type { DrainOptions } from '../options/drain-options.ts';

/** Decides line by line, in their order; the line is under the cursor. */
export type LinePredicate = (line: RecordCursor, bytes: Buffer) => boolean;

/** Decides for the lines of a shipment, in their order. Each of its parts that is left out lets everything through. */
export interface DrainFilter {
  /** Are lines of this sender wanted at all? */
  readonly origin?: LinePredicate;
  /** The part of events that is sent. */
  readonly sample?: number;
  /** The index in `LOG_LEVELS` of the least serious level of a line that is wanted by itself. One of an event (a stack trace) takes all of it along. */
  readonly levelIndex?: number;
  /** Is this line wanted by itself? */
  readonly matches?: LinePredicate;
  /** Is this line left out, with the event that it begins? */
  readonly excludes?: LinePredicate;
  /** False: an event has the same fate as each of its lines. */
  readonly needsEvents: boolean;
}

/** The filter of a drain's options; undefined when it gets every line. */
export function createDrainFilter(options: DrainOptions): DrainFilter | undefined {
  const { sources, dynos, level, match, exclude, sample } = options;
  const origin = new LineFilter({ sources, dynos });
  const levelIndex = level === undefined ? LOG_LEVELS.length - 1 : LOG_LEVELS.indexOf(level);
  const isLeveled = levelIndex < LOG_LEVELS.length - 1;
  if (origin.matchesAll && !isLeveled && !match && !exclude && sample === undefined) return undefined;
  return {
    origin: origin.matchesAll ? undefined : (line, bytes) => origin.matches(line, bytes),
    sample,
    levelIndex: isLeveled ? levelIndex : undefined,
    matches: match && matchesAny(match),
    excludes: exclude && matchesAny(exclude),
    needsEvents: isLeveled || match !== undefined || exclude !== undefined || sample !== undefined,
  };
}

/** Is the line under the cursor at least as serious as that? */
export function isAtLeastLevel(line: RecordCursor, bytes: Buffer, levelIndex: number): boolean {
  return LOG_LEVELS.indexOf(lineLevel(line, bytes)) <= levelIndex;
}

/** Is an event that begins with this line one of the sample? Always the same: a retry has to have the same lines. */
export function isSampled(sequence: Sequence, sample: number): boolean {
  return sampleValue(sequence) < sample;
}

/** No character has a meaning in RE2, or isn't one. */
const PLAIN_TEXT = /^[^\\^$.|?*+()[\]{}\ufffd\ud800-\udfff]+$/u;

function matchesAny(patterns: readonly string[]): LinePredicate {
  if (patterns.length === 1 && PLAIN_TEXT.test(patterns[0])) return matchesText(patterns[0]);
  // The patterns are alternatives of one: a message is scanned once.
  const pattern = RE2JS.compile(patterns.map((one) => `(?:${one})`).join('|'));
  const candidates = candidatesOf(patterns, 'message');
  // Not with a matcher: that looks for where a match is, step by step.
  return (line, bytes) => {
    if (candidates && !candidates(line, bytes)) return false;
    const message = bytes.toString('utf8', line.messageStart, line.textEnd);
    return pattern.test(message) || (hasColors(message) && pattern.test(stripColors(message)));
  };
}

/**
 * Tells which lines may match one of the patterns (without color codes too); undefined when all of them may.
 * @param where a match is looked for: in messages, or in structured data as well
 */
export function candidatesOf(
  patterns: readonly string[],
  where: 'message' | 'line',
): LinePredicate | undefined {
  const alternatives = patterns.map((pattern) => regexLiterals(pattern, false));
  const literals = alternatives.flat().map((text): Literal => ({ text, plain: text }));
  if (alternatives.some(({ length }) => length === 0) || literals.length > PATTERNS_MAX) return undefined;
  const scanner = new LiteralScanner(literals);
  const color = new NextPlace(Buffer.from('\x1b'));
  return (line, bytes) => {
    const start = where === 'message' ? line.messageStart : line.msgidStart;
    if (!scanner.isIn(bytes)) scanner.startBatch(bytes);
    // What is looked for may be on both sides of a color.
    return scanner.mayMatch(start, line.textEnd) || color.isWithin(bytes, start, line.textEnd);
  };
}

/** A text is looked for in all lines together: once for each place where it is. */
function matchesText(text: string): LinePredicate {
  const wanted = new NextPlace(Buffer.from(text));
  const color = new NextPlace(Buffer.from('\x1b'));
  return (line, bytes) => {
    const { messageStart, textEnd } = line;
    if (wanted.isWithin(bytes, messageStart, textEnd)) return true;
    if (!color.isWithin(bytes, messageStart, textEnd)) return false;
    return stripColors(bytes.toString('utf8', messageStart, textEnd)).includes(text);
  };
}

/** Where a text is next in some bytes that are asked about from their beginning to their end. */
class NextPlace {
  private readonly text: Buffer;
  private bytes: Buffer | undefined;
  private from = 0;
  private at = 0;

  constructor(text: Buffer) {
    this.text = text;
  }

  isWithin(bytes: Buffer, start: number, end: number): boolean {
    if (bytes !== this.bytes || start < this.from || start > this.at) {
      this.bytes = bytes;
      this.from = start;
      const found = bytes.indexOf(this.text, start);
      this.at = found === -1 ? Number.POSITIVE_INFINITY : found;
    }
    return this.at + this.text.length <= end;
  }
}

/** A number from 0 to 1 for a line. */
function sampleValue(sequence: Sequence): number {
  let hash = (sequence ^ (sequence / 0x1_0000_0000)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return ((hash ^ (hash >>> 15)) >>> 0) / 0x1_0000_0000;
}
