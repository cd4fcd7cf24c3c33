/** Which lines a drain gets: by source, dyno and level (syslog/line-filter.ts), by a sample, and by patterns. */
import { RE2JS } from 're2js';
import { hasColors, stripColors } from '../../../common/text/colors.ts';
import type { Sequence } from '../../store/contract.ts';
import type { RecordCursor } from '../../syslog/batch.ts';
import { LineFilter } from '../../syslog/line-filter.ts';
import type { DrainOptions } from '../options/drain-options.ts';

/** Decides line by line; the line is under the cursor. */
export type LinePredicate = (line: RecordCursor, bytes: Buffer, sequence: Sequence) => boolean;

/** Decides for the lines of a shipment, in their order. */
export interface DrainFilter {
  /** Is this line wanted by itself? One of an event (a stack trace) takes all of it along. */
  readonly selects: LinePredicate;
  /** May the event that this line begins be sent? */
  readonly admits: LinePredicate;
  /** Is this line left out, with the event that it begins? */
  readonly excludes: LinePredicate | undefined;
  /** False: an event has the same fate as each of its lines. */
  readonly needsEvents: boolean;
}

/** The filter of a drain's options; undefined when it gets every line. Patterns are matched last: they take the longest. */
export function createDrainFilter(options: DrainOptions): DrainFilter | undefined {
  const { sources, dynos, level, match, exclude, sample } = options;
  const [selecting, admitting]: LinePredicate[][] = [[], []];
  const origin = new LineFilter({ sources, dynos });
  const severity = new LineFilter({ level });
  if (!origin.matchesAll) admitting.push((line, bytes) => origin.matches(line, bytes));
  if (sample !== undefined) admitting.push((_line, _bytes, sequence) => sampleValue(sequence) < sample);
  if (!severity.matchesAll) selecting.push((line, bytes) => severity.matches(line, bytes));
  if (match) selecting.push(matchesAny(match));
  const excludes = exclude && matchesAny(exclude);
  if (selecting.length + admitting.length === 0 && !excludes) return undefined;
  const needsEvents = selecting.length > 0 || sample !== undefined || excludes !== undefined;
  return { selects: everyOf(selecting), admits: everyOf(admitting), excludes, needsEvents };
}

function everyOf(predicates: readonly LinePredicate[]): LinePredicate {
  return (line, bytes, sequence) => predicates.every((matches) => matches(line, bytes, sequence));
}

/** No character has a meaning in RE2, or isn't one. */
const PLAIN_TEXT = /^[^\\^$.|?*+()[\]{}\ufffd\ud800-\udfff]+$/u;

function matchesAny(patterns: readonly string[]): LinePredicate {
  if (patterns.length === 1 && PLAIN_TEXT.test(patterns[0])) return matchesText(patterns[0]);
  // The patterns are alternatives of one: a message is scanned once.
  const pattern = RE2JS.compile(patterns.map((one) => `(?:${one})`).join('|'));
  // Not with a matcher: that looks for where a match is, step by step.
  return (line, bytes) => {
    const message = bytes.toString('utf8', line.messageStart, line.textEnd);
    return pattern.test(message) || (hasColors(message) && pattern.test(stripColors(message)));
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

/** A number from 0 to 1 for a line, always the same one: a retry has to have the same lines. */
function sampleValue(sequence: Sequence): number {
  let hash = (sequence ^ (sequence / 0x1_0000_0000)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return ((hash ^ (hash >>> 15)) >>> 0) / 0x1_0000_0000;
}
