/**
 * Finds the fields of a line: pairs of logfmt, JSON, and RFC 5424 structured data. One pass over the text, without making objects of it: numbers
 * keep all their digits, and what was cut off behind doesn't matter.
 */

import { literalSource } from './text-pattern.ts';

/** What a field's value is given to; true ends the search. */
export type ValueTest = (value: string) => boolean;

/** Objects and arrays within each other. */
const DEPTH_MAX = 64;
/** Characters of what l2met has before a name. */
const PREFIX_MAX = 40;
/** PARAM-NAME, RFC 5424 section 6: longer names were cut when they were stored. */
const PARAM_NAME_MAX = 32;

/** A field that is looked for, by its name: `status`, `user.id`, `items.0.id`, `tags`. */
export class FieldPath {
  /** In lower case, with `.0` for `[0]`. */
  readonly path: string;
  /** Behind the last dot. */
  private readonly lastPart: string;
  /** Its name in logfmt, up to the value. */
  readonly pairPattern: RegExp;

  constructor(name: string) {
    this.path = name
      .toLowerCase()
      .replace(/\[(\d{0,9})\]/g, (_all, index: string) => (index === '' ? '' : `.${index}`));
    this.lastPart = this.path.slice(this.path.lastIndexOf('.') + 1);
    this.pairPattern = new RegExp(`${literalSource(this.path)}=`, 'gi');
  }

  /** Is it this path, with or without the indexes of arrays? Each part is a key, or an index. */
  isPath(keys: readonly (string | number)[]): boolean {
    const last = keys.at(-1);
    // Most paths end here. A key may have dots in it.
    if (typeof last === 'string' && !last.toLowerCase().endsWith(this.lastPart)) return false;
    if (
      keys
        .filter((key) => typeof key === 'string')
        .join('.')
        .toLowerCase() === this.path
    )
      return true;
    return keys.some((key) => typeof key === 'number') && keys.join('.').toLowerCase() === this.path;
  }

  /** May something below this name be what is looked for? */
  isBelow(name: string): boolean {
    const lower = name.toLowerCase();
    return lower === this.path || this.path.startsWith(`${lower}.`);
  }

  /** Is it the name of a parameter of structured data, which may be cut, or behind the name of its element? */
  isParameter(element: string, name: string): boolean {
    const lower = name.toLowerCase();
    if (lower === this.path || (lower.length === PARAM_NAME_MAX && this.path.startsWith(lower))) return true;
    if (!this.path.endsWith(lower)) return false;
    const full = element.toLowerCase();
    const at = full.indexOf('@');
    return this.path === `${full}.${lower}` || (at !== -1 && this.path === `${full.slice(0, at)}.${lower}`);
  }
}

/** Does a field of a message pass the test? */
export function someMessageField(message: string, path: FieldPath, test: ValueTest): boolean {
  let pairsEnd = message.length;
  for (let at = message.indexOf('{'); at !== -1; ) {
    const scanner = new JsonScanner(message, path, test);
    if (scanner.scan(at)) return true;
    // What looks like a pair within JSON is a part of some text.
    if (scanner.isComplete && pairsEnd === message.length) pairsEnd = at;
    at = message.indexOf('{', Math.max(at + 1, scanner.at));
  }
  return somePair(pairsEnd === message.length ? message : message.slice(0, pairsEnd), path, test);
}

const ESCAPED = /\\(.)/gs;

/** Fields of structured data as it is stored, RFC 5424 section 6.3: `[id name="value" …][id …]`. */
export function someDataField(data: string, path: FieldPath, test: ValueTest): boolean {
  for (const { element, name, value } of dataParameters(data)) {
    if (path.isParameter(element, name) && test(value)) return true;
    if ((value.startsWith('{') || value.startsWith('[')) && path.isBelow(name)) {
      const json = new JsonScanner(value, path, test, name);
      if (json.scan(0)) return true;
    }
  }
  return false;
}

interface DataParameter {
  readonly element: string;
  readonly name: string;
  readonly value: string;
}

/** All parameters of structured data. */
export function dataParameters(data: string): DataParameter[] {
  const parameters: DataParameter[] = [];
  let at = 0;
  while (data[at] === '[') {
    let end = at + 1;
    while (end < data.length && data[end] !== ' ' && data[end] !== ']') end++;
    const element = data.slice(at + 1, end);
    at = end;
    while (data[at] === ' ') {
      const equals = data.indexOf('="', at);
      if (equals === -1) return parameters;
      const close = quoteEnd(data, equals + 2);
      const raw = data.slice(equals + 2, close);
      const value = raw.includes('\\') ? raw.replace(ESCAPED, '$1') : raw;
      parameters.push({ element, name: data.slice(at + 1, equals), value });
      at = close + 1;
    }
    if (data[at] !== ']') return parameters;
    at++;
  }
  return parameters;
}

/** Where the quote is that ends a text; the end when there is none. */
function quoteEnd(text: string, from: number): number {
  let i = from;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return Math.min(i, text.length);
}

/** `key=value key="two words"`, anywhere in a text; nothing within a quoted value is a field. */
function somePair(text: string, path: FieldPath, test: ValueTest): boolean {
  const { pairPattern } = path;
  // Quoted values up to `walked` are known: the last one goes from `quoteAt` to `quoteClose`.
  let quoteAt = -1;
  let quoteClose = -1;
  for (let at = 0; at < text.length; ) {
    pairPattern.lastIndex = at;
    const match = pairPattern.exec(text);
    if (!match) return false;
    const valueAt = pairPattern.lastIndex;
    while (quoteClose < match.index) {
      const next = text.indexOf('="', Math.max(0, quoteClose));
      quoteAt = next === -1 ? text.length : next + 1;
      quoteClose = next === -1 ? text.length : quoteEnd(text, quoteAt + 1);
    }
    if (quoteAt < match.index) {
      at = quoteClose;
      continue;
    }
    if (!isKeyStart(text, match.index)) {
      at = valueAt;
      continue;
    }
    let value: string;
    if (text[valueAt] === '"') {
      const close = quoteEnd(text, valueAt + 1);
      const raw = text.slice(valueAt + 1, close);
      value = raw.includes('\\') ? unescapeText(raw) : raw;
      at = close;
    } else {
      at = wordEnd(text, valueAt);
      value = text.slice(valueAt, trimmedEnd(text, valueAt, at));
    }
    if (test(value)) return true;
  }
  return false;
}

