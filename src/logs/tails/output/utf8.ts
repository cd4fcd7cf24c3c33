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
 * Is the character beyond ASCII that starts at `i` one of those that `hidden-characters.ts` finds? Some of these belong where they
 * are, such as a joiner in an emoji: only a text's reader knows.
 */
export function isHiddenCharacter(bytes: Uint8Array, i: number): boolean {
  const second = bytes[i + 1];
  const third = bytes[i + 2];
  switch (bytes[i]) {
    case 0xc2: // U+0080 to U+009F, U+00AD
      return second < 0xa0 || second === 0xad;
    case 0xcd: // U+034F
      return second === 0x8f;
    case 0xd8: // U+061C
      return second === 0x9c;
    case 0xe1: // U+115F, U+1160; U+17B4, U+17B5; U+180B to U+180F
      return (
        (second === 0x85 && (third === 0x9f || third === 0xa0)) ||
        (second === 0x9e && (third === 0xb4 || third === 0xb5)) ||
        (second === 0xa0 && third >= 0x8b && third <= 0x8f)
      );
    case 0xe2: // U+200B to U+200F, U+2028 to U+202E; U+2060 to U+206F
      return (
        (second === 0x80 && ((third >= 0x8b && third <= 0x8f) || (third >= 0xa8 && third <= 0xae))) ||
        (second === 0x81 && third >= 0xa0 && third <= 0xaf)
      );
    case 0xe3: // U+3164
      return second === 0x85 && third === 0xa4;
    case 0xef: // U+FE00 to U+FE0F; U+FEFF; U+FFA0; U+FFF0 to U+FFFB
      return (
        (second === 0xb8 && third <= 0x8f) ||
        (second === 0xbb && third === 0xbf) ||
        (second === 0xbe && third === 0xa0) ||
        (second === 0xbf && third >= 0xb0 && third <= 0xbb)
      );
    case 0xf0: // U+1BCA0 to U+1BCA3; U+1D173 to U+1D17A
      return (
        (second === 0x9b && third === 0xb2 && bytes[i + 3] >= 0xa0 && bytes[i + 3] <= 0xa3) ||
        (second === 0x9d && third === 0x85 && bytes[i + 3] >= 0xb3 && bytes[i + 3] <= 0xba)
      );
    case 0xf3: // U+E0000 to U+E0FFF
      return second === 0xa0;
    default:
      return false;
  }
}
