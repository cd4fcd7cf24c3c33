import type { Sequence, StoredBatch } from '../store/contract.ts';
import { RecordCursor } from '../syslog/batch.ts';
import type { Level } from '../syslog/level.ts';
import { type Filter, fieldEnd, lineLevel, priorityOf } from './filter.ts';
import { sanitize } from './sanitize.ts';

/** How lines are written for a reader. `text` as Heroku displays them, `json` with every field. */
export type FormatName = 'text' | 'json';

/** One line with its fields, as `json` readers get it. */
export interface LineFields {
  /** Where it is in the stream: pass it as `after=` to go on behind it, as `before=` to see what was before. */
  readonly position: string;
  readonly timestamp: string;
  /** RFC 5424 section 6.2.1: facility 0 to 23, severity 0 (emergency) to 7 (debug). */
  readonly facility: number;
  readonly severity: number;
  /** From the severity or, where that says nothing, from the message. */
  readonly level: Level;
  readonly hostname: string;
  readonly source: string;
  readonly dyno: string;
  readonly msgid?: string;
  readonly structured_data?: string;
  readonly message: string;
}

/** Lines written in one format. */
export interface Formatted {
  /** One entry a line, without line ends; of a multi-line message the lines are within one entry. */
  readonly lines: readonly string[];
  /** The position of the last line looked at, whether it matched or not. */
  readonly last: Sequence;
}

/** Which of the lines of some batches are written. */
export interface Range {
  /** Only lines after this one. */
  readonly after: Sequence;
  /** Only lines up to this one. */
  readonly through: Sequence;
  /** At the most so many lines; `last` is then the last of them. */
  readonly count: number;
}

/** Writes the lines of batches, oldest first, that are in a range and that a filter lets through. */
export function formatBatches(
  batches: readonly StoredBatch[],
  range: Range,
  filter: Filter,
  format: FormatName,
): Formatted {
  const lines: string[] = [];
  let last = range.after;
  for (const batch of batches) {
    last = Math.max(last, Math.min(batch.last, range.through));
    const bytes = asBuffer(batch.bytes);
    if (!filter.mayMatch(bytes)) continue;
    const stopped = writeBatch(batch, bytes, range, filter, format, lines);
    if (stopped !== undefined) return { lines, last: stopped };
  }
  return { lines, last };
}

/** The sequences of a batch's lines that a filter lets through, in a range. */
export function matchesIn(batch: StoredBatch, range: Omit<Range, 'count'>, filter: Filter): Sequence[] {
  const found: Sequence[] = [];
  const bytes = asBuffer(batch.bytes);
  if (!filter.mayMatch(bytes)) return found;
  const { cursor, first } = cursorAfter(batch, bytes, range.after);
  for (let sequence = first; sequence <= range.through && cursor.advance(); sequence++)
    if (filter.empty || filter.matches(cursor, bytes)) found.push(sequence);
  return found;
}

/** Adds a batch's lines; the sequence of the line with which there were enough, or undefined. */
function writeBatch(
  batch: StoredBatch,
  bytes: Buffer,
  { after, through, count }: Range,
  filter: Filter,
  format: FormatName,
  lines: string[],
): Sequence | undefined {
  const writer = format === 'text' ? new TextWriter(bytes) : undefined;
  const { cursor, first } = cursorAfter(batch, bytes, after);
  for (let sequence = first; sequence <= through && cursor.advance(); sequence++) {
    if (!filter.empty && !filter.matches(cursor, bytes)) continue;
    lines.push(writer ? writer.line(cursor) : asJson(cursor, bytes, sequence));
    if (lines.length >= count) return sequence;
  }
  return undefined;
}

function cursorAfter(
  batch: StoredBatch,
  bytes: Buffer,
  after: Sequence,
): { cursor: RecordCursor; first: Sequence } {
  const cursor = new RecordCursor(bytes);
  const skipped = Math.max(0, after + 1 - batch.first);
  cursor.skip(skipped);
  return { cursor, first: batch.first + skipped };
}

/** `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello` */
class TextWriter {
  private readonly bytes: Buffer;
  /** Source and dyno of the line before, as they came and as they are shown: the next line mostly has the same. */
  private names = '';
  private shown = '';

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  line(line: RecordCursor): string {
    const { bytes } = this;
    const text = bytes.toString('latin1', line.textStart, line.msgidStart - 1);
    const timeStart = text.indexOf(' ') + 1;
    const time = text.slice(timeStart, line.hostStart - line.textStart - 1);
    const names = text.slice(line.sourceStart - line.textStart);
    if (names !== this.names) {
      const sourceEnd = fieldEnd(bytes, line.sourceStart, line.msgidStart);
      const source = bytes.toString('utf8', line.sourceStart, sourceEnd);
      const dyno = bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1);
      this.names = names;
      this.shown = ` ${sanitize(source)}[${sanitize(dyno)}]: `;
    }
    return time + this.shown + sanitize(bytes.toString('utf8', line.messageStart, line.textEnd));
  }
}

function asFields(line: RecordCursor, bytes: Buffer, sequence: Sequence): LineFields {
  const timeStart = bytes.indexOf(0x20, line.textStart) + 1;
  const sourceEnd = fieldEnd(bytes, line.sourceStart, line.msgidStart);
  const msgidEnd = fieldEnd(bytes, line.msgidStart, line.messageStart);
  const priority = priorityOf(line, bytes);
  const msgid = bytes.toString('utf8', line.msgidStart, msgidEnd);
  const structured = bytes.toString('utf8', msgidEnd + 1, line.messageStart - 1);
  return {
    position: String(sequence),
    timestamp: bytes.toString('latin1', timeStart, line.hostStart - 1),
    facility: priority >> 3,
    severity: priority & 7,
    level: lineLevel(line, bytes),
    hostname: bytes.toString('utf8', line.hostStart, line.sourceStart - 1),
    source: bytes.toString('utf8', line.sourceStart, sourceEnd),
    dyno: bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1),
    ...(msgid === '-' ? {} : { msgid }),
    ...(structured === '-' ? {} : { structured_data: structured }),
    message: bytes.toString('utf8', line.messageStart, line.textEnd),
  };
}

function asJson(line: RecordCursor, bytes: Buffer, sequence: Sequence): string {
  return fieldsJson(asFields(line, bytes, sequence));
}

/** What JSON leaves as it is (RFC 8259 section 7) and a terminal might obey. */
const OBEYED = /[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

/** A line's fields as JSON on one line, harmless when it is printed. */
export function fieldsJson(fields: LineFields): string {
  return JSON.stringify(fields).replace(
    OBEYED,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
