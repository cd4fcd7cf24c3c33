/**
 * Looks through JSON before it is parsed: where its values are, and whether they are within limits. A few kilobytes can be a
 * million brackets deep, and `JSON.parse` would build all of it before anybody could refuse it.
 */
import { TailraceError } from '../errors.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** How much JSON may have of what costs more than its bytes. */
export interface JsonLimits {
  /** Objects and arrays within each other. */
  readonly depth: number;
  /** Of one object. */
  readonly keys: number;
  /** Objects and arrays in all. */
  readonly containers: number;
}

/** Of bodies with lines. */
export const JSON_LIMITS: JsonLimits = { depth: 100, keys: 20_000, containers: 1_000_000 };
/** Of a resource, and of app.json: more than any has. */
export const RESOURCE_JSON_LIMITS: JsonLimits = { depth: 32, keys: 5_000, containers: 20_000 };

/** Finds the values of a text one after the other. It checks brackets and strings only: what isn't JSON is for `JSON.parse`. */
export class JsonScanner {
  private readonly bytes: Uint8Array;
  private readonly limits: JsonLimits;
  private limit: number;
  /** Keys of the objects that are open now, by depth. */
  private readonly keys: Uint32Array;
  /** The value that {@link next} found. */
  start = 0;
  end = 0;
  /** Elements of that value when it is an array; 0 or 1 for none. */
  elements = 0;
  /** A newline is between it and the value before it. */
  isOnNewLine = true;
  /** Objects and arrays so far, of all values. */
  containers = 0;

  constructor(bytes: Uint8Array, limits = JSON_LIMITS) {
    this.bytes = bytes;
    this.limits = limits;
    this.limit = bytes.length;
    this.keys = new Uint32Array(limits.depth + 1);
    this.setRange(0, bytes.length);
  }

  /** The values in `[start, end)` are next. */
  setRange(start: number, end: number): void {
    this.limit = end;
    this.end = hasByteOrderMark(this.bytes, start) ? start + 3 : start;
  }

  /**
   * Finds the next value; false when there is none.
   * @throws TailraceError `bad_request` when it is nested too deep or an object has too many keys, `too_large` for too many objects.
   */
  next(): boolean {
    const { bytes, limit } = this;
    let at = this.end;
    this.isOnNewLine = false;
    for (; at < limit; at++) {
      const byte = bytes[at];
      if (byte === NEWLINE) this.isOnNewLine = true;
      else if (byte !== SPACE && byte !== 0x09 && byte !== 0x0d) break;
    }
    this.start = at;
    this.end = at;
    if (at >= limit) return false;
    this.elements = 0;
    const byte = bytes[at];
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.end = this.skipContainer(at);
    else if (byte === QUOTE) this.end = this.skipString(at);
    else while (this.end < limit && !isSpace(bytes[this.end])) this.end++;
    return true;
  }

  /** What is behind the object or array at `at`. */
  private skipContainer(at: number): number {
    const { bytes, limit, keys } = this;
    const { depth: depthMax, keys: keysMax, containers: containersMax } = this.limits;
    let depth = 0;
    let commas = 0;
    for (let i = at; i < limit; i++)
      switch (bytes[i]) {
        case QUOTE:
          i = this.skipString(i) - 1;
          break;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          if (++depth > depthMax)
            throw new TailraceError('bad_request', 'Bad request: the JSON is nested too deep.');
          if (++this.containers > containersMax)
            throw new TailraceError('too_large', `The JSON has over ${containersMax} objects and arrays.`);
          keys[depth] = 0;
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          if (--depth > 0) break;
          this.elements = commas + 1;
          return i + 1;
        case COLON:
          if (++keys[depth] > keysMax)
            throw new TailraceError('bad_request', `Bad request: an object in it has over ${keysMax} keys.`);
          break;
        case COMMA:
          if (depth === 1) commas++;
          break;
      }
    this.elements = commas + 1;
    return limit;
  }

  /** What is behind the string that begins at `at`. */
  private skipString(at: number): number {
    const { bytes, limit } = this;
    let i = at + 1;
    for (let byte = bytes[i]; i < limit && byte !== QUOTE; byte = bytes[i]) i += byte === BACKSLASH ? 2 : 1;
    return i < limit ? i + 1 : limit;
  }
}

/**
 * Is a text of one value within the limits?
 * @throws TailraceError as {@link JsonScanner.next}
 */
export function assertJsonWithinLimits(bytes: Uint8Array, limits: JsonLimits): void {
  const scanner = new JsonScanner(bytes, limits);
  while (scanner.next());
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}

function hasByteOrderMark(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;
}
