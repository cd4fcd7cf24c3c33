/**
 * Looks for a thousand texts at once, in any case of ASCII letters, in less time than one regular expression takes: bytes are read four at
 * a time, and of every text there are grams of four bytes in a table, one for each place relative to a multiple of four that it may
 * stand at. So only every fourth place is looked at, where nearly always the table says that no text has these four bytes. WebAssembly does
 * that part (`wasm-gram-scan.ts`); with more grams than it has room for it is done here.
 */
import { endianness } from 'node:os';
import { type TakeGram, WasmGramScan } from './wasm-gram-scan.ts';

/** Shorter texts are in too many lines to be looked for. */
export const TEXT_LENGTH_MIN = 3;
/** A text that is as long has a whole gram of four bytes at a multiple of four, wherever it stands. */
const LONG_MIN = 7;
const GRAM = 4;
const SHORT_GRAM = 3;
/** Slots of a table, for each gram in it, and what they are at the least and at the most, in bits. */
const SLOTS_A_GRAM = 64;
const TABLE_BITS_MIN = 8;
const TABLE_BITS_MAX = 16;
/** More texts that have a gram at the same place are found by a hash, not tried one by one. */
const TRIED_MAX = 4;
const FOLD = 0x20202020;
const SHORT_MASK = 0xffffff;
const PAIR_MASK = 0xffff;
/** Fibonacci hashing. */
const MULTIPLIER = 0x9e3779b1;

/** How rare a byte is in logs, about: of several grams the rarest one is looked for. */
const RARITY = new Float64Array(256).fill(6);
for (const [characters, rarity] of [
  [' ', 0],
  ['e', 1],
  ['taoinsr0', 1.5],
  ['lducmph1=2."-:/', 2.5],
  ['fgbwy345678', 3],
  ['9vk_,', 4],
] as const)
  for (const character of characters) RARITY[character.charCodeAt(0)] = rarity;

/** ASCII letters in lower case, all else as it is. */
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
);

/** What was found in some bytes: which text begins where, in the order of places. */
export class Hits {
  positions = new Int32Array(256);
  texts = new Int32Array(256);
  count = 0;

  /**
   * @param position where the text begins in the bytes that are scanned
   * @param text its index
   */
  push(position: number, text: number): void {
    if (this.count === this.positions.length) {
      this.positions = grown(this.positions);
      this.texts = grown(this.texts);
    }
    this.positions[this.count] = position;
    this.texts[this.count++] = text;
  }
}

/** Twice as long. */
export function grown(numbers: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}

/**
 * Grams, and where a text may begin and how long it is when one is found, and which texts these are: many that
 * begin alike are told apart by a hash of all their bytes.
 */
class GramTable {
  /** A hash's upper bits are its slot. */
  readonly shift: number;
  /** Is anything in a slot? A byte each: this is what is read all the time, and stays in the processor's cache. */
  readonly used: Uint8Array;
  readonly heads: Int32Array;
  readonly grams: number[] = [];
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];
  readonly texts: number[][] = [];
  readonly next: number[] = [];

  /** @param grams how many there will be, about */
  constructor(grams: number) {
    const bits = Math.ceil(Math.log2(Math.max(1, grams * SLOTS_A_GRAM)));
    const tableBits = Math.min(TABLE_BITS_MAX, Math.max(TABLE_BITS_MIN, bits));
    this.shift = 32 - tableBits;
    this.used = new Uint8Array(1 << tableBits);
    this.heads = new Int32Array(1 << tableBits).fill(-1);
  }

  get size(): number {
    return this.grams.length;
  }

  add(gram: number, length: number, offset: number, text: number): void {
    const slot = Math.imul(gram, MULTIPLIER) >>> this.shift;
    for (let entry = this.heads[slot]; entry !== -1; entry = this.next[entry])
      if (this.grams[entry] === gram && this.offsets[entry] === offset && this.lengths[entry] === length) {
        this.texts[entry].push(text);
        return;
      }
    this.used[slot] = 1;
    this.next.push(this.heads[slot]);
    this.heads[slot] = this.grams.length;
    this.grams.push(gram);
    this.lengths.push(length);
    this.texts.push([text]);
    this.offsets.push(offset);
  }
}

