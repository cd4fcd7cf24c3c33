/**
 * How many bytes the character beyond ASCII at `i` takes (RFC 3629 section 4), 0 when it is invalid: truncated, overlong, a
 * surrogate, or above U+10FFFF.
 */
export function utf8SequenceLength(bytes: Uint8Array, i: number, end: number): number {
  const first = bytes[i];
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || i + length > end) return 0;
  for (let k = 1; k < length; k++) if ((bytes[i + k] & 0xc0) !== 0x80) return 0;
  const second = bytes[i + 1];
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}

/**
 * Would a terminal interpret the character that starts at `i`? Of those beyond ASCII these are the C1 controls (U+0080 to U+009F),
 * separators and bidirectional formatting characters (U+2028 to U+202E, U+2066 to U+2069): the same as in `sanitize`.
 */
export function isTerminalControl(bytes: Uint8Array, i: number): boolean {
  const first = bytes[i];
  if (first === 0xc2) return bytes[i + 1] < 0xa0;
  if (first !== 0xe2) return false;
  const third = bytes[i + 2];
  if (bytes[i + 1] === 0x80) return third >= 0xa8 && third <= 0xae;
  return bytes[i + 1] === 0x81 && third >= 0xa6 && third <= 0xa9;
}
