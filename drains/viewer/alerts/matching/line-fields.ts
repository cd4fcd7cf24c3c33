/**
 * The fields of lines that searches ask about. What searches want to know of a field's values is looked up once a line, where the scan for texts has
 * found the field's name; pairs of logfmt are read where they lie, all else as the query's own reader does.
 */
import { FieldPath, someDataField, someMessageField } from '../../../../src/logs/query/field-scanner.ts';
import type { QueryLine } from '../../../../src/logs/query/query-line.ts';
import type { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { headerFieldEnd } from '../../../../src/logs/syslog/record.ts';
import { grown } from './gram-scanner.ts';
import { type ValueClass, ValueIndex } from './value-index.ts';

/** PARAM-NAME, RFC 5424 section 6: longer names were cut when they were stored. */
const PARAM_NAME_MAX = 32;
/** l2met: characters of what is before a `#`. */
const PREFIX_MAX = 40;
const DASH = 0x2d;
const SPACE = 0x20;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const QUOTES = 0x22222222;
const BACKSLASH = 0x5c;
/** RFC 8259 section 7: a letter that needn't be escaped. */
export const ASCII_ESCAPE = Buffer.from('\\u00');
const HASH = 0x23;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COLON = 0x3a;
const COMMA = 0x2c;
/** Characters of a number or a word in JSON: `[-+\w.]`. */
const WORD_BYTES = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 128 && /[-+\w.]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
const WORD_MAX = 400;
/** `({[` and `,;)]}`. */
const OPENING = new Set([0x28, 0x7b, 0x5b]);
const TRAILING = new Set([0x2c, 0x3b, 0x29, 0x5d, 0x7d]);
const PREFIX_BYTES = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[\w.]/.test(String.fromCharCode(byte)) && byte < 128 ? 1 : 0,
);
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
);

/** A field that is asked about. */
export class WantedField {
  readonly path: FieldPath;
  readonly index = new ValueIndex();
  /** Texts, one of which stands in each line that has it, unless it is written with escapes; none: any line may have it. */
  readonly gates: readonly string[];
  /** The one that is in its pairs: its name and `=`. */
  readonly pairGate: string;
  private readonly name: Uint8Array;

  constructor(name: string) {
    this.path = new FieldPath(name);
    const { path } = this.path;
    const last = path.slice(path.lastIndexOf('.') + 1);
    const isPlain = /^[a-z0-9_.@-]+$/.test(path) && path.length <= PARAM_NAME_MAX;
    this.pairGate = `${path}=`;
    // As a parameter behind the name of its element, as a key of JSON, and as one within a quoted value.
    this.gates =
      isPlain && last.length >= 2 && !/^\d+$/.test(last)
        ? [...new Set([this.pairGate, `${last}="`, `${last}"`, `${last}\\`])]
        : [];
    this.name = Buffer.from(path);
  }

  /** Is this its name, in any case? */
  isName(bytes: Uint8Array, start: number, end: number): boolean {
    return end - start === this.name.length && this.nameStart(bytes, end, start) === start;
  }

  /** Where its name begins that ends at `end`; -1 when it is the end of another one. */
  nameStart(bytes: Uint8Array, end: number, from: number): number {
    const { name } = this;
    const start = end - name.length;
    if (start < from) return -1;
    for (let i = 0; i < name.length; i++) if (LOWER[bytes[start + i]] !== name[i]) return -1;
    return start;
  }
}

/** Takes what holds of a value of the field. */
export type OnValue = (kind: ValueClass) => void;

/**
 * One for all lines: {@link startBatch}, then {@link setLine} for each that is asked about. It reads from the batch's bytes, which mustn't
 * change meanwhile.
 */
export class LineFields {
  private cursor: RecordCursor | undefined;
  private bytes: Buffer = Buffer.alloc(0);
  private isColored = false;
  /** Of the batch: where the next brace and the next escaped letter are. */
  private braceAt = -1;
  private escapeAt = -1;
  private lineNumber = 0;
  /** Quoted values of the message so far: from quote to quote, by turns. */
  private quotes = new Int32Array(64);
  private quoteCount = 0;
  private quotesIn = 0;
  private wordsOf: Buffer | undefined;
  private wordsStart = 0;
  private words: Uint32Array = new Uint32Array(0);
  /** Where names of pairs end that were found in the line, and of which gate they are. */
  private pairEnds = new Int32Array(64);
  private pairGates = new Int32Array(64);
  private pairCount = 0;

  /** Other bytes come; to be called before the first {@link setLine} with them. */
  startBatch(): void {
    this.braceAt = -1;
    this.escapeAt = -1;
  }

  /** A line of the batch, after which pairs are added. @param lineNumber tells lines apart: results are kept a line long */
  setLine(cursor: RecordCursor, bytes: Buffer, isColored: boolean, lineNumber: number): void {
    this.cursor = cursor;
    this.bytes = bytes;
    this.isColored = isColored;
    this.lineNumber = lineNumber;
    this.pairCount = 0;
  }

