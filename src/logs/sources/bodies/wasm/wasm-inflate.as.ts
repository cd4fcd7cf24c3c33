/**
 * The WebAssembly fast path for small bodies of gzip: unpacks DEFLATE (RFC 1951). Compiled by `npm run build:wasm` (AssemblyScript) into
 * `wasm-inflate-binary.ts`; what is right is zlib's, and whatever is odd or wrong is left to that.
 *
 * Memory is laid out by the caller (`wasm-inflate.ts`). Reads and writes may run over the end of a region by up to 15 bytes.
 */

/** Where it stopped in the input, and where the output ends. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

/** Bits that the table of a code is looked up by, at the most; longer codes are read bit by bit. */
const LITERAL_BITS: u32 = 10;
const DISTANCE_BITS: u32 = 8;
const LENGTH_CODE_BITS: u32 = 7;
const CODE_BITS_MAX: u32 = 15;

const LITERALS_MAX: u32 = 286;
const DISTANCES_MAX: u32 = 30;
const FIXED_LITERALS: u32 = 288;
const FIXED_DISTANCES: u32 = 32;
const END_OF_BLOCK: u32 = 256;
const LENGTH_CODES: u32 = 19;
/** Each block may have codes of its own, which take longer to make than most blocks to read. */
const BLOCKS_MAX: u32 = 256;