/** One for a set of texts, made once; it may scan any number of batches, one at a time. A text is known by its index in what it was made of. */
export class GramScanner {
  private readonly texts: readonly Uint8Array[];
  /** Texts by the hash of their bytes. */
  private readonly byHash = new Map<number, number[]>();
  private readonly long: GramTable;
  private readonly short: GramTable;
  /** The last two bytes of texts of three, for those that begin between two places that are looked at. */
  private readonly endings: GramTable;
  /** By two bytes: are they in `endings`? */
  private readonly isEnding = new Uint8Array(1 << 16);
  private readonly wasm: WasmGramScan | undefined;
  // Of the scan that is under way.
  private bytes: Uint8Array = new Uint8Array(0);
  private longHits = new Hits();
  private shortHits = new Hits();

  /**
   * @param texts ASCII of {@link TEXT_LENGTH_MIN} bytes or more
   * @param usesWasm false: everything is done here
   */
  constructor(texts: readonly string[], usesWasm = true) {
    if (endianness() !== 'LE') throw new Error('Grams are read as little-endian numbers.');
    this.texts = texts.map((text) => Uint8Array.from(Buffer.from(text), (byte) => LOWER[byte]));
    this.long = new GramTable(GRAM * this.texts.filter(({ length }) => length >= LONG_MIN).length);
    this.short = new GramTable(2 * this.texts.filter(({ length }) => length < LONG_MIN).length);
    this.endings = new GramTable(this.texts.filter(({ length }) => length === SHORT_GRAM).length);
    this.texts.forEach((text, index) => {
      if (text.length < TEXT_LENGTH_MIN) throw new Error('The text is too short.');
      const hash = hashOf(text, 0, text.length);
      const same = this.byHash.get(hash);
      if (same) same.push(index);
      else this.byHash.set(hash, [index]);
      if (text.length >= LONG_MIN)
        for (let place = 0; place < GRAM; place++) {
          const offset = rarestOffset(text, place, GRAM, GRAM);
          this.long.add(gramAt(text, offset), text.length, offset, index);
        }
      else if (text.length > SHORT_GRAM)
        for (let place = 0; place < 2; place++)
          this.addShort(text, rarestOffset(text, place, 2, SHORT_GRAM), index);
      else {
        this.addShort(text, 0, index);
        const ending = gramAt(text, 1) & PAIR_MASK;
        this.endings.add(ending, text.length, 1, index);
        this.isEnding[ending] = 1;
      }
    });
    if (usesWasm)
      this.wasm = WasmGramScan.make({
        long: this.long.grams,
        short: this.short.grams,
        pairs: this.endings.grams,
      });
  }

  private addShort(text: Uint8Array, offset: number, index: number): void {
    this.short.add(gramAt(text, offset) & SHORT_MASK, text.length, offset, index);
  }

  /** Finds all texts: the long ones, and those of less than seven bytes. A text may be found where it overlaps with itself, and twice in a place. */
  scan(bytes: Uint8Array, long: Hits, short: Hits): void {
    long.count = 0;
    short.count = 0;
    if (this.wasm) {
      this.bytes = bytes;
      this.longHits = long;
      this.shortHits = short;
      this.wasm.scan(bytes, this.takeGram);
      sortNearly(long);
      sortNearly(short);
      return;
    }
    if (this.long.size > 0) this.scanLong(bytes, long);
    if (this.short.size > 0) this.scanShort(bytes, short);
  }

  private readonly takeGram: TakeGram = (kind, number, at) => {
    if (kind === 0) this.verifyEntry(this.long, number, this.bytes, at, this.longHits);
    else if (kind === 1) this.verifyEntry(this.short, number, this.bytes, at, this.shortHits);
    else this.verify(this.endings, number, this.bytes, at, this.shortHits);
  };

