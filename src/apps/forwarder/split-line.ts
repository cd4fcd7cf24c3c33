/** Heroku's limit: longer lines are split. */
export const LINE_BYTES_MAX = 10_000;

/**
 * Splits a line into pieces of 10,000 bytes. A UTF-8 character is not cut in two: its piece ends up to three bytes
 * earlier.
 */
export function splitLine(line: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  while (line.length - start > LINE_BYTES_MAX) {
    const end = characterStart(line, start + LINE_BYTES_MAX);
    pieces.push(line.subarray(start, end));
    start = end;
  }
  pieces.push(line.subarray(start));
  return pieces;
}

/** The start of the character that the byte at `index` belongs to; `index` itself if the bytes are no UTF-8. */
function characterStart(line: Uint8Array, index: number): number {
  let start = index;
  while (index - start < 3 && isContinuation(line[start])) start -= 1;
  return isContinuation(line[start]) ? index : start;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