const PREFIX_CHARACTER = /[\w.]/;

/** Behind a space, or a bracket and a space; `sample#memory_total` is `memory_total` as well (l2met). */
function isKeyStart(text: string, at: number): boolean {
  let i = at;
  if (text[i - 1] === '#') {
    i--;
    // Letters, digits and dots alone: `path=/a#status=500` has no status.
    while (i > 0 && at - i < PREFIX_MAX && PREFIX_CHARACTER.test(text[i - 1])) i--;
  }
  if (i > 0 && '({['.includes(text[i - 1])) i--;
  return i === 0 || isSpace(text.charCodeAt(i - 1));
}

function unescapeText(raw: string): string {
  return raw.replace(ESCAPED, (_all, escaped: string) =>
    escaped === 'n' ? '\n' : escaped === 't' ? '\t' : escaped,
  );
}

function wordEnd(text: string, from: number): number {
  let i = from;
  while (i < text.length && !isSpace(text.charCodeAt(i))) i++;
  return i;
}

/** Without the punctuation behind a value: `(status=500, took=3ms)`. */
function trimmedEnd(text: string, from: number, to: number): number {
  let end = to;
  while (end > from && ',;)]}'.includes(text[end - 1])) end--;
  return end;
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 9 && code <= 13);
}

const NUMBER_OR_WORD = /[-+\w.]{1,400}/y;

/** Walks over one JSON value; never back, and not deeper than it has to. */
class JsonScanner {
  private readonly text: string;
  private readonly path: FieldPath;
  private readonly test: ValueTest;
  private readonly keys: (string | number)[];
  /** How far it came. */
  at = 0;
  /** Was there a whole object, with keys? */
  isComplete = false;

  /** @param outside the keys of what the text is the value of */
  constructor(text: string, path: FieldPath, test: ValueTest, ...outside: string[]) {
    this.text = text;
    this.path = path;
    this.test = test;
    this.keys = outside;
  }

  /** The value that begins here; false at what is no JSON, too. */
  scan(from: number): boolean {
    const { text, keys } = this;
    // Of each object or array that is open: is it an object?
    const open: boolean[] = [];
    this.at = from;
    for (;;) {
      this.skipSpace();
      const character = text[this.at];
      if (character === '{' || character === '[') {
        if (open.length >= DEPTH_MAX) return false;
        if (open.length > 0 && this.passes(CONTAINER)) return true;
        open.push(character === '{');
        this.at++;
        this.skipSpace();
        if (text[this.at] === (character === '{' ? '}' : ']')) {
          this.at++;
          open.pop();
          if (open.length === 0) return false;
        } else if (character === '{') {
          if (!this.pushKey()) return false;
          continue;
        } else {
          keys.push(0);
          continue;
        }
      } else {
        const value = character === '"' ? this.takeText() : this.takeWord();
        if (value === undefined || open.length === 0) return false;
        if (this.passes(value)) return true;
      }
      // Behind a value: what comes next in the innermost object or array, or in one around it.
      for (;;) {
        this.skipSpace();
        const isObject = open[open.length - 1];
        const next = text[this.at];
        if (next === ',') {
          this.at++;
          if (isObject) {
            keys.pop();
            if (!this.pushKey()) return false;
          } else keys[keys.length - 1] = Number(keys[keys.length - 1]) + 1;
          break;
        }
        if (next !== (isObject ? '}' : ']')) return false;
        this.at++;
        open.pop();
        keys.pop();
        if (open.length > 0) continue;
        this.isComplete = isObject;
        return false;
      }
    }
  }

  private passes(value: string): boolean {
    return this.path.isPath(this.keys) && this.test(value);
  }

  /** `"key":`, behind which the value is. */
  private pushKey(): boolean {
    this.skipSpace();
    if (this.text[this.at] !== '"') return false;
    const key = this.takeText();
    this.skipSpace();
    if (this.text[this.at] !== ':') return false;
    this.at++;
    this.keys.push(key);
    return true;
  }

  private takeText(): string {
    const { text } = this;
    const start = this.at + 1;
    const end = quoteEnd(text, start);
    this.at = Math.min(end + 1, text.length);
    const raw = text.slice(start, end);
    return raw.includes('\\') ? jsonText(raw) : raw;
  }

  private takeWord(): string | undefined {
    NUMBER_OR_WORD.lastIndex = this.at;
    const word = NUMBER_OR_WORD.exec(this.text)?.[0];
    if (word !== undefined) this.at += word.length;
    return word;
  }

  private skipSpace(): void {
    while (this.at < this.text.length && isSpace(this.text.charCodeAt(this.at))) this.at++;
  }
}

/** What a test gets for an object or an array: it is there, and is no text. */
export const CONTAINER = '\0';

const JSON_ESCAPE = /\\(?:u([0-9a-fA-F]{4})|(.))/gs;
const ESCAPED_CONTROLS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

/** RFC 8259 section 7. */
function jsonText(raw: string): string {
  return raw.replace(JSON_ESCAPE, (_all, hex: string | undefined, one: string) =>
    hex === undefined ? (ESCAPED_CONTROLS[one] ?? one) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
