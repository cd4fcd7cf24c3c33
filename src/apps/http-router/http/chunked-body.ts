import type { BodyFraming } from './body-framing.ts';
import { isTrailerName } from './field-names.ts';
import { HEADER_LINE_BYTES_MAX, HEADER_LINES_MAX } from './header-cursor.ts';

/** Bytes of all extensions of a body: nobody needs them, and each could carry one byte of content (as Node.js has it). */
const EXTENSION_BYTES_MAX = 16_384;
/** Hexadecimal digits of a chunk's size: 2^48 bytes are enough, and exact in a double. */
const SIZE_DIGITS_MAX = 12;

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const QUOTE = 34;
const COLON = 58;
const SEMICOLON = 59;
const EQUALS = 61;
const BACKSLASH = 92;
const DELETE = 127;

type State =
  | 'size'
  | 'extensionName'
  | 'extensionValue'
  | 'quoted'
  | 'quotedPair'
  | 'extensionEnd'
  | 'sizeEnd'
  | 'data'
  | 'dataCr'
  | 'dataLf'
  | 'trailerStart'
  | 'trailerName'
  | 'trailerValue'
  | 'trailerEnd'
  | 'end';

/**
 * A chunked body (RFC 9112 section 7.1). Strict: hexadecimal digits only, CRLF only, extensions and trailers as the grammar has them,
 * since two parsers that disagree about a chunk's end let a second request be smuggled past one of them. A trailer that should have
 * been a header, or is one of the router's, is malformed: some servers take trailers for headers.
 */
export class ChunkedBody implements BodyFraming {
  done = false;
  byteCount = 0;
  private readonly dechunked: Buffer[] | undefined;
  private state: State = 'size';
  private size = 0;
  private digits = 0;
  private extensionBytes = 0;
  /** Of an extension's name or value: it must not be empty. */
  private wordBytes = 0;
  private trailerName = '';
  private trailerBytes = 0;
  private trailers = 0;

  /** @param dechunked gets the content without its framing, for a receiver that doesn't know chunks (HTTP/1.0) */
  constructor(dechunked?: Buffer[]) {
    this.dechunked = dechunked;
  }

  take(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && !this.done) {
      if (this.state === 'data') {
        const count = Math.min(bytes.length - at, this.size);
        this.dechunked?.push(bytes.subarray(at, at + count));
        this.byteCount += count;
        this.size -= count;
        at += count;
        if (this.size === 0) this.state = 'dataCr';
      } else if (!this.step(bytes[at++])) {
        return -1;
      }
    }
    return at;
  }

  /** Takes one byte of framing; false if it is malformed. */
  private step(byte: number): boolean {
    switch (this.state) {
      case 'size':
        return this.sizeByte(byte);
      case 'sizeEnd':
        this.state = this.size === 0 ? 'trailerStart' : 'data';
        this.digits = 0;
        return byte === LF;
      case 'dataCr':
        this.state = 'dataLf';
        return byte === CR;
      case 'dataLf':
        this.state = 'size';
        return byte === LF;
      case 'trailerStart':
      case 'trailerName':
      case 'trailerValue':
        return ++this.trailerBytes <= HEADER_LINE_BYTES_MAX && this.trailerByte(byte);
      case 'trailerEnd':
        this.state = 'trailerStart';
        return byte === LF;
      case 'end':
        this.done = byte === LF;
        return this.done;
      default:
        return ++this.extensionBytes <= EXTENSION_BYTES_MAX && this.extensionByte(byte);
    }
  }

  private sizeByte(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.size = this.size * 16 + digit;
      return ++this.digits <= SIZE_DIGITS_MAX;
    }
    return this.digits > 0 && this.endSize(byte);
  }

  /** The byte behind a size or an extension. */
  private endSize(byte: number): boolean {
    this.wordBytes = 0;
    if (byte === CR) this.state = 'sizeEnd';
    else if (byte === SEMICOLON) this.state = 'extensionName';
    else return false;
    return true;
  }

  /** `;name`, `;name=value` or `;name="value"`, without white space outside of quotes. */
  private extensionByte(byte: number): boolean {
    switch (this.state) {
      case 'extensionName':
        if (isTokenByte(byte)) return ++this.wordBytes > 0;
        if (this.wordBytes === 0) return false;
        if (byte !== EQUALS) return this.endSize(byte);
        this.wordBytes = 0;
        this.state = 'extensionValue';
        return true;
      case 'extensionValue':
        if (isTokenByte(byte)) return ++this.wordBytes > 0;
        if (this.wordBytes > 0) return this.endSize(byte);
        this.state = 'quoted';
        return byte === QUOTE;
      case 'quoted':
        if (byte === QUOTE) this.state = 'extensionEnd';
        else if (byte === BACKSLASH) this.state = 'quotedPair';
        return isTextByte(byte);
      case 'quotedPair':
        this.state = 'quoted';
        return isTextByte(byte);
      default:
        return this.endSize(byte);
    }
  }

  private trailerByte(byte: number): boolean {
    switch (this.state) {
      case 'trailerStart':
        if (byte === CR) {
          this.state = 'end';
          return true;
        }
        this.state = 'trailerName';
        this.trailerName = '';
        if (++this.trailers > HEADER_LINES_MAX) return false;
        return this.trailerNameByte(byte);
      case 'trailerName':
        return this.trailerNameByte(byte);
      default:
        if (byte === CR) this.state = 'trailerEnd';
        return byte === CR || isTextByte(byte);
    }
  }

  private trailerNameByte(byte: number): boolean {
    if (byte !== COLON) {
      this.trailerName += String.fromCharCode(byte);
      return isTokenByte(byte);
    }
    this.state = 'trailerValue';
    return isTrailerName(this.trailerName.toLowerCase());
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** May it be in a name (RFC 9110 section 5.6.2)? */
function isTokenByte(byte: number): boolean {
  return TOKEN_BYTES[byte] === 1;
}

const TOKEN_BYTES = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  TOKEN_BYTES[character.charCodeAt(0)] = 1;

/** May it be in a value (RFC 9110 section 5.5)? */
function isTextByte(byte: number): boolean {
  return (byte >= SPACE && byte !== DELETE) || byte === TAB;
}
