import { isObeyed, sequenceLength } from './utf8.ts';

const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;
/** Bytes kept free in front, for what is only known when the lines are written. */
const ROOM = 64;
/** For what stands between lines and around them. */
const MARGIN = 256;
/** No byte takes more as JSON (`\u001b`). */
const ESCAPE_BYTES_MAX = 6;
const HEX = '0123456789abcdef';

/**
 * How a text is copied: `shown` for a terminal, `quoted` the same within a JSON string, `json` as the value of a JSON string.
 */
export type Manner = 'shown' | 'quoted' | 'json';

/** Lines that are being put together for a wire, as bytes: most need nothing but copying. */
export class Block {
  private bytes: Buffer;
  private end = ROOM;

  /** @param size bytes that will mostly do. */
  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(ROOM + size + MARGIN);
  }

  /** Bytes that were added. */
  get length(): number {
    return this.end - ROOM;
  }

  /** Takes back what was added behind the first so many bytes. */
  truncate(length: number): void {
    this.end = ROOM + length;
  }

  /** Adds a text in Latin-1. */
  put(text: string): void {
    const { length } = text;
    this.reserve(length);
    const { bytes } = this;
    let o = this.end;
    for (let i = 0; i < length; i++) bytes[o++] = text.charCodeAt(i);
    this.end = o;
  }

  /** Adds bytes as they are. */
  putBytes(from: Uint8Array): void {
    this.reserve(from.length);
    this.bytes.set(from, this.end);
    this.end += from.length;
  }

  /** Adds a text in UTF-8. */
  putText(text: string): void {
    this.reserve(text.length * 3);
    this.end += this.bytes.write(text, this.end);
  }

  /**
   * Adds UTF-8 from elsewhere.
   * @returns false, with nothing added, when there is something in it that can't stay as it is: what is no UTF-8, what a terminal
   *   would obey (in JSON, control characters are no matter).
   */
  copy(from: Uint8Array, start: number, end: number, manner: Manner): boolean {
    this.reserve((end - start) * 2 + ESCAPE_BYTES_MAX);
    const { bytes } = this;
    const limit = bytes.length - ESCAPE_BYTES_MAX;
    const isQuoted = manner !== 'shown';
    let o = this.end;
    for (let i = start; i < end; i++) {
      const byte = from[i];
      if (byte >= SPACE && byte < DELETE) {
        if (isQuoted && (byte === QUOTE || byte === BACKSLASH)) bytes[o++] = BACKSLASH;
        bytes[o++] = byte;
      } else if (byte > DELETE) {
        const length = sequenceLength(from, i, end);
        if (length === 0 || isObeyed(from, i)) return false;
        for (let k = 0; k < length; k++) bytes[o++] = from[i + k];
        i += length - 1;
      } else if (byte === TAB && !isQuoted) bytes[o++] = TAB;
      else if (byte === TAB || manner === 'json') {
        // More escapes than there is room for come from nobody who writes lines to be read.
        if (o > limit) return false;
        o = this.escape(byte, o);
      } else return false;
    }
    this.end = o;
    return true;
  }

  /** What was added, with a text in Latin-1 (64 characters at the most) in front. */
  close(front: string): Buffer {
    const start = ROOM - front.length;
    for (let i = 0; i < front.length; i++) this.bytes[start + i] = front.charCodeAt(i);
    return this.bytes.subarray(start, this.end);
  }

  /** Writes a control character as JSON does (RFC 8259 section 7); returns where the next byte goes. */
  private escape(byte: number, at: number): number {
    const short = '\b\t\n\f\r'.indexOf(String.fromCharCode(byte));
    const text = short === -1 ? `\\u00${HEX[byte >> 4]}${HEX[byte & 15]}` : `\\${'btnfr'[short]}`;
    for (let i = 0; i < text.length; i++) this.bytes[at + i] = text.charCodeAt(i);
    return at + text.length;
  }

  private reserve(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.end + more));
    this.bytes.copy(larger, 0, 0, this.end);
    this.bytes = larger;
  }
}
