/**
 * Makes a message safe for a terminal: escape sequences (ECMA-48) other than colors, and control
 * characters other than the tab, are shown instead of interpreted. A line feed within a message is kept, its
 * next line indented, so that no message can pass itself off as another line.
 */

const SAFE = /^[\t\x20-\x7e\u00a0-\u2027\u202f-\u2065\u206a-\ufeff]*$/;
/** `ESC [ … m` (SGR: colors and styles) is kept; everything else that a terminal might interpret is not. */
const CONTROL = /\x1b\[[0-9;:]*m|[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

/** The message with colors kept and everything else that a terminal would interpret shown as `\xNN`. */
export function sanitize(message: string): string {
  if (SAFE.test(message)) return message;
  let colored = false;
  const clean = message.replace(CONTROL, (found) => {
    if (found.length > 1) {
      colored = true;
      return found;
    }
    if (found === '\n') return '\n    ';
    const code = found.charCodeAt(0);
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });
  // A color that isn't reset would run on into other lines.
  return colored && !clean.endsWith('\x1b[0m') ? `${clean}\x1b[0m` : clean;
}

/** JSON that is safe for a terminal, too: `JSON.stringify` leaves DEL, C1 controls and bidirectional formatting characters as they are. */
export function terminalSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The text without any colors, for files, pipes and `NO_COLOR`. */
export function stripColors(text: string): string {
  return text.includes('\x1b') ? text.replace(/\x1b\[[0-9;:]*m/g, '') : text;
}
