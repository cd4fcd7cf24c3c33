/**
 * The *template* of a line: its message without what differs from line to line. It tells of words and phrases which lines have them, for all lines that are
 * alike but for their numbers, ids and values of fields, which are most.
 *
 * A template is what stands in the message, with
 * - {@link VARIABLE} for each run of letters and digits that has a digit in it (a number, an id), or that is long. A UUID is five of them.
 * - {@link SLOT} and {@link SLOT_FIELD} + the field's place in the line's shape for each value that a column has (column-builder.ts).
 *
 * Of the letters in variables a set of pieces of three is kept for each block: what isn't in it, is in no variable.
 */
import { ByteColumn } from './byte-column.ts';
import { SMALL_LETTERS } from './line-fields.ts';

/** In templates; messages with such bytes have none. */
export const SLOT = 0x00;
export const VARIABLE = 0x01;
export const SLOT_FIELD = 0x80;
/** The template of lines of which none is known. */
export const NO_TEMPLATE = 0;
/** Runs of more letters are ids. */
export const WORD_LETTERS_MAX = 32;
/** Pieces of letters in variables. */
export const PIECE_LETTERS = 3;

const TEMPLATES_MAX = 0xffff;
const TEMPLATE_BYTES_MAX = 1_024;
/** Of all templates of a part. */
const ALL_BYTES_MAX = 524_288;
/** When more of the lines have none, the others' say too little for what they take. */
const UNKNOWN_SHARE_MAX = 0.05;
const PIECES = 26 ** PIECE_LETTERS;
/** A block with more pieces has letters of all kinds in its variables. */
const PIECES_MAX = 4_000;
const UUID_LENGTH = 36;
const UUID_FIRST = 8;
const UUID_DASHES = [8, 13, 18, 23];
const UUID_RUNS = [8, 4, 4, 4, 12];
/** Fibonacci hashing. */
const MULTIPLIER = 0x9e3779b1;
const DASH = 0x2d;
const SMALL_A = 0x61;

const OTHER = 0;
const LETTER = 1;
const DIGIT = 2;
const FORBIDDEN = 4;
const KINDS = new Uint8Array(256);
const IS_HEX = new Uint8Array(256);
for (let code = 0; code < 256; code++) {
  const character = String.fromCharCode(code);
  if (code === SLOT || code === VARIABLE) KINDS[code] = FORBIDDEN;
  else if (/[A-Za-z]/.test(character)) KINDS[code] = LETTER;
  else if (/\d/.test(character)) KINDS[code] = DIGIT;
  if (/[0-9a-fA-F]/.test(character)) IS_HEX[code] = 1;
}

/** Of a part, before they are encoded. */
export interface BuiltTemplates {
  /** Of each number from 1 on. */
  readonly texts: readonly Buffer[];
  /** Of each line the lower and the upper byte of its template's number. */
  readonly low: Buffer;
  readonly high: Buffer;
  /** Of each block the pieces in its variables ({@link pieceAt}), ascending; undefined: there may be any. */
  readonly pieces: readonly (Uint16Array | undefined)[];
}

/** The number of a piece of letters; -1 when there is something else among them. */
export function pieceAt(bytes: Uint8Array, at: number): number {
  let piece = 0;
  for (let i = at; i < at + PIECE_LETTERS; i++) {
    const letter = SMALL_LETTERS[bytes[i]] - SMALL_A;
    if (!(letter >= 0 && letter < 26)) return -1;
    piece = piece * 26 + letter;
  }
  return piece;
}

/** The value of a field that a column has, where it stands in the message. */
export interface ValueSlots {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Places in the line's shape. */
  readonly fields: Int32Array;
  count: number;
}

/**
 * One for a part; lines come in their order, and after those of each block {@link endBlock}. A part with too many templates has none for the
 * rest.
 */
