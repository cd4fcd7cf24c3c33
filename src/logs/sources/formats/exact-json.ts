/** JSON whose whole numbers keep their digits. `JSON.parse` makes doubles of them: an id of 19 digits becomes another id. */

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const BACKSLASH = 0x5c;

const NUMBER = /[-+.\deE]+/y;
/** A double holds all whole numbers of so many digits. */
const EXACT_DIGITS = 15;

/**
 * Parses a text of JSON. Whole numbers that a double doesn't hold become texts with the same digits.
 * @throws SyntaxError as `JSON.parse`
 */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return hasLongNumber(text) ? JSON.parse(quoteInexactNumbers(text)) : value;
}

/** Are there more digits behind each other, in a number or a string? Every so many characters are looked at: most texts have none. */
function hasLongNumber(text: string): boolean {
  const step = EXACT_DIGITS + 1;
  for (let i = step - 1; i < text.length; i += step) {
    if (!isDigit(text.charCodeAt(i))) continue;
    let digits = 1;
    for (let at = i - 1; isDigit(text.charCodeAt(at)); at--) digits++;
    for (let at = i + 1; isDigit(text.charCodeAt(at)); at++) digits++;
    if (digits > EXACT_DIGITS) return true;
  }
  return false;
}

/** The text, which is JSON, with such numbers in quotes. */
function quoteInexactNumbers(text: string): string {
  let quoted = '';
  let copied = 0;
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = skipString(text, i + 1);
    else if (code === MINUS || isDigit(code)) {
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
  return number.length > EXACT_DIGITS && /^-?\d+$/.test(number) && String(Number(number)) !== number;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9;
}

/** What is behind a string whose first character is at `at`. */
function skipString(text: string, at: number): number {
  let i = at;
  for (let code = text.charCodeAt(i); code !== QUOTE; code = text.charCodeAt(i))
    i += code === BACKSLASH ? 2 : 1;
  return i + 1;
}
