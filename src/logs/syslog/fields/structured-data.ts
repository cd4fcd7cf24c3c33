/**
 * Structured data (RFC 5424 section 6.3): the one reader of `[SD-ID NAME="VALUE" …][SD-ID]`, by offsets into the sender's bytes.
 *
 * It takes a little more than the grammar allows: more than one space, and spaces before the closing bracket; `]` without a
 * backslash within a value, which is in quotes anyway; values that aren't UTF-8. {@link writeStructuredData} gives spaces and values
 * their form again.
 */
import { isUtf8 } from 'node:buffer';
import { findToken, TOKEN_MASK, tokenEnd } from './token-text.ts';

const SPACE = 0x20;
const QUOTE = 0x22;
const DOT = 0x2e;
const EQUALS = 0x3d;
const AT_SIGN = 0x40;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const ZERO = 0x30;
const NINE = 0x39;
const DELETE = 0x7f;

/** The element that a sender puts its token into (32473 is RFC 5612's number for examples and private use). */
const TOKEN_ELEMENT = Buffer.from('tailrace@32473');

/** Longest SD-NAME: of elements and of parameters. */
const NAME_BYTES_MAX = 32;
/** Structured data that are stored as such; longer ones go in front of the message. */
export const STRUCTURED_DATA_BYTES_MAX = 8_192;

/** Offsets of one parameter, absolute. */
class DataParameter {
  nameStart = 0;
  nameEnd = 0;
  /** Between the quotes, with its backslashes. */
  valueStart = 0;
  valueEnd = 0;
}

/** Offsets of one element, absolute. */
class DataElement {
  idStart = 0;
  idEnd = 0;
  /** Behind the closing bracket. */
  end = 0;
  hasParameters = false;
  /** A name is longer than section 6 allows. */
  hasLongName = false;
  /** One space before each parameter, and no others. */
  isWellSpaced = false;
}

/** What was read last: line after line is read without allocating. */
const element = new DataElement();
const parameter = new DataParameter();
/** A value had something beyond ASCII. */
let hasHighByte = false;

/** What a header has in the place of structured data. */
export class StructuredDataScan {
  /** Where they end. */
  end = 0;
  /** They can be stored as they are. */
  isClean = false;

  /**
   * Scans the structured data that start at `start`; false when they aren't well formed, or not followed by a space or the line's
   * end: then the bracket belongs to the message.
   *
   * A sender who leaves structured data out may begin a message with words in brackets, `[info] started`. So elements without any
   * parameter, which the grammar allows, count only beside one that has some, or when the name of one has an enterprise number, `a@1`.
   */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    hasHighByte = false;
    let isDistinct = false;
    let isClean = true;
    let i = start;
    while (i < end && bytes[i] === OPEN_BRACKET) {
      if (!readElement(bytes, i, end)) return false;
      isDistinct ||= element.hasParameters || hasEnterpriseNumber(bytes);
      isClean &&= element.isWellSpaced && !element.hasLongName && !isTokenElement(bytes);
      i = element.end;
    }
    if (!isDistinct || (i < end && bytes[i] !== SPACE)) return false;
    this.end = i;
    this.isClean =
      isClean &&
      i - start <= STRUCTURED_DATA_BYTES_MAX &&
      findToken(bytes, start, i) === -1 &&
      (!hasHighByte || isUtf8(bytes.subarray(start, i)));
    return true;
  }
}

/** Reads what starts at `start` into {@link element}; false when it is no element that is well formed. */
function readElement(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== OPEN_BRACKET) return false;
  let i = skipSpaces(bytes, start + 1, end);
  element.isWellSpaced = i === start + 1;
  element.hasParameters = false;
  element.idStart = i;
  i = skipName(bytes, i, end);
  element.idEnd = i;
  element.hasLongName = i - element.idStart > NAME_BYTES_MAX;
  if (i === element.idStart) return false;
  for (;;) {
    const spaces = i;
    i = skipSpaces(bytes, i, end);
    if (i >= end) return false;
    if (bytes[i] === CLOSE_BRACKET) {
      if (i > spaces) element.isWellSpaced = false;
      element.end = i + 1;
      return true;
    }
    if (i === spaces || !readParameter(bytes, i, end)) return false;
    if (i - spaces > 1) element.isWellSpaced = false;
    if (parameter.nameEnd - i > NAME_BYTES_MAX) element.hasLongName = true;
    element.hasParameters = true;
    i = parameter.valueEnd + 1;
  }
}

