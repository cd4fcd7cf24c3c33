/**
 * Characters of foreign text that nobody sees, or that change how others are shown: control characters, changes of the writing
 * direction, separators of lines, and what has no width (Unicode's Default_Ignorable_Code_Point). Terminal and page show them by
 * number, so that no text can pass itself off as another.
 *
 * Pure, and without imports: the page's program has it, too.
 */

/** Every one of them: where none is, a text can be shown as it is. */
const ANY = /[\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\ufff9-\ufffb]/u;
const PICTURE = '\\p{Extended_Pictographic}';
/** Scripts whose words are spelled with joiners (UAX #31 section 2.3). */
const JOINED = 'Arab Syrc Nkoo Mong Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh'.replace(
  /\w+ ?/g,
  (script) => `\\p{Script=${script.trim()}}`,
);
/** Where they belong to what is seen: in emoji, and between the letters of such scripts. */
const BELONGING = [
  `(?<=${PICTURE})[\\ufe0e\\ufe0f]`,
  '(?<=[0-9#*])\\ufe0f(?=\\u20e3)',
  `(?<=[${PICTURE}\\p{Emoji_Modifier}\\ufe0f])\\u200d(?=${PICTURE})`,
  `(?<=[${JOINED}])[\\u200c\\u200d](?=[${JOINED}])`,
].join('|');

/** Made for the first text that has one: what Unicode says of all these takes longer than a command's other work. */
let hidden: RegExp | undefined;

/** Is there a hidden character in a text? Tabs and line feeds are some as well. */
export function hasHiddenCharacter(text: string): boolean {
  return ANY.test(text);
}

/** The hidden characters of a text, but for those that belong where they are. */
export function findHiddenCharacters(text: string): Iterable<{ readonly 0: string; readonly index: number }> {
  return ANY.test(text) ? text.matchAll(hiddenPattern()) : [];
}

/** The text with these replaced. */
export function replaceHiddenCharacters(text: string, show: (character: string) => string): string {
  return ANY.test(text) ? text.replace(hiddenPattern(), show) : text;
}

function hiddenPattern(): RegExp {
  hidden ??= new RegExp(`(?=${ANY.source})(?!${BELONGING}).`, 'gsu');
  return hidden;
}
