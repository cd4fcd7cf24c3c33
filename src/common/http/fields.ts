/** Header fields as bytes: what is white space in them, and nothing else (RFC 9110 section 5.6.3). */

const SPACE = 32;
const TAB = 9;
const COUNT = /^\d{1,9}$/;

/** A `Request-Id` of a client that is kept, as on Heroku; another one is replaced. */
export const REQUEST_ID_PATTERN = /^[A-Za-z0-9-]{20,200}$/;

/**
 * A part of `text` without the spaces and tabs around it. `String.trim` also takes away byte 0xA0 (latin-1), which no other HTTP
 * reader does: `chunked\xa0` is another coding than `chunked`.
 */
export function trimOws(text: string, start = 0, end = text.length): string {
  let from = start;
  let to = end;
  while (from < to && isOws(text.charCodeAt(from))) from++;
  while (to > from && isOws(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

/** The number in a field that is a count: digits alone, no sign, no `0x`, at most 999,999,999; undefined for anything else. */
export function parseCount(value: string | string[] | undefined): number | undefined {
  return typeof value === 'string' && COUNT.test(value) ? Number(value) : undefined;
}

function isOws(code: number): boolean {
  return code === SPACE || code === TAB;
}
