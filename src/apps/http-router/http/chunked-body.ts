import type { BodyFraming } from './body-framing.ts';

/** Bytes of one chunk's extensions, or of all trailers, that are let through before a body counts as malformed. */
const EXTRA_BYTES_MAX = 8_192;
/** Hexadecimal digits of a chunk's size: 2^48 bytes are enough, and exact in a double. */
const SIZE_DIGITS_MAX = 12;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

type State =
  | 'size'
  | 'extension'
  | 'sizeEnd'
  | 'data'
  | 'dataCr'
  | 'dataLf'
  | 'trailerStart'
  | 'trailer'
  | 'trailerEnd'
  | 'end';

/**
 * A chunked body (RFC 9112 section 7.1). Strict: hexadecimal digits only, CRLF only, since two parsers that
 * disagree about a chunk's end let a second request be smuggled past one of them.
 */
export class ChunkedBody implements BodyFraming {
  done = false;
  byteCount = 0;
  readonly #dechunked: Buffer[] | undefined;
  #state: State = 'size';
  #size = 0;
  #digits = 0;
  #extraBytes = 0;

  /** @param dechunked gets the content without its framing, for a receiver that doesn't know chunks (HTTP/1.0) */
  constructor(dechunked?: Buffer[]) {
    this.#dechunked = dechunked;
  }

  take(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && !this.done) {
      if (this.#state === 'data') {
        const count = Math.min(bytes.length - at, this.#size);
        this.#dechunked?.push(bytes.subarray(at, at + count));
        this.byteCount += count;
        this.#size -= count;
        at += count;
        if (this.#size === 0) this.#state = 'dataCr';
      } else if (!this.#step(bytes[at++])) {
        return -1;
      }
    }
    return at;
  }

  /** Takes one byte of framing; false if it is malformed. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        return this.#sizeByte(byte);
      case 'extension':
        if (byte === CR) this.#state = 'sizeEnd';
        else return this.#extraByte(byte);
        return true;
      case 'sizeEnd':
        this.#state = this.#size === 0 ? 'trailerStart' : 'data';
        this.#digits = 0;
        this.#extraBytes = 0;
        return byte === LF;
      case 'dataCr':
        this.#state = 'dataLf';
        return byte === CR;
      case 'dataLf':
        this.#state = 'size';
        return byte === LF;
      case 'trailerStart':
        if (byte === CR) this.#state = 'end';
        else {
          this.#state = 'trailer';
          return this.#extraByte(byte);
        }
        return true;
      case 'trailer':
        if (byte === CR) this.#state = 'trailerEnd';
        else return this.#extraByte(byte);
        return true;
      case 'trailerEnd':
        this.#state = 'trailerStart';
        return byte === LF;
      default:
        this.done = byte === LF;
        return this.done;
    }
  }

  #sizeByte(byte: number): boolean {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.#size = this.#size * 16 + digit;
      return ++this.#digits <= SIZE_DIGITS_MAX;
    }
    if (this.#digits === 0) return false;
    if (byte === CR) this.#state = 'sizeEnd';
    else if (byte === SEMICOLON) this.#state = 'extension';
    else return false;
    return true;
  }

  /** Extensions and trailers pass unread, but visible characters only, and not without end. */
  #extraByte(byte: number): boolean {
    return (byte >= 32 || byte === 9) && byte !== 127 && ++this.#extraBytes <= EXTRA_BYTES_MAX;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
