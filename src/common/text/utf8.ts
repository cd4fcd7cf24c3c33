/**
 * Where a text that is too long may be cut.
 *
 * @returns where the character begins that the byte at `index` is part of (RFC 3629); `index` itself when the bytes are no UTF-8
 */
export function utf8CharacterStart(bytes: Uint8Array, index: number): number {
  let start = index;
  while (index - start < 3 && isContinuation(bytes[start])) start--;
  return isContinuation(bytes[start]) ? index : start;
}

/** Is this byte part of a character, but not its first? */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