/** The order of the lengths of length codes (section 3.2.7). */
const LENGTH_CODE_ORDER = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);
/** Section 3.2.5: lengths from symbol 257 on, and their extra bits; the same of distances. */
const LENGTH_BASE = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const LENGTH_EXTRA = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
const DISTANCE_BASE = memory.data<u16>([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]);
const DISTANCE_EXTRA = memory.data<u8>([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);

/**
 * A code: how many codes each length has (u16 × 16), the symbols in the order of their codes (u16 × 288), by how many bits the table is looked up
 * (u8), and the table (u32 × 1,024). An entry of the table: bits of the code (4), extra bits (4), kind (2), and from bit 16 on the value; 0 for a
 * longer code, or none.
 */
const COUNTS: u32 = 0;
const SYMBOLS: u32 = 32;
const TABLE_BITS: u32 = 608;
const TABLE: u32 = 640;
export const CODE_BYTES: u32 = 640 + 4 * 1_024;

/** Kinds of entries. */
const LITERAL: u32 = 0;
const MATCH: u32 = 1 << 8;
const END: u32 = 2 << 8;

// Of the bits that are read.
let bits: u64 = 0;
let bitCount: u32 = 0;
let next: u32 = 0;

let literals: u32 = 0;
let distances: u32 = 0;
let fixedLiterals: u32 = 0;
let fixedDistances: u32 = 0;
/** Of the codes of a block: their lengths. */
let lengths: u32 = 0;

/** To be called once. @param codes four times {@link CODE_BYTES}, zeros; @param lengthsAt 512 bytes */
export function prepare(codes: u32, lengthsAt: u32): void {
  literals = codes;
  distances = codes + CODE_BYTES;
  fixedLiterals = codes + 2 * CODE_BYTES;
  fixedDistances = codes + 3 * CODE_BYTES;
  lengths = lengthsAt;
  for (let i: u32 = 0; i < FIXED_LITERALS; i++)
    store<u8>(lengths + i, i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
  build(fixedLiterals, FIXED_LITERALS, LITERAL_BITS, 1);
  memory.fill(lengths, 5, FIXED_DISTANCES);
  build(fixedDistances, FIXED_DISTANCES, DISTANCE_BITS, 2);
}

/**
 * Unpacks what is in `[from, end)` to `[out, outEnd)`; false when it isn't whole, isn't valid, doesn't fit, or has many blocks. The input ends at
 * {@link position} then, the output at {@link produced}.
 */
export function inflate(from: u32, end: u32, out: u32, outEnd: u32): bool {
  bits = 0;
  bitCount = 0;
  next = from;
  produced = out;
  for (let blocks: u32 = 0; ; blocks++) {
    refill();
    if (next > end + 8 || blocks == BLOCKS_MAX) return false;
    const isLast = take(1);
    const kind = take(2);
    let isRead = false;
    if (kind == 0) isRead = copyStored(end, outEnd);
    else if (kind == 1) isRead = readBlock(fixedLiterals, fixedDistances, end, out, outEnd);
    else if (kind == 2) isRead = readCodes() && readBlock(literals, distances, end, out, outEnd);
    if (!isRead) return false;
    if (isLast) break;
  }
  position = next - (bitCount >> 3);
  return position <= end;
}

/** At least 56 bits are there afterwards; behind the end of the input they are any. */
// @ts-ignore: decorator of AssemblyScript
@inline
function refill(): void {
  bits |= load<u64>(next) << (<u64>bitCount);
  next += (63 - bitCount) >> 3;
  bitCount |= 56;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function take(count: u32): u32 {
  const value = <u32>bits & ((1 << count) - 1);
  bits >>= <u64>count;
  bitCount -= count;
  return value;
}

/** Section 3.2.4. */
function copyStored(end: u32, outEnd: u32): bool {
  take(bitCount & 7);
  const at = next - (bitCount >> 3);
  if (at + 4 > end) return false;
  const length: u32 = load<u16>(at);
  if ((length ^ 0xffff) != <u32>load<u16>(at + 2)) return false;
  if (length > end - at - 4 || length > outEnd - produced) return false;
  memory.copy(produced, at + 4, length);
  produced += length;
  next = at + 4 + length;
  bits = 0;
  bitCount = 0;
  return true;
}

/** Section 3.2.7. */
function readCodes(): bool {
  const literalCount = take(5) + 257;
  const distanceCount = take(5) + 1;
  const lengthCount = take(4) + 4;
  if (literalCount > LITERALS_MAX || distanceCount > DISTANCES_MAX) return false;
  memory.fill(lengths, 0, LENGTH_CODES);
  for (let i: u32 = 0; i < lengthCount; i++) {
    if (bitCount < 3) refill();
    store<u8>(lengths + load<u8>(LENGTH_CODE_ORDER + i), <u8>take(3));
  }
  // The distances' table is made later: until then its place is that of the lengths' code.
  if (!build(distances, LENGTH_CODES, LENGTH_CODE_BITS, 0)) return false;
  const lengthMask: u32 = (1 << <u32>load<u8>(distances + TABLE_BITS)) - 1;
  const count = literalCount + distanceCount;
  let before: u32 = 0;
  // In variables of the function, as in `readBlock`.
  let b = bits;
  let n = bitCount;
  let from = next;
  for (let i: u32 = 0; i < count; ) {
    // A code of 7 bits, and 7 that say how often.
    if (n < 14) {
      b |= load<u64>(from) << (<u64>n);
      from += (63 - n) >> 3;
      n |= 56;
    }
    const entry = load<u32>(distances + TABLE + ((<u32>b & lengthMask) << 2));
    if (entry == 0) return false;
    b >>= <u64>(entry & 15);
    n -= entry & 15;
    const symbol = entry >> 16;
    if (symbol < 16) {
      before = symbol;
      store<u8>(lengths + i, <u8>before);
      i++;
      continue;
    }
    if (symbol == 16 && i == 0) return false;
    if (symbol != 16) before = 0;
    const repeatBits: u32 = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
    const repeat: u32 = (<u32>b & ((1 << repeatBits) - 1)) + (symbol == 18 ? 11 : 3);
    b >>= <u64>repeatBits;
    n -= repeatBits;
    if (repeat > count - i) return false;
    // What comes next is written over what is too much.
    const same = i8x16.splat(<u8>before);
    for (let at = i; at < i + repeat; at += 16) v128.store(lengths + at, same);
    i += repeat;
  }
  bits = b;
  bitCount = n;
  next = from;
  if (load<u8>(lengths + END_OF_BLOCK) == 0) return false;
  if (!build(literals, literalCount, LITERAL_BITS, 1)) return false;
  for (let i: u32 = 0; i < distanceCount; i += 16) v128.store(lengths + i, v128.load(lengths + literalCount + i));
  return build(distances, distanceCount, DISTANCE_BITS, 2);
}

/**
 * Makes a code of {@link lengths} (section 3.2.2); false when there are too many codes, or too few, but for one of a single bit.
 * @param kind of symbols: 0 lengths of codes, 1 literals and lengths, 2 distances
 */
function build(code: u32, count: u32, tableBits: u32, kind: u32): bool {
  v128.store(code + COUNTS, i8x16.splat(0));
  v128.store(code + COUNTS + 16, i8x16.splat(0));
  let used: u32 = 0;
  for (let i: u32 = 0; i < count; i += 16) {
    for (let some = usedSymbols(i, count); some != 0; some &= some - 1) {
      const at = code + COUNTS + (<u32>load<u8>(lengths + i + ctz(some)) << 1);
      store<u16>(at, load<u16>(at) + 1);
      used++;
    }
  }
  let left: i32 = 1;
  let max: u32 = 0;
  // Where the symbols of each length begin; and their first codes. Both are behind the lengths.
  const offsets = lengths + 320;
  const codes = lengths + 352;
  let offset: u32 = 0;
  let first: u32 = 0;
  for (let length: u32 = 1; length <= CODE_BITS_MAX; length++) {
    const some: u32 = load<u16>(code + COUNTS + (length << 1));
    left = (left << 1) - <i32>some;
    if (left < 0) return false;
    if (some > 0) max = length;
    store<u16>(offsets + (length << 1), <u16>offset);
    store<u16>(codes + (length << 1), <u16>first);
    offset += some;
    first = (first + some) << 1;
  }
  // Distances may have one code of one bit, or none; so may literals, which need the end of the block then.
  if (left > 0 && (kind == 0 || max > 1)) return false;
  // Few bytes have few symbols, with short codes: then the table is small.
  if (max < tableBits) tableBits = max == 0 ? 1 : max;
  store<u8>(code + TABLE_BITS, <u8>tableBits);
  const size: u32 = 1 << tableBits;
  if (left > 0 || max > tableBits || used == 0) memory.fill(code + TABLE, 0, size << 2);
  for (let from: u32 = 0; from < count; from += 16) {
    for (let some = usedSymbols(from, count); some != 0; some &= some - 1) {
      const symbol = from + ctz(some);
      const length: u32 = load<u8>(lengths + symbol);
      const offsetAt = offsets + (length << 1);
      const place: u32 = load<u16>(offsetAt);
      store<u16>(offsetAt, <u16>(place + 1));
      store<u16>(code + SYMBOLS + (place << 1), <u16>symbol);
      if (length > tableBits) continue;
      const codeAt = codes + (length << 1);
      const value: u32 = load<u16>(codeAt);
      store<u16>(codeAt, <u16>(value + 1));
      const entry = entryOf(symbol, length, kind);
      for (let i = reversed(value, length); i < size; i += 1 << length) store<u32>(code + TABLE + (i << 2), entry);
    }
  }
  return true;
}

/** Which of the sixteen symbols from `from` on, of `count`, have a code: a bit for each. Few have, of the literals of a small body. */
// @ts-ignore: decorator of AssemblyScript
@inline
function usedSymbols(from: u32, count: u32): u32 {
  const unused: u32 = i8x16.bitmask(i8x16.eq(v128.load(lengths + from), i8x16.splat(0)));
  const rest = count - from;
  return ~unused & (rest < 16 ? (1 << rest) - 1 : 0xffff);
}

/** 0 for a symbol that stands for nothing. */
// @ts-ignore: decorator of AssemblyScript
@inline
function entryOf(symbol: u32, length: u32, kind: u32): u32 {
  if (kind == 0 || (kind == 1 && symbol < END_OF_BLOCK)) return (symbol << 16) | LITERAL | length;
  if (kind == 1) {
    if (symbol == END_OF_BLOCK) return END | length;
    const i = symbol - END_OF_BLOCK - 1;
    if (i > 28) return 0;
    return (<u32>load<u16>(LENGTH_BASE + (i << 1)) << 16) | MATCH | (<u32>load<u8>(LENGTH_EXTRA + i) << 4) | length;
  }
  if (symbol >= DISTANCES_MAX) return 0;
  return (
    (<u32>load<u16>(DISTANCE_BASE + (symbol << 1)) << 16) | (<u32>load<u8>(DISTANCE_EXTRA + symbol) << 4) | length
  );
}

/** So many bits of a code, the last one first, as they stand in the input. */
// @ts-ignore: decorator of AssemblyScript
@inline
function reversed(code: u32, length: u32): u32 {
  let i = ((code & 0x5555) << 1) | ((code >> 1) & 0x5555);
  i = ((i & 0x3333) << 2) | ((i >> 2) & 0x3333);
  i = ((i & 0x0f0f) << 4) | ((i >> 4) & 0x0f0f);
  i = ((i & 0x00ff) << 8) | (i >> 8);
  return i >> (16 - length);
}

/** The entry of a code that is longer than the table is looked up by; 0 when there is none. */
function longEntry(code: u32, kind: u32, ahead: u32): u32 {
  let value: u32 = 0;
  let first: u32 = 0;
  let offset: u32 = 0;
  let rest = ahead;
  for (let length: u32 = 1; length <= CODE_BITS_MAX; length++) {
    value |= rest & 1;
    rest >>= 1;
    const some: u32 = load<u16>(code + COUNTS + (length << 1));
    if (value - first < some) return entryOf(load<u16>(code + SYMBOLS + ((offset + value - first) << 1)), length, kind);
    offset += some;
    first = (first + some) << 1;
    value <<= 1;
  }
  return 0;
}

/** Reads a block up to its end. */
function readBlock(literalCode: u32, distanceCode: u32, end: u32, out: u32, outEnd: u32): bool {
  const literalTable = literalCode + TABLE;
  const distanceTable = distanceCode + TABLE;
  const literalMask: u32 = (1 << <u32>load<u8>(literalCode + TABLE_BITS)) - 1;
  const distanceMask: u32 = (1 << <u32>load<u8>(distanceCode + TABLE_BITS)) - 1;
  let at = produced;
  // In variables of the function, as this is where the time goes.
  let b = bits;
  let n = bitCount;
  let from = next;
  while (true) {
    b |= load<u64>(from) << (<u64>n);
    from += (63 - n) >> 3;
    n |= 56;
    // All of the bits may have been behind the end.
    if (from > end + 8) return false;
    let entry = load<u32>(literalTable + ((<u32>b & literalMask) << 2));
    if ((entry & (MATCH | END)) == 0 && entry != 0) {
      // The bits that are there are enough for two more.
      if (at + 3 > outEnd) {
        if (at >= outEnd) return false;
        store<u8>(at++, <u8>(entry >> 16));
        b >>= <u64>(entry & 15);
        n -= entry & 15;
        continue;
      }
      store<u8>(at++, <u8>(entry >> 16));
      b >>= <u64>(entry & 15);
      n -= entry & 15;
      entry = load<u32>(literalTable + ((<u32>b & literalMask) << 2));
      if (entry == 0 || (entry & (MATCH | END)) != 0) continue;
      store<u8>(at++, <u8>(entry >> 16));
      b >>= <u64>(entry & 15);
      n -= entry & 15;
      entry = load<u32>(literalTable + ((<u32>b & literalMask) << 2));
      if (entry == 0 || (entry & (MATCH | END)) != 0) continue;
      store<u8>(at++, <u8>(entry >> 16));
      b >>= <u64>(entry & 15);
      n -= entry & 15;
      continue;
    }
    if (entry == 0) {
      entry = longEntry(literalCode, 1, <u32>b);
      if (entry == 0) return false;
    }
    b >>= <u64>(entry & 15);
    n -= entry & 15;
    if ((entry & (MATCH | END)) == 0) {
      if (at >= outEnd) return false;
      store<u8>(at++, <u8>(entry >> 16));
      continue;
    }
    if ((entry & END) != 0) {
      bits = b;
      bitCount = n;
      next = from;
      produced = at;
      return true;
    }
    const lengthBits = (entry >> 4) & 15;
    const length = (entry >> 16) + (<u32>b & ((1 << lengthBits) - 1));
    b >>= <u64>lengthBits;
    n -= lengthBits;
    let far = load<u32>(distanceTable + ((<u32>b & distanceMask) << 2));
    if (far == 0) {
      far = longEntry(distanceCode, 2, <u32>b);
      if (far == 0) return false;
    }
    b >>= <u64>(far & 15);
    n -= far & 15;
    const distanceBits = (far >> 4) & 15;
    const distance = (far >> 16) + (<u32>b & ((1 << distanceBits) - 1));
    b >>= <u64>distanceBits;
    n -= distanceBits;
    if (distance > at - out || length > outEnd - at) return false;
    repeatBytes(at, distance, length);
    at += length;
  }
  return false;
}

/** Writes the bytes that stand so far before `at` once more, which may be some of those that are written. */
// @ts-ignore: decorator of AssemblyScript
@inline
function repeatBytes(at: u32, distance: u32, length: u32): void {
  const from = at - distance;
  if (distance >= 16) {
    for (let i: u32 = 0; i < length; i += 16) v128.store(at + i, v128.load(from + i));
    return;
  }
  if (distance == 1) {
    const same = i8x16.splat(load<u8>(from));
    for (let i: u32 = 0; i < length; i += 16) v128.store(at + i, same);
    return;
  }
  if (distance >= 8) {
    for (let i: u32 = 0; i < length; i += 8) store<u64>(at + i, load<u64>(from + i));
    return;
  }
  for (let i: u32 = 0; i < length; i++) store<u8>(at + i, load<u8>(from + i));
}
