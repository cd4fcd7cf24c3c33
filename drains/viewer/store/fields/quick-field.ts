/**
 * Reads a field of the two forms that most lines have, from their bytes: a pair of logfmt in a message without JSON, and a key of the outermost
 * object of a message that is JSON. It gives what `fieldReader` gives, or says that it doesn't know.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const EQUALS = 0x3d;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const DEPTH_MAX = 30;
const VALUE_BYTES_MAX = 100;

/** Of each byte: what it is in a value that stands without quotes. */
const SPACE_KIND = 1;
/** Punctuation that isn't part of the value when it is its last. */
const TRIMMED_KIND = 2;
const PLAIN_KIND = 3;
const KINDS = new Uint8Array(256);
for (let code = 0; code < 128; code++) {
  const isSpace = code === 0x20 || (code >= 9 && code <= 13);
  if (isSpace) KINDS[code] = SPACE_KIND;
  else if (',;)]}'.includes(String.fromCharCode(code))) KINDS[code] = TRIMMED_KIND;
  else if (code > 0x20 && code < 0x7f && code !== BACKSLASH) KINDS[code] = PLAIN_KIND;
}
/** Numbers and words of JSON, as `fieldReader` takes them. */
const IS_JSON_WORD = new Uint8Array(256);
for (const character of '-+.0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
  IS_JSON_WORD[character.charCodeAt(0)] = 1;

/** What may be in front of a name within a longer one, which is another field then. */
const IS_NAME = IS_JSON_WORD;

/** Where a value is. */
export class QuickField {
  private readonly name: Uint8Array;
  start = 0;
  end = 0;

  /** @param name in small ASCII letters */
  constructor(name: string) {
    this.name = Buffer.from(name, 'latin1');
  }

  /** Finds the first value in the message `bytes[start, end)`: true when it is at {@link start}; false when it isn't known whether there is one. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes[start] === OPEN_BRACE) return this.findKey(bytes, start, end);
    return this.findPair(bytes, start, end);
  }

  private findPair(bytes: Uint8Array, start: number, end: number): boolean {
    const { length } = this.name;
    let found = false;
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      // JSON comes first, wherever it is.
      if (byte === OPEN_BRACE) return false;
      if (byte !== EQUALS || found) continue;
      const isQuoted = i + 1 < end && bytes[i + 1] === QUOTE;
      const at = i - length;
      if (this.isName(bytes, at, start) && (at === start || !IS_NAME[bytes[at - 1]])) {
        // Behind a bracket, or a name of l2met.
        if (at > start && KINDS[bytes[at - 1]] !== SPACE_KIND) return false;
        if (!(isQuoted ? this.takeQuoted(bytes, i + 2, end) : this.takeWord(bytes, i + 1, end))) return false;
        found = true;
        continue;
      }
      if (!isQuoted) continue;
      i += 2;
      while (i < end && bytes[i] !== QUOTE) {
        if (bytes[i] === OPEN_BRACE) return false;
        i += bytes[i] === BACKSLASH ? 2 : 1;
      }
    }
    return found;
  }

  private isName(bytes: Uint8Array, at: number, start: number): boolean {
    const { name } = this;
    if (at < start) return false;
    for (let k = name.length - 1; k >= 0; k--) if ((bytes[at + k] | 0x20) !== name[k]) return false;
    return true;
  }

  private takeQuoted(bytes: Uint8Array, from: number, end: number): boolean {
    let i = from;
    while (i < end && bytes[i] !== QUOTE) {
      if (bytes[i] >= 0x80 || bytes[i] === BACKSLASH) return false;
      i++;
    }
    return this.take(from, i, i < end);
  }

  private takeWord(bytes: Uint8Array, from: number, end: number): boolean {
    let i = from;
    while (i < end && KINDS[bytes[i]] !== SPACE_KIND) {
      if (KINDS[bytes[i]] === 0) return false;
      i++;
    }
    while (i > from && KINDS[bytes[i - 1]] === TRIMMED_KIND) i--;
    return this.take(from, i, true);
  }

  private take(start: number, end: number, isWhole: boolean): boolean {
    this.start = start;
    this.end = end;
    return isWhole && end - start <= VALUE_BYTES_MAX;
  }

  /** Walks over an object up to the key; false at everything that isn't plain. */
  private findKey(bytes: Uint8Array, start: number, end: number): boolean {
    let i = start + 1;
    let depth = 1;
    // A bit for each that is open: is it an object?
    let objects = 1;
    let wantsKey = true;
    while (i < end) {
      const byte = bytes[i];
      if (KINDS[byte] === SPACE_KIND) {
        i++;
        continue;
      }
      if (wantsKey) {
        if (byte !== QUOTE) return false;
        const close = this.closeOf(bytes, i + 1, end);
        if (close === -1) return false;
        const isWanted =
          depth === 1 && close - i - 1 === this.name.length && this.isName(bytes, i + 1, i + 1);
        i = skipSpace(bytes, close + 1, end);
        if (bytes[i] !== COLON) return false;
        i = skipSpace(bytes, i + 1, end);
        if (isWanted) return this.takeJson(bytes, i, end);
        wantsKey = false;
        continue;
      }
      // A value.
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (++depth > DEPTH_MAX) return false;
        const isObject = byte === OPEN_BRACE;
        objects = (objects << 1) | (isObject ? 1 : 0);
        i = skipSpace(bytes, i + 1, end);
        if (bytes[i] !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
          wantsKey = isObject;
          continue;
        }
      } else if (byte === QUOTE) {
        const close = this.closeOf(bytes, i + 1, end);
        if (close === -1) return false;
        i = skipSpace(bytes, close + 1, end);
      } else {
        const from = i;
        while (i < end && IS_JSON_WORD[bytes[i]] === 1) i++;
        if (i === from || i - from > VALUE_BYTES_MAX) return false;
        i = skipSpace(bytes, i, end);
      }
      // Behind a value.
      for (;;) {
        const isObject = (objects & 1) === 1;
        const next = bytes[i];
        if (i >= end) return false;
        if (next === COMMA) {
          wantsKey = isObject;
          i++;
          break;
        }
        if (next !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) return false;
        objects >>= 1;
        if (--depth === 0) return false;
        i = skipSpace(bytes, i + 1, end);
      }
    }
    return false;
  }

  private takeJson(bytes: Uint8Array, at: number, end: number): boolean {
    if (bytes[at] === QUOTE) return this.takeQuoted(bytes, at + 1, end);
    let i = at;
    while (i < end && IS_JSON_WORD[bytes[i]] === 1) i++;
    // `null` is no value.
    return this.take(at, i, i > at && bytes[at] !== 0x6e);
  }

  /** Where the quote is that ends a text without escapes; -1 when it has some, or no end. */
  private closeOf(bytes: Uint8Array, from: number, end: number): number {
    for (let i = from; i < end; i++) {
      if (bytes[i] === QUOTE) return i;
      if (bytes[i] === BACKSLASH) return -1;
    }
    return -1;
  }
}

function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let i = from;
  while (i < end && KINDS[bytes[i]] === SPACE_KIND) i++;
  return i;
}
