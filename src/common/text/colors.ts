/** Color codes in text: SGR of ECMA-48 section 8.3.117, which terminals style text by. */

const ESCAPE = '\x1b';
const COLORS = /\x1b\[[\d;:]*m/g;

/** May there be color codes in a text? */
export function hasColors(text: string): boolean {
  return text.includes(ESCAPE);
}

/** A text without color codes: for files and pipes, and for searches, where what they stand between are words of one piece. */
export function stripColors(text: string): string {
  return hasColors(text) ? text.replace(COLORS, '') : text;
}
