/** Foreign text as the page shows it: what a browser would obey, or not show, by its name. */
import { replaceHiddenCharacters } from '../../common/text/hidden-characters.ts';

/** The text with hidden characters named. */
export function visibleText(text: string): string {
  return replaceHiddenCharacters(text, (character) =>
    isLayout(character) ? character : characterName(character),
  );
}

/** A tab or a line feed. */
export function isLayout(character: string): boolean {
  return character === '\t' || character === '\n';
}

/** The picture of a control character (Unicode block U+2400), or a character's number: `<U+202E>`. */
export function characterName(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '␡' : `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}
