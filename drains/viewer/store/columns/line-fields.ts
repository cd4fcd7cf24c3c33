/**
 * Finds all fields of a message in one pass over its bytes: pairs of logfmt, and the keys of the outermost object of one piece of JSON. What it
 * finds is all that a query would find (`logs/query/field-scanner.ts`) under names of these characters, or it says that it doesn't know.
 */

/** Fields of one message. */
const FIELDS_MAX = 64;
const VALUE_BYTES_MAX = 100;
const DEPTH_MAX = 30;
/** Rows of {@link LineFields.colons}. */
const COLON_BITS = 12;

const ESCAPE = 0x1b;
const QUOTE = 0x22;
const HASH = 0x23;
const OPEN_PARENTHESIS = 0x28;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const EQUALS = 0x3d;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Of each byte: what it is in a message. */
const SPACE_KIND = 1;
/** Punctuation that isn't part of a value when it is its last. */
const TRIMMED_KIND = 2;
const PLAIN_KIND = 3;
/** Of names, and of JSON's numbers and words. */
const NAME_KIND = 4;
const KINDS = new Uint8Array(256);
/** Each byte in small letters. */
export const SMALL_LETTERS = new Uint8Array(256);
for (let code = 0; code < 256; code++) {
  const character = String.fromCharCode(code);
  SMALL_LETTERS[code] = /[A-Z]/.test(character) ? code | 0x20 : code;
  if (code === 0x20 || (code >= 9 && code <= 13)) KINDS[code] = SPACE_KIND;
  else if (',;)]}'.includes(character)) KINDS[code] = TRIMMED_KIND;
  else if (/[-+.\w]/.test(character) && code < 0x80) KINDS[code] = NAME_KIND;
  else if (code > 0x20 && code < 0x7f && code !== BACKSLASH) KINDS[code] = PLAIN_KIND;
}

/** Names of fields that are found here; others have to be looked for in the message. */
export function isColumnName(name: string): boolean {
  return /^[-+\w]{1,64}$/.test(name);
}

/** Fields of one message, in their order. */
export class LineFields {
  /** How many there are; where their names and values begin and end. */
  count = 0;
  readonly nameStart = new Int32Array(FIELDS_MAX);
  readonly nameEnd = new Int32Array(FIELDS_MAX);
  /** -1 for a value that isn't known: it has escapes in it, is long, or is an object. */
  readonly valueStart = new Int32Array(FIELDS_MAX);
  readonly valueEnd = new Int32Array(FIELDS_MAX);
  /** A bit for each {@link colonRow} of what stands before a colon, which a query for `name:value` finds as a text; set until it is cleared. */
  readonly colons = new Uint8Array(1 << (COLON_BITS - 3));
  private bytes: Uint8Array = new Uint8Array();
  private end = 0;
  private at = 0;

  /** Reads the message `bytes[start, end)`; false when there may be more, or other fields than those that it found. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.end = end;
    this.count = 0;
    let isKnown = true;
    let nameStart = start;
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      if (KINDS[byte] === NAME_KIND) continue;
      if (byte === OPEN_BRACE) return this.readJson(start, i) && isKnown;
      if (byte === COLON) this.noteColon(i);
      else if (byte === ESCAPE) isKnown = false;
      else if (byte === EQUALS) {
        const isQuoted = i + 1 < end && bytes[i + 1] === QUOTE;
        const before = nameStart > start ? bytes[nameStart - 1] : 0x20;
        const isPair = i > nameStart && KINDS[before] === SPACE_KIND;
        // Behind a bracket, or a name of l2met, is a field, too.
        if (
          i > nameStart &&
          (before === HASH || before === OPEN_PARENTHESIS || before === OPEN_BRACKET || before === OPEN_BRACE)
        )
          isKnown = false;
        if (isQuoted) {
          const close = this.quoteEnd(i + 2);
          if (close < 0) return this.giveUp(i);
          if (isPair && !this.add(nameStart, i, this.isPlain ? i + 2 : -1, close)) isKnown = false;
          i = close;
        } else if (isPair && !this.addWord(nameStart, i)) isKnown = false;
      }
      nameStart = i + 1;
    }
    return isKnown;
  }

  /** Notes colons of what isn't read otherwise. */
  private giveUp(from: number): false {
    for (
      let i = this.bytes.indexOf(COLON, from);
      i !== -1 && i < this.end;
      i = this.bytes.indexOf(COLON, i + 1)
    )
      this.noteColon(i);
    return false;
  }

  private noteColon(at: number): void {
    const { bytes } = this;
    const before = bytes[at - 1];
    // Times of day have endless ones; who asks for a name with a digit at its end doesn't ask here.
    if (KINDS[before] !== NAME_KIND || (before >= ZERO && before <= NINE)) return;
    const row = rowOf(bytes[at - 3], bytes[at - 2], bytes[at - 1]);
    this.colons[row >>> 3] |= 1 << (row & 7);
  }

