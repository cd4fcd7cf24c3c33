/**
 * Header fields as they are stored: PRINTUSASCII, no longer than RFC 5424 section 6 allows, and without tokens. Whatever sends lines
 * on, or shows them, may rely on it.
 */
import { findToken, TOKEN_MASK, TOKEN_TEXT_BYTES_MIN, tokenEnd } from './token-text.ts';

export const HOSTNAME_BYTES_MAX = 255;
export const APP_NAME_BYTES_MAX = 48;
export const PROCID_BYTES_MAX = 128;
export const MSGID_BYTES_MAX = 32;

/** A NILVALUE. */
export const NIL: Uint8Array = new Uint8Array([0x2d]);

const SPACE = 0x20;
const DASH = 0x2d;
const QUESTION_MARK = 0x3f;
const DELETE = 0x7f;

/** Is there a token in the field `bytes[start, end)`? */
export function hasToken(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start >= TOKEN_TEXT_BYTES_MIN && findToken(bytes, start, end) !== -1;
}

/**
 * Writes the field `from[start, end)` to `out` at `at`, `max` bytes at the most: a character that isn't PRINTUSASCII becomes `?`, a
 * token {@link TOKEN_MASK}. Returns the new end; `at` when nothing is left to be said: the field was empty, a NILVALUE, or a token and
 * nothing else.
 */
export function writeHeaderField(
  from: Uint8Array,
  start: number,
  end: number,
  max: number,
  out: Uint8Array,
  at: number,
): number {
  let token = hasToken(from, start, end) ? findToken(from, start, end) : -1;
  if (token === start && tokenEnd(from, token, end) === end) return at;
  const limit = at + max;
  let o = at;
  for (let i = start; i < end && o < limit; i++) {
    const byte = from[i];
    if (i === token) {
      for (let k = 0; k < TOKEN_MASK.length && o < limit; k++) out[o++] = TOKEN_MASK.charCodeAt(k);
      i = tokenEnd(from, token, end) - 1;
      token = findToken(from, i + 1, end);
    } else if (byte > SPACE && byte < DELETE) out[o++] = byte;
    // One for a character of several bytes (RFC 3629).
    else if ((byte & 0xc0) !== 0x80 || i === start || from[i - 1] < 0x80) out[o++] = QUESTION_MARK;
  }
  return o === at + 1 && out[at] === DASH ? at : o;
}

/** The bytes of a field with this text when it is stored. */
export function storedHeaderField(text: string, max: number): Uint8Array {
  const bytes = Buffer.from(text);
  const out = Buffer.alloc(max);
  const end = writeHeaderField(bytes, 0, bytes.length, max, out, 0);
  return end === 0 ? NIL : out.subarray(0, end);
}
