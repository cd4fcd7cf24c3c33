/**
 * Finds what has the form of a token, `t.<uuid>`, in foreign text: a token is a secret, and lines are read by many. Known tokens
 * aren't looked up here (most would have to be fetched from the store), so a token that was revoked is found as well.
 *
 * One that was cut off behind its second group is found, too: MSGID ends after 32 characters, and the rest could be guessed.
 */

const DOT = 0x2e;
const DASH = 0x2d;
const LETTER_T = 0x74;
/** In ASCII this bit makes a small letter of a capital. */
const SMALL = 0x20;

/** Bytes of `t.xxxxxxxx-xxxx-`. A shorter text holds no token. */
export const TOKEN_TEXT_BYTES_MIN = 16;
/** Bytes of a whole token. */
const TOKEN_TEXT_BYTES = 38;

/** What is written where a token was. */
export const TOKEN_MASK = 't.****';
const MASK_BYTES = Buffer.from(TOKEN_MASK);
const TOKEN_TEXT = new RegExp(
  `t\\.[\\da-f]{8}-[\\da-f]{4}-[\\da-f-]{0,${TOKEN_TEXT_BYTES - TOKEN_TEXT_BYTES_MIN}}`,
  'gi',
);

/** Where the first token in `bytes[start, end)` starts, or -1. */
export function findToken(bytes: Uint8Array, start: number, end: number): number {
  const last = end - TOKEN_TEXT_BYTES_MIN;
  for (let i = start; i <= last; i++) if (bytes[i + 1] === DOT && isTokenAt(bytes, i)) return i;
  return -1;
}

/** Where the token that starts at `at` ends. */
export function tokenEnd(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + TOKEN_TEXT_BYTES);
  let i = at + TOKEN_TEXT_BYTES_MIN;
  while (i < limit && (isHexDigit(bytes[i]) || bytes[i] === DASH)) i++;
  return i;
}

/** `bytes[start, end)` with every token masked: the same memory when there is none. */
export function maskTokens(bytes: Uint8Array, start: number, end: number): Uint8Array {
  let at = findToken(bytes, start, end);
  if (at === -1) return bytes.subarray(start, end);
  const pieces: Uint8Array[] = [];
  let from = start;
  for (; at !== -1; at = findToken(bytes, from, end)) {
    pieces.push(bytes.subarray(from, at), MASK_BYTES);
    from = tokenEnd(bytes, at, end);
  }
  pieces.push(bytes.subarray(from, end));
  return Buffer.concat(pieces);
}

/** The same for text. */
export function maskTokensInText(text: string): string {
  return text.includes('.') ? text.replace(TOKEN_TEXT, TOKEN_MASK) : text;
}

/** `t.`, eight hexadecimal digits, a dash, four of them, a dash. */
function isTokenAt(bytes: Uint8Array, at: number): boolean {
  if ((bytes[at] | SMALL) !== LETTER_T || bytes[at + 1] !== DOT) return false;
  if (bytes[at + 10] !== DASH || bytes[at + 15] !== DASH) return false;
  for (let i = at + 2; i < at + 15; i++) if (i !== at + 10 && !isHexDigit(bytes[i])) return false;
  return true;
}

function isHexDigit(byte: number): boolean {
  if (byte >= 0x30 && byte <= 0x39) return true;
  const small = byte | SMALL;
  return small >= 0x61 && small <= 0x66;
}