  private add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): boolean {
    const { count } = this;
    if (count === FIELDS_MAX) return false;
    this.nameStart[count] = nameStart;
    this.nameEnd[count] = nameEnd;
    this.valueStart[count] = valueEnd - valueStart > VALUE_BYTES_MAX ? -1 : valueStart;
    this.valueEnd[count] = valueEnd;
    this.count++;
    return true;
  }

  /** A value without quotes, behind the `=` at `equals`. */
  private addWord(nameStart: number, equals: number): boolean {
    const { bytes, end } = this;
    let isPlain = true;
    let i = equals + 1;
    for (; i < end; i++) {
      const kind = KINDS[bytes[i]];
      if (kind === SPACE_KIND) break;
      if (kind === 0) isPlain = false;
      else if (bytes[i] === OPEN_BRACE) return false;
    }
    let valueEnd = i;
    while (valueEnd > equals + 1 && KINDS[bytes[valueEnd - 1]] === TRIMMED_KIND) valueEnd--;
    return this.add(nameStart, equals, isPlain ? equals + 1 : -1, valueEnd);
  }

  /** Has the text up to {@link quoteEnd} neither escapes nor bytes beyond ASCII? */
  private isPlain = true;

  /** Where the quote is that ends a text in a message without JSON; -1 when it has none, or a brace in it. */
  private quoteEnd(from: number): number {
    const { bytes, end } = this;
    this.isPlain = true;
    for (let i = from; i < end; i++) {
      const byte = bytes[i];
      if (byte === QUOTE) return i;
      if (byte === OPEN_BRACE || byte === ESCAPE) return -1;
      if (byte === COLON) this.noteColon(i);
      else if (byte === BACKSLASH) {
        this.isPlain = false;
        i++;
        if (i < end && bytes[i] === OPEN_BRACE) return -1;
      } else if (byte >= 0x80) this.isPlain = false;
    }
    return -1;
  }

  /** Reads one object, behind which there is none. */
  private readJson(start: number, open: number): boolean {
    if (!this.walk(open)) return this.giveUp(open);
    const { bytes, end } = this;
    for (let i = this.at; i < end; i++) {
      if (bytes[i] === OPEN_BRACE || bytes[i] === ESCAPE) return this.giveUp(i);
      if (bytes[i] === COLON) this.noteColon(i);
    }
    // A pair before it may end in the middle of a word.
    return open === start || KINDS[bytes[open - 1]] === SPACE_KIND;
  }

  private walk(open: number): boolean {
    const { bytes, end } = this;
    let i = skipSpace(bytes, open + 1, end);
    let depth = 1;
    // A bit for each that is open: is it an object?
    let objects = 1;
    let wantsKey = true;
    if (bytes[i] === CLOSE_BRACE) return false;
    while (i < end) {
      i = skipSpace(bytes, i, end);
      const byte = bytes[i];
      if (i >= end) return false;
      let name = -1;
      let nameEnd = 0;
      if (wantsKey) {
        if (byte !== QUOTE) return false;
        nameEnd = this.textEnd(i + 1);
        if (nameEnd < 0 || !this.isPlain) return false;
        name = i + 1;
        i = skipSpace(bytes, nameEnd + 1, end);
        if (bytes[i] !== COLON) return false;
        i = skipSpace(bytes, i + 1, end);
        if (i >= end) return false;
      }
      const isField = name >= 0 && depth === 1;
      const first = bytes[i];
      if (first === OPEN_BRACE || first === OPEN_BRACKET) {
        if (isField && !this.add(name, nameEnd, -1, 0)) return false;
        if (++depth > DEPTH_MAX) return false;
        const isObject = first === OPEN_BRACE;
        objects = (objects << 1) | (isObject ? 1 : 0);
        i = skipSpace(bytes, i + 1, end);
        if (bytes[i] !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
          wantsKey = isObject;
          continue;
        }
      } else if (first === QUOTE) {
        const close = this.textEnd(i + 1);
        if (close < 0) return false;
        if (isField && !this.add(name, nameEnd, this.isPlain ? i + 1 : -1, close)) return false;
        i = skipSpace(bytes, close + 1, end);
      } else {
        const from = i;
        while (i < end && KINDS[bytes[i]] === NAME_KIND) i++;
        if (i === from || i - from > VALUE_BYTES_MAX) return false;
        if (isField && !this.add(name, nameEnd, from, i)) return false;
        i = skipSpace(bytes, i, end);
      }
      // Behind a value.
      for (;;) {
        if (i >= end) return false;
        const isObject = (objects & 1) === 1;
        const next = bytes[i];
        if (next === COMMA) {
          wantsKey = isObject;
          i++;
          break;
        }
        if (next !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) return false;
        i++;
        objects >>= 1;
        if (--depth === 0) {
          this.at = i;
          return true;
        }
        i = skipSpace(bytes, i, end);
      }
    }
    return false;
  }

  /** Where the quote is that ends a text of JSON; -1 when there is none, or a color code in it. */
  private textEnd(from: number): number {
    const { bytes, end } = this;
    this.isPlain = true;
    for (let i = from; i < end; i++) {
      const byte = bytes[i];
      if (byte === QUOTE) return i;
      if (byte === COLON) this.noteColon(i);
      else if (byte === BACKSLASH) {
        this.isPlain = false;
        i++;
      } else if (byte >= 0x80) this.isPlain = false;
      else if (byte === ESCAPE) return -1;
    }
    return -1;
  }
}

/** The row of a name, by its last three characters; undefined for one that has fewer, or ends with a digit. */
export function colonRow(name: string): number | undefined {
  if (name.length < 3 || /\d$/.test(name)) return undefined;
  const bytes = Buffer.from(name.slice(-3), 'latin1');
  return rowOf(bytes[0], bytes[1], bytes[2]);
}

function rowOf(a: number, b: number, c: number): number {
  const three = (SMALL_LETTERS[a] << 16) | (SMALL_LETTERS[b] << 8) | SMALL_LETTERS[c];
  return Math.imul(three, 0x9e3779b1) >>> (32 - COLON_BITS);
}

function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let i = from;
  while (i < end && KINDS[bytes[i]] === SPACE_KIND) i++;
  return i;
}