  private scanLong(bytes: Uint8Array, hits: Hits): void {
    const first = -bytes.byteOffset & 3;
    const count = (bytes.length - first) >> 2;
    if (count <= 0) return;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + first, count);
    const { used, shift } = this.long;
    for (let i = 0; i < count; i++) {
      const gram = words[i] | FOLD;
      if (used[Math.imul(gram, MULTIPLIER) >>> shift] !== 0)
        this.verify(this.long, gram, bytes, first + i * 4, hits);
    }
    sortNearly(hits);
  }

  /** Looks at every second place. */
  private scanShort(bytes: Uint8Array, hits: Hits): void {
    const first = Math.min(bytes.length, -bytes.byteOffset & 3);
    const count = (bytes.length - first) >> 2;
    for (let at = first & 1; at < first; at += 2) this.verifyShort(bytes, at, hits);
    // A gram of the last word reaches behind it.
    const last = Math.max(0, count - 1);
    if (last > 0) {
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset + first, count);
      this.scanGrams(words, bytes, first, hits);
      if (this.endings.size > 0) this.scanEndings(words, bytes, first, hits);
    }
    for (let at = first + last * 4; at < bytes.length; at += 2) this.verifyShort(bytes, at, hits);
    sortNearly(hits);
  }

  private scanGrams(words: Uint32Array, bytes: Uint8Array, first: number, hits: Hits): void {
    const { used, shift } = this.short;
    const last = words.length - 1;
    let word = words[0] | FOLD;
    for (let i = 0; i < last; i++) {
      const next = words[i + 1] | FOLD;
      const gram = word & SHORT_MASK;
      if (used[Math.imul(gram, MULTIPLIER) >>> shift] !== 0)
        this.verify(this.short, gram, bytes, first + i * 4, hits);
      const gramBehind = ((word >>> 16) | (next << 16)) & SHORT_MASK;
      if (used[Math.imul(gramBehind, MULTIPLIER) >>> shift] !== 0)
        this.verify(this.short, gramBehind, bytes, first + i * 4 + 2, hits);
      word = next;
    }
  }

  private scanEndings(words: Uint32Array, bytes: Uint8Array, first: number, hits: Hits): void {
    const { isEnding } = this;
    const last = words.length - 1;
    for (let i = 0; i < last; i++) {
      const word = words[i] | FOLD;
      if (isEnding[word & PAIR_MASK] !== 0)
        this.verify(this.endings, word & PAIR_MASK, bytes, first + i * 4, hits);
      if (isEnding[word >>> 16] !== 0) this.verify(this.endings, word >>> 16, bytes, first + i * 4 + 2, hits);
    }
  }

  private verifyShort(bytes: Uint8Array, at: number, hits: Hits): void {
    if (at + 2 <= bytes.length) this.verify(this.endings, gramAt(bytes, at) & PAIR_MASK, bytes, at, hits);
    if (at + SHORT_GRAM <= bytes.length)
      this.verify(this.short, gramAt(bytes, at) & SHORT_MASK, bytes, at, hits);
  }

  private verify(table: GramTable, gram: number, bytes: Uint8Array, at: number, hits: Hits): void {
    const slot = Math.imul(gram, MULTIPLIER) >>> table.shift;
    for (let entry = table.heads[slot]; entry !== -1; entry = table.next[entry])
      if (table.grams[entry] === gram) this.verifyEntry(table, entry, bytes, at, hits);
  }

  private verifyEntry(table: GramTable, entry: number, bytes: Uint8Array, at: number, hits: Hits): void {
    const length = table.lengths[entry];
    const start = at - table.offsets[entry];
    if (start < 0 || start + length > bytes.length) return;
    const own = table.texts[entry];
    const texts = own.length <= TRIED_MAX ? own : this.byHash.get(hashOf(bytes, start, length));
    if (texts) for (const text of texts) if (isAt(bytes, start, this.texts[text])) hits.push(start, text);
  }
}

/** FNV-1a of bytes in lower case. */
function hashOf(bytes: Uint8Array, start: number, length: number): number {
  let hash = length;
  for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ LOWER[bytes[i]], 0x01000193);
  return hash;
}

function isAt(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  if (start + text.length > bytes.length) return false;
  let i = 0;
  while (i < text.length && LOWER[bytes[start + i]] === text[i]) i++;
  return i === text.length;
}

/** Four bytes, or as many as there are, folded. */
function gramAt(bytes: Uint8Array, at: number): number {
  let gram = 0;
  for (let i = 0; i < GRAM; i++) gram |= ((bytes[at + i] ?? 0) | 0x20) << (8 * i);
  return gram;
}

/** Of the places `place`, `place + step` … the one with the rarest gram. */
function rarestOffset(text: Uint8Array, place: number, step: number, length: number): number {
  let best = place;
  let bestRarity = -1;
  for (let offset = place; offset + length <= text.length; offset += step) {
    let rarity = 0;
    for (let i = 0; i < length; i++) rarity += RARITY[text[offset + i]];
    if (rarity <= bestRarity) continue;
    best = offset;
    bestRarity = rarity;
  }
  return best;
}

/** Hits come in the order of their grams: they are out of place by the length of a text at the most. */
function sortNearly({ positions, texts, count }: Hits): void {
  for (let i = 1; i < count; i++) {
    const position = positions[i];
    const text = texts[i];
    let j = i;
    for (; j > 0 && positions[j - 1] > position; j--) {
      positions[j] = positions[j - 1];
      texts[j] = texts[j - 1];
    }
    positions[j] = position;
    texts[j] = text;
  }
}