export class TemplateBuilder {
  private readonly texts: Buffer[] = [];
  /** By hash, the first of the templates with it, and of each the next. */
  private readonly byHash = new Map<number, number>();
  private readonly next: number[] = [];
  private allBytes = 0;
  private readonly low = new ByteColumn();
  private readonly high = new ByteColumn();
  private unknown = 0;
  private readonly wordsOf: Int32Array[] = [];
  /** What is written, with room for a run, and for whole words. */
  private readonly words = new Int32Array((TEMPLATE_BYTES_MAX + 2 * UUID_LENGTH) / 4);
  private readonly scratch = Buffer.from(this.words.buffer);
  private end = 0;
  /** Of the open block, and of values that came to lines that were there before. */
  private readonly pieceBits = new Uint8Array(PIECES);
  private readonly laterBits = new Uint8Array(PIECES);
  private readonly blocks: (Uint16Array | undefined)[] = [];

  /** Adds a line that has no template. */
  addUnknown(): void {
    this.push(NO_TEMPLATE);
  }

  /** Adds the line with the message `bytes[start, end)`. */
  add(bytes: Buffer, start: number, end: number, slots: ValueSlots): void {
    this.push(this.write(bytes, start, end, slots) ? this.find() : NO_TEMPLATE);
  }

  /** The lines of a block are complete. */
  endBlock(): void {
    const pieces = setBits(this.pieceBits);
    this.blocks.push(pieces.length > PIECES_MAX ? undefined : pieces);
    this.pieceBits.fill(0);
  }

  /** The number of the template of a line, from 0. */
  at(line: number): number {
    return this.low.at(line) | (this.high.at(line) << 8);
  }

  /** Gives a line another template. */
  set(line: number, template: number): void {
    if (template === NO_TEMPLATE && this.at(line) !== NO_TEMPLATE) this.unknown++;
    this.low.set(line, template & 0xff);
    this.high.set(line, template >> 8);
  }

  /** The template like another one, with a value in the place of a field's slot: its column has ended. */
  withValue(template: number, field: number, value: Buffer): number {
    if (template === NO_TEMPLATE) return template;
    const text = this.texts[template - 1];
    const at = text.indexOf(Buffer.of(SLOT, SLOT_FIELD | field));
    if (at === -1) return template;
    const { scratch } = this;
    this.end = text.copy(scratch, 0, 0, at);
    if (!this.writeText(value, 0, value.length, this.laterBits)) return NO_TEMPLATE;
    if (this.end + text.length > TEMPLATE_BYTES_MAX) return NO_TEMPLATE;
    this.end += text.copy(scratch, this.end, at + 2);
    return this.find();
  }

  /** Undefined when too few of the lines have one. */
  finish(): BuiltTemplates | undefined {
    if (this.unknown > this.low.length * UNKNOWN_SHARE_MAX) return undefined;
    const later = setBits(this.laterBits);
    return {
      texts: this.texts,
      low: this.low.bytes,
      high: this.high.bytes,
      pieces: this.blocks.map((pieces) =>
        pieces && later.length > 0 ? Uint16Array.from(new Set([...pieces, ...later])).sort() : pieces,
      ),
    };
  }

  private push(template: number): void {
    if (template === NO_TEMPLATE) this.unknown++;
    this.low.push(template & 0xff);
    this.high.push(template >> 8);
  }

  /** Writes the template of a message; false when it has none. */
  private write(
    bytes: Buffer,
    start: number,
    end: number,
    { starts, ends, fields, count }: ValueSlots,
  ): boolean {
    this.end = 0;
    let at = start;
    for (let i = 0; i < count; i++) {
      if (!this.writeText(bytes, at, starts[i], this.pieceBits)) return false;
      this.scratch[this.end++] = SLOT;
      this.scratch[this.end++] = SLOT_FIELD | fields[i];
      at = ends[i];
    }
    return this.writeText(bytes, at, end, this.pieceBits);
  }

