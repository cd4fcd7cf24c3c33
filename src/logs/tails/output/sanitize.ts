/**
 * Makes foreign text safe for a terminal: escape sequences (ECMA-48) other than colors, control characters other than the tab, and
 * characters that nobody sees are shown instead of interpreted. A line feed within a message is kept, its next line indented, so
 * that no message can pass itself off as another line.
 */
import { hasHiddenCharacter, replaceHiddenCharacters } from '../../../common/text/hidden-characters.ts';

/** `ESC [ … m` (SGR: colors and styles) is kept. */
const COLOR = /(\x1b\[[0-9;:]*m)/;
const RESET = '\x1b[0m';

/** At the front of a text it says how the bytes are to be read, and hides nothing. */
const BYTE_ORDER_MARK = '\ufeff';

/** The message with colors kept and everything else that a terminal would interpret, or not show, as `\xNN` or `\uNNNN`. */
export function sanitize(message: string): string {
  return message.startsWith(BYTE_ORDER_MARK)
    ? BYTE_ORDER_MARK + sanitizeLines(message.slice(1), '\n    ')
    : sanitizeLines(message, '\n    ');
}

/** The same for a text of which whoever calls has written some: its lines stay lines. */
export function sanitizeText(text: string): string {
  return sanitizeLines(text, '\n');
}

/** The same for a cell of a table: it has one line. */
export function sanitizeCell(text: string): string {
  return sanitizeLines(text, '\\n');
}

function sanitizeLines(text: string, lineFeed: string): string {
  if (!hasHiddenCharacter(text)) return text;
  // Every second piece is a color.
  const pieces = text.split(COLOR);
  const clean = pieces
    .map((piece, i) =>
      i % 2 === 1 ? piece : replaceHiddenCharacters(piece, (found) => showHidden(found, lineFeed)),
    )
    .join('');
  // A color that isn't reset would run on into other lines.
  return pieces.length > 1 && !clean.endsWith(RESET) ? `${clean}${RESET}` : clean;
}

function showHidden(character: string, lineFeed: string): string {
  if (character === '\t') return character;
  if (character === '\n') return lineFeed;
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code > 0xffff) return `\\u{${digits}}`;
  return code > 0xff ? `\\u${digits.padStart(4, '0')}` : `\\x${digits.padStart(2, '0')}`;
}

/** JSON that is safe for a terminal, too: `JSON.stringify` escapes control characters only as far as U+001F. */
export function terminalSafeJson(value: unknown, indent?: number): string {
  return replaceHiddenCharacters(JSON.stringify(value, null, indent), (found) =>
    found === '\n' ? found : escapeUnits(found),
  );
}

/** As JSON has it: of a character beyond U+FFFF both halves (RFC 8259 section 7). */
function escapeUnits(character: string): string {
  let escaped = '';
  for (let i = 0; i < character.length; i++)
    escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return escaped;
}