  /** A gate of a pair was found in the message: `name=`, which ends before `end`. */
  addPair(gate: number, end: number): void {
    const { pairCount } = this;
    if (pairCount === this.pairEnds.length) {
      this.pairEnds = grown(this.pairEnds);
      this.pairGates = grown(this.pairGates);
    }
    this.pairGates[pairCount] = gate;
    this.pairEnds[pairCount] = end;
    this.pairCount++;
  }

  /** Has the line no fields but those of logfmt, as they are written? */
  hasPairsAlone(): boolean {
    const { cursor } = this;
    return cursor !== undefined && !this.isColored && !this.hasBrace(cursor) && !this.hasData(cursor);
  }

  /** May a name in it be written with escapes, so that the scan doesn't find it? */
  mayHaveEscapes(): boolean {
    const { cursor, bytes } = this;
    if (!cursor) return false;
    if (this.escapeAt < cursor.msgidStart) {
      const at = bytes.indexOf(ASCII_ESCAPE, cursor.msgidStart);
      this.escapeAt = at === -1 ? Number.POSITIVE_INFINITY : at;
    }
    return this.escapeAt < cursor.textEnd;
  }

  /**
   * Finds what a line says of a field that is one JSON object, without others in it and as it is written; false when it is something else,
   * which somebody has to read who knows it all. The same as the reader of queries does (field-scanner.ts).
   */
  readFlatJson(field: WantedField, onValue: OnValue): boolean {
    const { cursor, bytes } = this;
    if (!cursor || this.isColored || bytes[cursor.messageStart] !== OPEN_BRACE || this.hasData(cursor))
      return false;
    const { textEnd } = cursor;
    for (let at = cursor.messageStart + 1; ; at++) {
      at = spaceEnd(bytes, at, textEnd);
      const keyEnd = plainTextEnd(bytes, at, textEnd, true);
      if (keyEnd === -1) return false;
      const isWanted = field.isName(bytes, at + 1, keyEnd);
      at = spaceEnd(bytes, keyEnd + 1, textEnd);
      if (at >= textEnd || bytes[at] !== COLON) return false;
      at = spaceEnd(bytes, at + 1, textEnd);
      const isText = bytes[at] === QUOTE;
      const end = isText ? plainTextEnd(bytes, at, textEnd, false) : wordEnd(bytes, at, textEnd);
      if (end === -1) return false;
      if (isWanted) onValue(field.index.findBytes(bytes, isText ? at + 1 : at, end));
      at = spaceEnd(bytes, isText ? end + 1 : end, textEnd);
      if (at >= textEnd) return false;
      if (bytes[at] === CLOSE_BRACE) return at + 1 === textEnd;
      if (bytes[at] !== COMMA) return false;
    }
  }

  private hasBrace({ messageStart, textEnd }: RecordCursor): boolean {
    if (this.braceAt < messageStart) {
      const at = this.bytes.indexOf(OPEN_BRACE, messageStart);
      this.braceAt = at === -1 ? Number.POSITIVE_INFINITY : at;
    }
    return this.braceAt < textEnd;
  }

  private hasData({ msgidStart, messageStart }: RecordCursor): boolean {
    const start = headerFieldEnd(this.bytes, msgidStart, messageStart) + 1;
    return this.bytes[start] !== DASH || this.bytes[start + 1] !== SPACE;
  }

  /**
   * Finds what holds of a field in a line that has nothing but pairs: the same as the reader of queries does (field-scanner.ts).
   * @param gate of the field
   */
  readPairs(field: WantedField, gate: number, onValue: OnValue): void {
    const { cursor } = this;
    if (!cursor) return;
    const { bytes, pairEnds, pairGates, pairCount } = this;
    const { messageStart, textEnd } = cursor;
    for (let i = 0; i < pairCount; i++) {
      if (pairGates[i] !== gate) continue;
      const start = field.nameStart(bytes, pairEnds[i], messageStart);
      if (start === -1 || !isKeyStart(bytes, start, messageStart) || this.isQuoted(start, cursor)) continue;
      const valueAt = pairEnds[i] + 1;
      let end: number;
      let from = valueAt;
      if (bytes[valueAt] === QUOTE && valueAt < textEnd) {
        from++;
        end = quoteEnd(bytes, from, textEnd);
        if (isEscaped(bytes, from, end)) {
          onValue(field.index.find(unescaped(bytes.toString('utf8', from, end))));
          continue;
        }
      } else {
        end = valueAt;
        while (end < textEnd && !isSpace(bytes[end])) end++;
        while (end > valueAt && TRAILING.has(bytes[end - 1])) end--;
      }
      onValue(field.index.findBytes(bytes, from, end));
    }
  }

