/** JSON whose numbers keep their digits. `JSON.parse` makes doubles of them: an id of 19 digits becomes another id, and 1E400 nothing. */

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const BACKSLASH = 0x5c;

/** Where a value may begin: a number of 16 digits and more, or one whose exponent may be beyond a double. */
const DOUBTFUL = /(?:^|[:[,])\s*-?(?:\d{16}|\d[\d.]*[eE]\+?\d{3})/;
const NUMBER = /[-+.\deE]+/y;
/** A double holds all whole numbers of fewer digits. */
const EXACT_DIGITS = 15;

/**
 * Parses a text of JSON. Whole numbers that a double doesn't hold, and all that are beyond it, become texts with the same digits.
 * @throws SyntaxError as `JSON.parse`
 */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return DOUBTFUL.test(text) ? JSON.parse(quoteInexactNumbers(text)) : value;
}

/** The text, which is JSON, with such numbers in quotes. */
function quoteInexactNumbers(text: string): string {
  let quoted = '';
  let copied = 0;
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = skipString(text, i + 1);
    else if (code === MINUS || (code >= ZERO && code <= ZERO + 9)) {
      NUMBER.lastIndex = i;
      const number = NUMBER.exec(text)?.[0] ?? '';
      if (isInexact(number)) {
        quoted += `${text.slice(copied, i)}"${number}"`;
        copied = i + number.length;
      }
      i += number.length;
    } else i++;
  }
  return quoted + text.slice(copied);
}

function isInexact(number: string): boolean {
  const isWhole = /^-?\d+$/.test(number);
  if (!isWhole) return !Number.isFinite(Number(number));
  return number.length > EXACT_DIGITS && String(Number(number)) !== number;
}

/** What is behind a string whose first character is at `at`. */
function skipString(text: string, at: number): number {
  let i = at;
  for (let code = text.charCodeAt(i); code !== QUOTE; code = text.charCodeAt(i))
    i += code === BACKSLASH ? 2 : 1;
  return i + 1;
}
