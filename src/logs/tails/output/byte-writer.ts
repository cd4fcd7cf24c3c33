import { isHiddenCharacter, utf8SequenceLength } from './utf8.ts';

const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;
/** Bytes reserved at the front, for what is only known when the lines are written. */
const FRONT_BYTES = 64;
/** For separators, and what is before and after the lines. */
const SLACK_BYTES = 256;
/** No byte takes more as JSON (`\u001b`). */
const ESCAPE_BYTES_MAX = 6;
const HEX = '0123456789abcdef';

/**
 * How a text is escaped: `terminal` for a terminal, `terminal-quoted` the same within a JSON string, `json` as the value of a JSON
 * string.
 */
export type EscapeMode = 'terminal' | 'terminal-quoted' | 'json';

/** Encodes lines into a buffer: most need nothing but copying. */
export class ByteWriter {
  private bytes: Buffer;
  private end = FRONT_BYTES;

  /** @param size expected bytes; the buffer grows when they are more. */
  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(FRONT_BYTES + size + SLACK_BYTES);
  }

  /** Bytes that were added. */
  get length(): number {
    return this.end - FRONT_BYTES;
  }

  /** Removes what was added after the first so many bytes. */
  truncate(length: number): void {
    this.end = FRONT_BYTES + length;
  }

  /** Adds a text in Latin-1. */
  writeLatin1(text: string): void {
    const { length } = text;
    this.ensureCapacity(length);
    const { bytes } = this;
    let o = this.end;
    for (let i = 0; i < length; i++) bytes[o++] = text.charCodeAt(i);
    this.end = o;
  }

  /** Adds bytes as they are. */
  writeBytes(from: Uint8Array): void {
    this.ensureCapacity(from.length);
    this.bytes.set(from, this.end);
    this.end += from.length;
  }

  /** Adds a text in UTF-8. */
  writeUtf8(text: string): void {
    this.ensureCapacity(text.length * 3);
    this.end += this.bytes.write(text, this.end);
  }

  /**
   * Adds UTF-8 from elsewhere.
   * @returns false, with nothing added, when something in it can't be copied: invalid UTF-8, or what a terminal would interpret or
   *   not show (in JSON, control characters are escaped).
   */
  writeEscaped(from: Uint8Array, start: number, end: number, mode: EscapeMode): boolean {
    this.ensureCapacity((end - start) * 2 + ESCAPE_BYTES_MAX);
    const { bytes } = this;
    const limit = bytes.length - ESCAPE_BYTES_MAX;
    const isQuoted = mode !== 'terminal';
    let o = this.end;
    for (let i = start; i < end; i++) {
      const byte = from[i];
      if (byte >= SPACE && byte < DELETE) {
        if (isQuoted && (byte === QUOTE || byte === BACKSLASH)) bytes[o++] = BACKSLASH;
        bytes[o++] = byte;
      } else if (byte > DELETE) {
        const length = utf8SequenceLength(from, i, end);
        if (length === 0 || isHiddenCharacter(from, i)) return false;
        for (let k = 0; k < length; k++) bytes[o++] = from[i + k];
        i += length - 1;
      } else if (byte === TAB && !isQuoted) bytes[o++] = TAB;
      else if (byte === TAB || mode === 'json') {
        // More escapes than fit: not worth growing the buffer for, the slow path takes such a line.
        if (o > limit) return false;
        o = this.writeEscapeSequence(byte, o);
      } else return false;
    }
    this.end = o;
    return true;
  }

  /** What was added, with a text in Latin-1 (64 characters at the most) before it. */
  finish(front: string): Buffer {
    const start = FRONT_BYTES - front.length;
    for (let i = 0; i < front.length; i++) this.bytes[start + i] = front.charCodeAt(i);
    return this.bytes.subarray(start, this.end);
  }

  /** Writes a control character as JSON does (RFC 8259 section 7); returns where the next byte goes. */
  private writeEscapeSequence(byte: number, at: number): number {
    const short = '\b\t\n\f\r'.indexOf(String.fromCharCode(byte));
    const text = short === -1 ? `\\u00${HEX[byte >> 4]}${HEX[byte & 15]}` : `\\${'btnfr'[short]}`;
    for (let i = 0; i < text.length; i++) this.bytes[at + i] = text.charCodeAt(i);
    return at + text.length;
  }

  private ensureCapacity(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.end + more));
    this.bytes.copy(larger, 0, 0, this.end);
    this.bytes = larger;
  }
}