  private isQuoted(at: number, { messageStart, textEnd }: RecordCursor): boolean {
    if (this.quotesIn !== this.lineNumber) {
      this.quotesIn = this.lineNumber;
      this.findQuotes(messageStart, textEnd);
    }
    const { quotes, quoteCount } = this;
    for (let i = 0; i < quoteCount && quotes[i] < at; i += 2) if (at < quotes[i + 1]) return true;
    return false;
  }

  /** Looks at four bytes at a time. */
  private findQuotes(messageStart: number, textEnd: number): void {
    const { bytes } = this;
    this.quoteCount = 0;
    if (this.wordsOf !== bytes) {
      this.wordsOf = bytes;
      this.wordsStart = -bytes.byteOffset & 3;
      this.words = new Uint32Array(
        bytes.buffer,
        bytes.byteOffset + this.wordsStart,
        Math.max(0, (bytes.length - this.wordsStart) >> 2),
      );
    }
    const { words, wordsStart } = this;
    let openAt = -1;
    // Up to the first whole word.
    const first = Math.min(textEnd, messageStart + ((wordsStart - messageStart) & 3));
    for (let i = messageStart; i < first; i++)
      if (bytes[i] === QUOTE) openAt = this.takeQuote(i, openAt, messageStart);
    const last = Math.min(words.length, (textEnd - wordsStart) >> 2);
    for (let word = (first - wordsStart) >> 2; word < last; word++) {
      const same = words[word] ^ QUOTES;
      // Is one of the four bytes 0?
      if (((same - 0x01010101) & ~same & 0x80808080) === 0) continue;
      const at = wordsStart + word * 4;
      for (let i = at; i < at + 4; i++)
        if (bytes[i] === QUOTE) openAt = this.takeQuote(i, openAt, messageStart);
    }
    for (let i = Math.max(first, wordsStart + last * 4); i < textEnd; i++)
      if (bytes[i] === QUOTE) openAt = this.takeQuote(i, openAt, messageStart);
    if (openAt !== -1) this.addQuotes(openAt, textEnd);
  }

  /** Where a quote is that is open behind this one; -1 for none. */
  private takeQuote(at: number, openAt: number, messageStart: number): number {
    const { bytes } = this;
    if (openAt === -1) return at > messageStart && bytes[at - 1] === EQUALS ? at : -1;
    let escapes = at - 1;
    while (escapes > openAt && bytes[escapes] === BACKSLASH) escapes--;
    if (((at - 1 - escapes) & 1) === 1) return openAt;
    this.addQuotes(openAt, at);
    return -1;
  }

  private addQuotes(open: number, close: number): void {
    if (this.quoteCount === this.quotes.length) this.quotes = grown(this.quotes);
    this.quotes[this.quoteCount] = open;
    this.quotes[this.quoteCount + 1] = close;
    this.quoteCount += 2;
  }
}

/** Finds what holds of a field in any line. */
export function readAllValues({ path, index }: WantedField, line: QueryLine, onValue: OnValue): void {
  const take = (value: string): boolean => {
    onValue(index.find(value));
    return false;
  };
  const { data } = line;
  if (data !== '') someDataField(data, path, take);
  someMessageField(line.message, path, take);
}

/** Behind a space, or a bracket and a space; or `sample#name`. */
function isKeyStart(bytes: Buffer, at: number, messageStart: number): boolean {
  let i = at;
  if (i > messageStart && bytes[i - 1] === HASH) {
    i--;
    while (i > messageStart && at - i < PREFIX_MAX && PREFIX_BYTES[bytes[i - 1]] === 1) i--;
  }
  if (i > messageStart && OPENING.has(bytes[i - 1])) i--;
  return i === messageStart || isSpace(bytes[i - 1]);
}

function quoteEnd(bytes: Buffer, from: number, end: number): number {
  let i = from;
  while (i < end && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return Math.min(i, end);
}

function isEscaped(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] === BACKSLASH) return true;
  return false;
}

function unescaped(raw: string): string {
  return raw.replace(/\\(.)/gs, (_all, escaped: string) =>
    escaped === 'n' ? '\n' : escaped === 't' ? '\t' : escaped,
  );
}

/** Where the quote is that ends the text that begins at `start`; -1 when there is none, or an escape, or in a name what isn't ASCII. */
function plainTextEnd(bytes: Uint8Array, start: number, end: number, isName: boolean): number {
  if (start >= end || bytes[start] !== QUOTE) return -1;
  for (let i = start + 1; i < end; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) return i;
    if (byte === BACKSLASH || (isName && byte >= 0x80)) return -1;
  }
  return -1;
}

/** Where a number or a word of JSON ends; -1 when there is none. */
function wordEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && WORD_BYTES[bytes[i]] === 1) i++;
  return i > start && i - start <= WORD_MAX ? i : -1;
}

function spaceEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && isSpace(bytes[i])) i++;
  return i;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 9 && byte <= 13);
}
