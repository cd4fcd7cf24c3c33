/**
 * The scan of `gram-scanner.ts` for places where a text may stand. Compiled by `npm run build:wasm` (AssemblyScript) into
 * `wasm-gram-scan-binary.ts`; whether one does stand there is decided by the caller.
 *
 * Memory is laid out by the caller (`wasm-gram-scan.ts`). Reads may run over the end of the bytes by up to 7.
 */

/** What every module has: where it stopped, and where its output ends. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

const FOLD: u32 = 0x20202020;
const SHORT_MASK: u32 = 0xffffff;
const PAIR_MASK: u32 = 0xffff;
/** Fibonacci hashing. */
const MULTIPLIER: u32 = 0x9e3779b1;
/** Of a hash the bits that say whether a gram may be there, and of these the ones that lead to a list. */
const SLOT_BITS: u32 = 17;
const HEAD_BITS: u32 = 12;
const NONE: u32 = 0xffff;
/** `u32 gram | u16 next | u16 0` */
const ENTRY_SHIFT: u32 = 3;
/** What is written in front of the number of a gram: of which table it is. */
const SHORT: u32 = 1 << 30;
const PAIR: u32 = 2 << 30;
/** Room that is left in the output when the next four bytes are looked at: lists are shorter. */
const ROOM: u32 = 4_096;

/**
 * Looks at `[from, end)`, four bytes at a time; for each gram of a table that stands there, `u32 place | u32 table and number` is written. It
 * stops at `position` when there is no more room.
 *
 * @param long table of grams of four bytes, at every fourth place; `short` those of three, at every second: bits, heads, entries; 0 for none
 * @param pairs a bit for each two bytes; 0 for none
 */
export function scan(from: u32, end: u32, out: u32, outEnd: u32, long: u32, short: u32, pairs: u32): void {
  let i = from;
  let to = out;
  const last = outEnd - ROOM;
  while (i < end && to < last) {
    const word = load<u32>(i) | FOLD;
    if (long != 0 && mayHave(long, word)) to = find(long, word, i, 0, to);
    if (short != 0) {
      const gram = word & SHORT_MASK;
      if (mayHave(short, gram)) to = find(short, gram, i, SHORT, to);
      const behind = (load<u32>(i, 2) | FOLD) & SHORT_MASK;
      if (mayHave(short, behind)) to = find(short, behind, i + 2, SHORT, to);
    }
    if (pairs != 0) {
      const first = word & PAIR_MASK;
      if (isSet(pairs, first)) to = put(i, PAIR | first, to);
      const second = word >> 16;
      if (isSet(pairs, second)) to = put(i + 2, PAIR | second, to);
    }
    i += 4;
  }
  position = i;
  produced = to;
}

// @ts-expect-error: AssemblyScript's
@inline
function isSet(bits: u32, slot: u32): bool {
  return ((load<u8>(bits + (slot >> 3)) >> (slot & 7)) & 1) != 0;
}

// @ts-expect-error: AssemblyScript's
@inline
function mayHave(table: u32, gram: u32): bool {
  return isSet(table, (gram * MULTIPLIER) >> (32 - SLOT_BITS));
}

function find(table: u32, gram: u32, at: u32, kind: u32, out: u32): u32 {
  const heads = table + ((1 as u32) << (SLOT_BITS - 3));
  const entries = heads + ((2 as u32) << HEAD_BITS);
  let to = out;
  let entry: u32 = load<u16>(heads + (((gram * MULTIPLIER) >> (32 - HEAD_BITS)) << 1));
  while (entry != NONE) {
    const place = entries + (entry << ENTRY_SHIFT);
    if (load<u32>(place) == gram) to = put(at, kind | entry, to);
    entry = load<u16>(place, 4);
  }
  return to;
}

// @ts-expect-error: AssemblyScript's
@inline
function put(at: u32, what: u32, to: u32): u32 {
  store<u32>(to, at);
  store<u32>(to, what, 4);
  return to + 8;
}