/** Reads `NAME="VALUE"` at `start` into {@link parameter}. */
function readParameter(bytes: Uint8Array, start: number, end: number): boolean {
  let i = skipName(bytes, start, end);
  if (i === start || i + 1 >= end || bytes[i] !== EQUALS || bytes[i + 1] !== QUOTE) return false;
  parameter.nameStart = start;
  parameter.nameEnd = i;
  i += 2;
  parameter.valueStart = i;
  for (; i < end; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) break;
    if (byte === BACKSLASH && bytes[++i] > DELETE) hasHighByte = true;
    if (byte > DELETE) hasHighByte = true;
  }
  parameter.valueEnd = i;
  return i < end;
}

/**
 * Writes the structured data `from[start, end)`, which were scanned, to `out` at `at`, as they are stored: without the elements that
 * hold a sender's token, other tokens masked, names cut to 32 bytes, in UTF-8, with one space before each parameter. Returns the new end; `at` when nothing is
 * left. It takes no more than they did.
 */
export function writeStructuredData(
  from: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  const bytes = from.subarray(start, end);
  // One question mark for what isn't a character: it takes no more bytes.
  const valid = isUtf8(bytes) ? bytes : Buffer.from(Buffer.from(bytes).toString().replaceAll('\ufffd', '?'));
  return writeElements(valid, out, at);
}

function writeElements(from: Uint8Array, out: Uint8Array, at: number): number {
  const end = from.length;
  let o = at;
  for (let i = 0; i < end && readElement(from, i, end); i = element.end) {
    if (isTokenElement(from)) continue;
    out[o++] = OPEN_BRACKET;
    o = writeName(from, element.idStart, element.idEnd, out, o);
    let p = skipSpaces(from, element.idEnd, end);
    for (; readParameter(from, p, end); p = skipSpaces(from, parameter.valueEnd + 1, end)) {
      out[o++] = SPACE;
      o = writeName(from, parameter.nameStart, parameter.nameEnd, out, o);
      o = writeMasked(from, parameter.nameEnd, parameter.valueEnd + 1, out, o);
    }
    out[o++] = CLOSE_BRACKET;
  }
  return o;
}

/** The value of the parameter `token` of an element that holds a sender's token; undefined when there is none. */
export function readTokenElement(bytes: Uint8Array, start: number, end: number): string | undefined {
  for (let i = start; i < end && readElement(bytes, i, end); i = element.end) {
    if (!isTokenElement(bytes)) continue;
    let p = skipSpaces(bytes, element.idEnd, end);
    for (; readParameter(bytes, p, end); p = skipSpaces(bytes, parameter.valueEnd + 1, end))
      if (text(bytes, parameter.nameStart, parameter.nameEnd) === 'token')
        return text(bytes, parameter.valueStart, parameter.valueEnd);
  }
  return undefined;
}

/** Does an element that holds a sender's token start at `start`, well formed or not? */
export function startsTokenElement(bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = TOKEN_ELEMENT;
  if (start + length >= end || bytes[start] !== OPEN_BRACKET) return false;
  for (let k = 0; k < length; k++) if (bytes[start + 1 + k] !== TOKEN_ELEMENT[k]) return false;
  return true;
}

function isTokenElement(bytes: Uint8Array): boolean {
  const { idStart, idEnd } = element;
  if (idEnd - idStart !== TOKEN_ELEMENT.length) return false;
  for (let k = 0; k < TOKEN_ELEMENT.length; k++) if (bytes[idStart + k] !== TOKEN_ELEMENT[k]) return false;
  return true;
}

/** Does the name end with `@` and a number, which may be dotted (section 6.3.2)? */
function hasEnterpriseNumber(bytes: Uint8Array): boolean {
  let i = element.idEnd - 1;
  while (i > element.idStart && ((bytes[i] >= ZERO && bytes[i] <= NINE) || bytes[i] === DOT)) i--;
  return i > element.idStart && i < element.idEnd - 1 && bytes[i] === AT_SIGN;
}

/** Writes a name, cut to its length. */
function writeName(from: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  return Math.min(writeMasked(from, start, end, out, at), at + NAME_BYTES_MAX);
}

/** Writes `from[start, end)` with tokens masked. */
function writeMasked(from: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  let o = at;
  let i = start;
  for (let token = findToken(from, i, end); token !== -1; token = findToken(from, i, end)) {
    while (i < token) out[o++] = from[i++];
    for (let k = 0; k < TOKEN_MASK.length; k++) out[o++] = TOKEN_MASK.charCodeAt(k);
    i = tokenEnd(from, token, end);
  }
  while (i < end) out[o++] = from[i++];
  return o;
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

function skipSpaces(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i] === SPACE) i++;
  return i;
}

/** SD-NAME: printable ASCII but `=`, `]` and `"`. Longer ones than section 6 allows are taken, and cut when they are stored. */
function skipName(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  for (; i < end; i++) {
    const byte = bytes[i];
    if (byte <= SPACE || byte >= DELETE || byte === EQUALS || byte === CLOSE_BRACKET || byte === QUOTE) break;
  }
  return i;
}
