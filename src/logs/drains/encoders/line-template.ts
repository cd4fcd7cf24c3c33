/**
 * What a line looks like in a destination's form: its fields between pieces that are the same for many lines. `wasm/wasm-lines.ts` puts
 * most lines together; {@link encodeLine} says what comes out, and does the others.
 */
import type { LogLevel } from '../../syslog/level.ts';
import { type LogRecord, platformRecord, recordLevel } from '../../syslog/record.ts';
import type { LossNotice } from '../outlet.ts';

/** How `encodeLine` puts a line together: `head index? head2 c0 TIME mid c1 MESSAGE c2 (DATA c3)? tail`, with DATA first if so wished. */
export interface LineTemplate {
  readonly time: 'text' | 'six-digits' | 'nanoseconds';
  /** Message and structured data are written as within a JSON string, or as they are. */
  readonly isJson: boolean;
  /** A frame's length goes in front of each line (RFC 6587 section 3.4.1). */
  readonly isCounted?: boolean;
  /** Lines have numbers, between `head` and `head2`. */
  readonly isNumbered?: boolean;
  readonly messageFirst?: boolean;
  /** Structured data isn't written. */
  readonly withoutData?: boolean;
  /** What isn't JSON may have newlines in it. */
  readonly keepsNewlines?: boolean;
  /** The level isn't in it: it needn't be found. */
  readonly withoutLevel?: boolean;
  /** As protobuf: `encodeLine` is {@link encode}. */
  readonly isProtobuf?: boolean;
  /** Lines that came as OTLP aren't put together of pieces: {@link encode} does them. */
  readonly restoresOtlp?: boolean;
  /** The pieces around the fields of lines with the same header and level. */
  pieces(line: LogRecord, level: LogLevel): LinePieces;
  /** Lines of one group stay together. Left out: they stay in their order. */
  group?(line: LogRecord, level: LogLevel): string;
  /** Encodes a line that isn't put together of pieces alone; undefined for one that is. */
  encode?(line: LogRecord, level: LogLevel, frame: LineFrame): Buffer | undefined;
}

export interface LinePieces {
  readonly c0?: string | Buffer;
  readonly c1: string | Buffer;
  readonly c2: string | Buffer;
  readonly c3?: string | Buffer;
}

/** What is around all lines of a request. */
export interface LineFrame {
  readonly head?: string | Buffer;
  readonly head2?: string;
  /** Of a line that isn't one of the shipment's: its number. */
  readonly index?: number;
  readonly mid?: string | Buffer;
  readonly tail?: string | Buffer;
}

/** A line in its form. @param index its number, for a template with numbers */
export function encodeLine(
  template: LineTemplate,
  line: LogRecord,
  level: LogLevel,
  frame: LineFrame,
  index: number,
): Buffer {
  const own = template.encode?.(line, level, frame);
  if (own) return own;
  const { c0 = '', c1, c2, c3 = '' } = template.pieces(line, level);
  const { head = '', head2 = '', mid = '', tail = '', index: number = index } = frame;
  const { message, structuredData } = line;
  const write = (text: string): string => (template.isJson ? JSON.stringify(text).slice(1, -1) : text);
  const hasData = hasStructuredData(template, line);
  const [first, second] =
    hasData && !template.messageFirst ? [structuredData, message] : [message, structuredData];
  const numbered = template.isNumbered ? `${number}${head2}` : '';
  const rest = hasData ? write(second) + c3 : '';
  const text = `${head}${numbered}${c0}${timeText(template, line)}${mid}${c1}${write(first)}${c2}${rest}${tail}`;
  return Buffer.from(template.isCounted ? `${Buffer.byteLength(text)} ${text}` : text);
}

function hasStructuredData(template: LineTemplate, { structuredData }: LogRecord): boolean {
  return !template.withoutData && structuredData !== '-';
}

function timeText({ time }: LineTemplate, { timestamp }: LogRecord): string {
  if (time === 'nanoseconds') return toUnixNanoseconds(timestamp);
  return time === 'six-digits' ? timestamp.replace(/(\.\d{6})\d+/, '$1') : timestamp;
}

/** What is in front of a group's lines, made once for each line that stands for a group. */
export function rememberedByLine(
  make: (line: LogRecord, level: LogLevel) => Buffer,
): (line: LogRecord, level: LogLevel) => Buffer {
  const made = new WeakMap<LogRecord, Buffer>();
  return (line, level) => {
    let bytes = made.get(line);
    if (!bytes) {
      bytes = make(line, level);
      made.set(line, bytes);
    }
    return bytes;
  };
}

/** A line to be encoded. */
export interface TemplateLine {
  readonly line: LogRecord;
  readonly level: LogLevel;
  /** What is around it, when that isn't the same as around the others. */
  readonly frame?: LineFrame;
}

/** The notice of a loss as a line in front of the others; none when there is none. */
export function noticeLines(notice: LossNotice | undefined, frame?: LineFrame): TemplateLine[] {
  if (!notice) return [];
  const line = platformRecord(notice.timestamp, notice.message);
  return [{ line, level: recordLevel(line), frame }];
}

/** An RFC 3339 time as nanoseconds since 1970, in decimal digits. */
export function toUnixNanoseconds(timestamp: string): string {
  const ms = Date.parse(timestamp);
  if (Number.isNaN(ms)) return `${Date.now()}000000`;
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  // Whole seconds, then up to nine digits: a double can't hold all of them.
  return `${Math.floor(ms / 1_000)}${fraction.padEnd(9, '0').slice(0, 9)}`;
}
