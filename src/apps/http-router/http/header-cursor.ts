import { trimOws } from '../../../common/http/fields.ts';
import { checkFieldName } from './field-names.ts';

/** Longest request line, status line or header, in bytes. */
export const HEADER_LINE_BYTES_MAX = 8_192;
/** Longest head (first line and all headers), in bytes. */
export const HEAD_BYTES_MAX = 65_536;
/** Most headers of a message, and most trailers. */
export const HEADER_LINES_MAX = 128;

const TAB = 9;
const LF = 10;
const CR = 13;
const HEAD_END = Buffer.from('\r\n\r\n');
// No control characters, and no CR or LF alone, which other parsers may take for the end of a line. Matching runs of what
// is allowed is faster than searching for what is forbidden.
const ALLOWED_HEAD = /^(?:[\t\x20-\x7e\x80-\xff]*\r\n)*[\t\x20-\x7e\x80-\xff]*$/;

/** Where the head that starts at `start` ends, behind its empty line; -1 while that hasn't arrived. */
export function findHeadEnd(bytes: Buffer, start: number): number {
  const at = bytes.indexOf(HEAD_END, start);
  return at === -1 ? -1 : at + 4;
}

/** True if a head contains what no HTTP head may contain (RFC 9112 section 2.2, RFC 9110 section 5.5). */
export function hasForbiddenCharacter(head: string): boolean {
  return !ALLOWED_HEAD.test(head);
}

/**
 * True if `bytes`, which are a part of a head, contain such a character, from `start` on: no need to wait for the rest. The last CR may
 * have its LF still to come.
 */
export function hasForbiddenByte(bytes: Buffer, start: number): boolean {
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte >= 32 ? byte === 127 : !isLineEndOrTab(bytes, at)) return true;
  }
  return false;
}

function isLineEndOrTab(bytes: Buffer, at: number): boolean {
  const byte = bytes[at];
  if (byte === CR) return at + 1 === bytes.length || bytes[at + 1] === LF;
  return byte === LF ? at > 0 && bytes[at - 1] === CR : byte === TAB;
}

/**
 * Iterates over the header lines of a head, and collects those that are forwarded.
 *
 * The lines stay the bytes that came in: kept ones are copied in runs, not one by one, which is what
 * makes this cheap. A head is a latin-1 string with one character a byte, up to and without its empty line.
 */
export class HeaderCursor {
  /** Name of the current header, in lower case. */
  name = '';
  /** Length of the current line, in bytes, without its end. */
  lineBytes = 0;
  /** How many lines have been passed. */
  lineCount = 0;
  /** Has the current header a name that is a token, but not of letters, digits and hyphens alone? */
  isUnusual = false;
  private readonly head: string;
  private lineStart: number;
  private valueStart = 0;
  private lineEnd: number;
  private runStart: number;
  private collectedLines = '';

  /** @param start where the first header line starts */
  constructor(head: string, start: number) {
    this.head = head;
    this.lineStart = start;
    this.lineEnd = start - 2;
    this.runStart = start;
  }

  /** Moves to the next line; false behind the last. A line that isn't `name: value` gets the name ''. */
  next(): boolean {
    const start = this.lineEnd + 2;
    if (start >= this.head.length) return false;
    const end = this.head.indexOf('\r\n', start);
    const colon = this.head.indexOf(':', start);
    this.lineStart = start;
    this.lineEnd = end === -1 ? this.head.length : end;
    this.lineBytes = this.lineEnd - start;
    this.lineCount++;
    this.name = '';
    this.isUnusual = false;
    if (colon === -1 || colon > this.lineEnd) return true;
    this.valueStart = colon + 1;
    // Latin-1: no other letter becomes one of ASCII in lower case.
    const name = this.head.slice(start, colon).toLowerCase();
    const kind = checkFieldName(name);
    if (kind !== '') this.name = name;
    this.isUnusual = kind === 'unusual';
    return true;
  }

  /** Value of the current header, without the white space around it. */
  value(): string {
    return trimOws(this.head, this.valueStart, this.lineEnd);
  }

  /**
   * Forwards the current header with this value, and with nothing around it: what the router has understood is what the next one reads,
   * who may not know tabs or zeros there.
   */
  setValue(value: string): void {
    const written = this.lineEnd - this.valueStart;
    if (written === value.length + 1 && this.head.endsWith(` ${value}`, this.lineEnd)) return;
    const field = this.head.slice(this.lineStart, this.valueStart);
    this.dropLine();
    this.collectedLines += `${field} ${value}\r\n`;
  }

  /** Leaves the current line out of `keptLines()`. */
  dropLine(): void {
    if (this.runStart < this.lineStart) this.collectedLines += this.head.slice(this.runStart, this.lineStart);
    this.runStart = this.lineEnd + 2;
  }

  /** All lines that were passed and not dropped, each with its CRLF. */
  keptLines(): string {
    return this.runStart < this.head.length
      ? this.collectedLines + this.head.slice(this.runStart)
      : this.collectedLines;
  }
}

// Dropping these because a Connection header names them would change the meaning of the message.
const NEVER_HOP_BY_HOP = new Set(['host', 'content-length', 'transfer-encoding']);

/** Header lines without those that a Connection header named as for the next hop only. */
export function withoutHopByHop(lines: string, names: readonly string[]): string {
  // Thousands of names fit into a Connection header.
  const named = new Set(names);
  const cursor = new HeaderCursor(lines, 0);
  while (cursor.next()) {
    if (named.has(cursor.name) && !NEVER_HOP_BY_HOP.has(cursor.name)) cursor.dropLine();
  }
  return cursor.keptLines();
}
