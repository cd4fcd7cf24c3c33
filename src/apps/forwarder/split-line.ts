import { utf8CharacterStart } from '../../common/text/utf8.ts';

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
    const end = utf8CharacterStart(line, start + LINE_BYTES_MAX);
    pieces.push(line.subarray(start, end));
    start = end;
  }
  pieces.push(line.subarray(start));
  return pieces;
}
