/** Patterns of a text that is searched for, to be matched in any case on what was decoded as Latin-1. */

/** Can it be searched for without decoding UTF-8? */
export function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** Nothing but literal characters. */
export function literalSource(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** In a stored line a space is between source and dyno, and a backslash before these in structured data (RFC 5424 section 6.3.3). */
const ROUGH: Readonly<Record<string, string>> = {
  '/': '[/ ]',
  '[': '[[ ]',
  ']': '(?:\\\\?\\]| )',
  '"': '\\\\?"',
  '\\': '\\\\{1,2}',
};

/** Matches wherever the text may be in a stored line, also as `app/web.1` or escaped. */
export function roughSource(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/"]/g, (one) => ROUGH[one] ?? `\\${one}`);
}

/** The longest part of a text that stands in a stored line as it is, wherever {@link roughSource} matches. */
export function longestPlain(text: string): string {
  return text.split(/[/[\]"\\]/).reduce((best, run) => (run.length > best.length ? run : best), '');
}

/** The longest part of a text that is as long in a stored line, wherever {@link roughSource} matches: where it has a `/` or a `[`, a space may be. */
export function fixedPart(text: string): string {
  return text.split(/[\]"\\]/).reduce((best, run) => (run.length > best.length ? run : best), '');
}
