/** JSON whose numbers keep what they say. `JSON.parse` makes doubles of them: an id of 19 digits becomes another id, and 1e400 becomes nothing. */

const QUOTE = 0x22;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const BACKSLASH = 0x5c;

const NUMBER = /[-+.\deE]+/y;
/** A double holds all numbers of so many digits. */
const EXACT_DIGITS = 15;
/** A double with fewer digits than that is smaller than this. */
const SMALLEST_NORMAL = 2 ** -1022;
/** Doubles have exponents of two digits, but for the largest and smallest ones. */
const LONG_EXPONENT = /[\d.][eE][-+]?\d{3}/;

/**
 * Parses a text of JSON. Numbers that a double doesn't hold, and that would be others or none, become texts that are written as they were.
 * @throws SyntaxError as `JSON.parse`
 */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return hasLongNumber(text) || LONG_EXPONENT.test(text) ? JSON.parse(quoteInexactNumbers(text)) : value;
}

/** Are there more digits behind each other, in a number or a string? Every so many characters are looked at: most texts have none. */
function hasLongNumber(text: string): boolean {
  const step = EXACT_DIGITS + 1;
  for (let i = step - 1; i < text.length; i += step) {
    if (!isDigitOrPoint(text.charCodeAt(i))) continue;
    let characters = 1;
    for (let at = i - 1; isDigitOrPoint(text.charCodeAt(at)); at--) characters++;
    for (let at = i + 1; isDigitOrPoint(text.charCodeAt(at)); at++) characters++;
    if (characters > EXACT_DIGITS) return true;
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
  const digits = significantDigits(number);
  if (digits === '') return false;
  const size = Math.abs(Number(number));
  if (!(size >= SMALLEST_NORMAL && size < Number.POSITIVE_INFINITY)) return true;
  const written = String(size);
  // A whole one without an exponent may be somebody's name: its zeros count.
  if (/^-?\d+$/.test(number)) return written !== number.replace('-', '');
  return digits.length > EXACT_DIGITS && significantDigits(written) !== digits;
}

/** Of a number: its digits without the zeros around them. '' for zero. */
function significantDigits(number: string): string {
  const exponentAt = number.search(/[eE]/);
  const digits = (exponentAt === -1 ? number : number.slice(0, exponentAt)).replace(/[-.]/g, '');
  let start = 0;
  let end = digits.length;
  while (start < end && digits.charCodeAt(start) === ZERO) start++;
  while (end > start && digits.charCodeAt(end - 1) === ZERO) end--;
  return digits.slice(start, end);
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9;
}

function isDigitOrPoint(code: number): boolean {
  return isDigit(code) || code === POINT;
}

/** What is behind a string whose first character is at `at`. */
function skipString(text: string, at: number): number {
  let i = at;
  for (let code = text.charCodeAt(i); code !== QUOTE; code = text.charCodeAt(i))
    i += code === BACKSLASH ? 2 : 1;
  return i + 1;
}