  private writeText(bytes: Buffer, start: number, end: number, pieceBits: Uint8Array): boolean {
    const { scratch } = this;
    let to = this.end;
    for (let i = start; i < end; ) {
      if (to >= TEMPLATE_BYTES_MAX) return false;
      const byte = bytes[i];
      let kind = KINDS[byte];
      if (kind === OTHER) {
        scratch[to++] = byte;
        i++;
        continue;
      }
      if (kind === FORBIDDEN) return false;
      // A run of letters and digits.
      const from = i;
      const runAt = to;
      let kinds = 0;
      const copied = Math.min(end, i + WORD_LETTERS_MAX);
      do {
        kinds |= kind;
        scratch[to++] = bytes[i++];
        kind = i < end ? KINDS[bytes[i]] : OTHER;
      } while (i < copied && kind !== OTHER && kind !== FORBIDDEN);
      let isVariable = kinds >= DIGIT;
      for (; i < end && (kind === LETTER || kind === DIGIT); kind = KINDS[bytes[i]]) {
        isVariable = true;
        kinds |= kind;
        i++;
      }
      if (i - from === UUID_FIRST && bytes[i] === DASH && isUuid(bytes, from, end)) {
        to = runAt;
        i = from;
        for (const length of UUID_RUNS) {
          if (i > from) scratch[to++] = DASH;
          scratch[to++] = VARIABLE;
          notePieces(pieceBits, bytes, i, i + length);
          i += length + 1;
        }
        i--;
        continue;
      }
      if (!isVariable) continue;
      to = runAt;
      scratch[to++] = VARIABLE;
      if (kinds & LETTER) notePieces(pieceBits, bytes, from, i);
    }
    this.end = to;
    return true;
  }

  /** The number of the template that was written. It is compared four bytes at a time. */
  private find(): number {
    const { scratch, words, end, texts, next } = this;
    scratch.fill(0, end, end + 3);
    const count = (end + 3) >> 2;
    let hash = end;
    for (let i = 0; i < count; i++) hash = Math.imul(((hash << 13) | (hash >>> 19)) ^ words[i], MULTIPLIER);
    const first = this.byHash.get(hash) ?? NO_TEMPLATE;
    for (let template = first; template !== NO_TEMPLATE; template = next[template - 1])
      if (texts[template - 1].length === end && isSame(this.wordsOf[template - 1], words, count))
        return template;
    if (texts.length === TEMPLATES_MAX || this.allBytes + end > ALL_BYTES_MAX) return NO_TEMPLATE;
    this.allBytes += end;
    const known = words.slice(0, count);
    this.wordsOf.push(known);
    this.byHash.set(hash, texts.push(Buffer.from(known.buffer, 0, end)));
    next.push(first);
    return texts.length;
  }
}

function isSame(known: Int32Array, words: Int32Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (known[i] !== words[i]) return false;
  return true;
}

/** `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, with no letter or digit behind it. */
function isUuid(bytes: Buffer, start: number, limit: number): boolean {
  const end = start + UUID_LENGTH;
  if (end > limit) return false;
  if (end < limit && (KINDS[bytes[end]] === LETTER || KINDS[bytes[end]] === DIGIT)) return false;
  for (const dash of UUID_DASHES) if (bytes[start + dash] !== DASH) return false;
  for (let i = start; i < end; i++) if (bytes[i] !== DASH && IS_HEX[bytes[i]] === 0) return false;
  return true;
}

function setBits(bits: Uint8Array): Uint16Array {
  const found: number[] = [];
  for (let at = bits.indexOf(1); at !== -1; at = bits.indexOf(1, at + 1)) found.push(at);
  return Uint16Array.from(found);
}

function notePieces(pieceBits: Uint8Array, bytes: Buffer, start: number, end: number): void {
  let letters = 0;
  let piece = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (KINDS[byte] !== LETTER) {
      letters = 0;
      continue;
    }
    piece = (piece % (26 * 26)) * 26 + (byte | 0x20) - SMALL_A;
    if (++letters >= PIECE_LETTERS) pieceBits[piece] = 1;
  }
}
