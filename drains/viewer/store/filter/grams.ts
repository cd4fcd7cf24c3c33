/**
 * What a filter knows of a text: short pieces of it, *grams*, as the numbers of rows in which a bit is set. A query finds fragments of words, so
 * pieces have to be such that every fragment of some length has one:
 *
 * - four letters beside each other: all of them, since the words of logs are few
 * - five characters with a digit among them: ids and addresses are endless, so of four such pieces that begin beside each other only the one with
 *   the smallest hash (a minimizer) counts. A fragment of eight characters has one at least, the same as in the text.
 *
 * Letters count in any case. What may be written differently in a stored line (text-pattern.ts), spaces and bytes beyond ASCII are in no piece.
 */

/** Rows of letters come first, then those of pieces with digits. */
const LETTER_BITS = 15;
const MIXED_BITS = 16;
const LETTER_ROWS = 1 << LETTER_BITS;
export const GRAM_ROWS = LETTER_ROWS + (1 << MIXED_BITS);
const LETTERS = 4;
const MIXED_LENGTH = 5;
const WINDOW = 4;

/** Of each byte: 0 for what is in no piece, else its code in small letters. */
export const GRAM_CODES = new Uint8Array(256);
/** Of each byte: 0, {@link IS_LETTER} or {@link IS_DIGIT}. */
export const GRAM_KINDS = new Uint8Array(256);
const IS_LETTER = 1;
const IS_DIGIT = 2;
for (let code = 0x21; code <= 0x7e; code++) {
  const character = String.fromCharCode(code);
  if ('/[]"\\'.includes(character)) continue;
  GRAM_CODES[code] = character.toLowerCase().charCodeAt(0);
  GRAM_KINDS[code] = /[a-z]/i.test(character) ? IS_LETTER : /\d/.test(character) ? IS_DIGIT : 0;
}

/** The rows that are set for texts. */
export class GramSet {
  private readonly words = new Uint32Array(GRAM_ROWS / 32);

  /** Adds the pieces of `bytes[start, end)`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const { words } = this;
    let last4 = 0;
    let letters = 0;
    let length = 0;
    // Characters since the last digit, and hashes of the pieces that ended here and at the places before.
    let sinceDigit = MIXED_LENGTH;
    let mixed = 0;
    let [h1, h2, h3] = [0, 0, 0];
    let smallest = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      const code = GRAM_CODES[byte];
      if (code === 0) {
        letters = 0;
        length = 0;
        mixed = 0;
        sinceDigit = MIXED_LENGTH;
        continue;
      }
      const before = last4;
      last4 = (last4 << 8) | code;
      length++;
      const kind = GRAM_KINDS[byte];
      if (kind === IS_LETTER) {
        sinceDigit++;
        if (++letters >= LETTERS) {
          const row = Math.imul(last4, 0x9e3779b1) >>> (32 - LETTER_BITS);
          words[row >>> 5] |= 1 << (row & 31);
        }
      } else {
        letters = 0;
        sinceDigit = kind === IS_DIGIT ? 0 : sinceDigit + 1;
      }
      if (sinceDigit >= MIXED_LENGTH || length < MIXED_LENGTH) {
        mixed = 0;
        continue;
      }
      let hash = Math.imul(last4, 0x85ebca6b) ^ Math.imul((before >>> 24) + 0x51, 0xc2b2ae35);
      hash = Math.imul(hash ^ (hash >>> 15), 0x27d4eb2f) >>> 0;
      if (++mixed >= WINDOW) {
        const least = Math.min(hash, h1, h2, h3);
        if (least !== smallest) {
          smallest = least;
          const row = LETTER_ROWS + (Math.imul(least ^ (least >>> 16), 0x9e3779b1) >>> (32 - MIXED_BITS));
          words[row >>> 5] |= 1 << (row & 31);
        }
      }
      h3 = h2;
      h2 = h1;
      h1 = hash;
    }
  }

  /** Adds rows, a bit each. */
  addRows(rows: Uint32Array): void {
    const { words } = this;
    for (let i = 0; i < words.length; i++) words[i] |= rows[i];
  }

  /** Calls `take` with each row that is set. */
  forEach(take: (row: number) => void): void {
    const { words } = this;
    for (let i = 0; i < words.length; i++)
      for (let word = words[i]; word !== 0; word &= word - 1) take(i * 32 + 31 - Math.clz32(word & -word));
  }
}

/** The rows that are set for every text that has this fragment in it. */
export function gramRows(fragment: string): number[] {
  const set = new GramSet();
  const bytes = Buffer.from(fragment, 'latin1');
  set.add(bytes, 0, bytes.length);
  const rows: number[] = [];
  set.forEach((row) => {
    rows.push(row);
  });
  return rows;
}
