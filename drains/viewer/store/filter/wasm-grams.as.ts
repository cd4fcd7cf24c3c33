/**
 * The pieces of the lines of a block, as `grams.ts` defines them. Compiled by `npm run build:wasm` (AssemblyScript) into `wasm-grams-binary.ts`.
 *
 * Memory is laid out by the caller (`wasm-grams.ts`).
 */
import { hostOffset, RECORD_HEADER, textLength } from '../../../../src/logs/syslog/wasm/wasm-record.as';

/** What every module has; none of them is used here. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

const LETTER_BITS: u32 = 15;
const LETTER_ROWS: u32 = 1 << LETTER_BITS;
const MIXED_BITS: u32 = 16;
const LETTERS: u32 = 4;
const MIXED_LENGTH: u32 = 5;
const WINDOW: u32 = 4;
const IS_LETTER: u32 = 1;

/**
 * Adds the pieces of each record of `[records, end)`, from its HOST on.
 * @param codes of each byte: 0 for what is in no piece, else its code in small letters
 * @param kinds of each byte: 1 for a letter, 2 for a digit
 * @param rows a bit each
 */
export function addRecords(records: u32, end: u32, codes: u32, kinds: u32, rows: u32): void {
  let at = records;
  while (at < end) {
    const text = at + RECORD_HEADER;
    const host = text + hostOffset(at);
    at = text + textLength(at);
    addText(host, at, codes, kinds, rows);
  }
}

function addText(start: u32, end: u32, codes: u32, kinds: u32, rows: u32): void {
  let last4: u32 = 0;
  let letters: u32 = 0;
  let length: u32 = 0;
  let sinceDigit: u32 = MIXED_LENGTH;
  let mixed: u32 = 0;
  let h1: u32 = 0;
  let h2: u32 = 0;
  let h3: u32 = 0;
  let smallest: u32 = 0;
  for (let i = start; i < end; i++) {
    const byte: u32 = load<u8>(i);
    const code: u32 = load<u8>(codes + byte);
    if (code == 0) {
      letters = 0;
      length = 0;
      mixed = 0;
      sinceDigit = MIXED_LENGTH;
      continue;
    }
    const before = last4;
    last4 = (last4 << 8) | code;
    length++;
    const kind: u32 = load<u8>(kinds + byte);
    if (kind == IS_LETTER) {
      sinceDigit++;
      letters++;
      if (letters >= LETTERS) setRow(rows, (last4 * 0x9e3779b1) >> (32 - LETTER_BITS));
    } else {
      letters = 0;
      sinceDigit = kind != 0 ? 0 : sinceDigit + 1;
    }
    if (sinceDigit >= MIXED_LENGTH || length < MIXED_LENGTH) {
      mixed = 0;
      continue;
    }
    let hash: u32 = (last4 * 0x85ebca6b) ^ (((before >> 24) + 0x51) * 0xc2b2ae35);
    hash = (hash ^ (hash >> 15)) * 0x27d4eb2f;
    mixed++;
    if (mixed >= WINDOW) {
      const least = min(min(hash, h1), min(h2, h3));
      if (least != smallest) {
        smallest = least;
        setRow(rows, LETTER_ROWS + (((least ^ (least >> 16)) * 0x9e3779b1) >> (32 - MIXED_BITS)));
      }
    }
    h3 = h2;
    h2 = h1;
    h1 = hash;
  }
}

// @ts-expect-error: AssemblyScript's
@inline
function setRow(rows: u32, row: u32): void {
  const at = rows + ((row >> 5) << 2);
  store<u32>(at, load<u32>(at) | ((1 as u32) << (row & 31)));
}
