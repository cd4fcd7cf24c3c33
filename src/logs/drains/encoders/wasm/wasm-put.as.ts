/**
 * Copies of text for `wasm-lines.as.ts`, which it is compiled into: UTF-8 is checked on the way. Reads and writes may run over the end by
 * up to 31 bytes.
 */
import { splat } from '../../../../common/wasm/wasm-splat.as';

/** Writes `[start, end)` as within a JSON string. @returns the new end, or 0 when it isn't UTF-8 */
export function putEscaped(to: u32, start: u32, end: u32): u32 {
  const quote = splat(0x22);
  const backslash = splat(0x5c);
  const space = splat(0x20);
  let i = start;
  let o = to;
  while (i < end) {
    const bytes = v128.load(i);
    v128.store(o, bytes);
    const escapes = v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash));
    // Compared as signed numbers, what is beyond ASCII is below a space as well.
    const odd = v128.or(i8x16.lt_s(bytes, space), escapes);
    const mask: u32 = i8x16.bitmask(odd);
    const left = end - i;
    if (mask == 0) {
      if (left <= 16) return o + left;
      i += 16;
      o += 16;
      continue;
    }
    let here: u32 = ctz<u32>(mask);
    if (here >= left) return o + left;
    if (mask == <u32>i8x16.bitmask(escapes)) {
      // Quotes and backslashes alone: each moves what is behind it.
      let rest = mask;
      do {
        here = ctz<u32>(rest);
        if (here >= left) return o + left;
        store<u8>(o + here, 0x5c);
        o++;
        v128.store(o + here, v128.load(i + here));
        rest &= rest - 1;
      } while (rest);
      if (left <= 16) return o + left;
      i += 16;
      o += 16;
      continue;
    }
    i += here;
    o += here;
    let byte: u32 = load<u8>(i);
    if (byte >= 0x80) {
      const length = putBeyondAscii(o, i, end);
      if (length == 0) return 0;
      i += length;
      o += length;
      continue;
    }
    i++;
    if (byte == 0x22 || byte == 0x5c) {
      store<u16>(o, (byte << 8) | 0x5c);
      o += 2;
      continue;
    }
    const short: u32 =
      byte == 0x09 ? 0x74 : byte == 0x0a ? 0x6e : byte == 0x0d ? 0x72 : byte == 0x08 ? 0x62 : byte == 0x0c ? 0x66 : 0;
    if (short) {
      store<u16>(o, (short << 8) | 0x5c);
      o += 2;
      continue;
    }
    // \u00
    store<u32>(o, 0x3030755c);
    const low = byte & 15;
    store<u8>(o, 0x30 + (byte >> 4), 4);
    store<u8>(o, low < 10 ? 0x30 + low : 0x57 + low, 5);
    o += 6;
  }
  return o;
}

/** Writes `[start, end)` as it is. @returns the new end, or 0 when it isn't UTF-8, or has a newline and isn't `breakable` */
export function putPlain(to: u32, start: u32, end: u32, breakable: bool): u32 {
  const newline = splat(0x0a);
  let i = start;
  let o = to;
  while (i < end) {
    let low = v128.load(i);
    let high = v128.load(i, 16);
    v128.store(o, low);
    v128.store(o, high, 16);
    if (!breakable) {
      low = v128.or(low, i8x16.eq(low, newline));
      high = v128.or(high, i8x16.eq(high, newline));
    }
    // The highest bits: of what is beyond ASCII.
    const mask: u32 = i8x16.bitmask(low) | (i8x16.bitmask(high) << 16);
    const left = end - i;
    // Where the next bytes are mustn't wait for what is in these.
    if (mask == 0) {
      if (left <= 32) return o + left;
      i += 32;
      o += 32;
      continue;
    }
    const here: u32 = ctz<u32>(mask);
    if (here >= left) return o + left;
    i += here;
    o += here;
    if (load<u8>(i) < 0x80) return 0;
    const length = putBeyondAscii(o, i, end);
    if (length == 0) return 0;
    i += length;
    o += length;
  }
  return o;
}

/** Writes the characters from `start` on that are beyond ASCII, the first of which is. @returns how many bytes, or 0 when they aren't UTF-8 */
function putBeyondAscii(to: u32, start: u32, end: u32): u32 {
  let i = start;
  do {
    const length = utf8Length(i, end);
    if (length == 0) return 0;
    store<u32>(to + i - start, load<u32>(i));
    i += length;
  } while (i < end && load<u8>(i) >= 0x80);
  return i - start;
}

/** Bytes of the character at `i`, which is beyond ASCII; 0 when it isn't UTF-8 (RFC 3629 section 4). */
function utf8Length(i: u32, end: u32): u32 {
  const first: u32 = load<u8>(i);
  const second: u32 = i + 1 < end ? load<u8>(i, 1) : 0;
  if (first < 0xc2 || (second & 0xc0) != 0x80) return 0;
  if (first < 0xe0) return 2;
  const third: u32 = i + 2 < end ? load<u8>(i, 2) : 0;
  if ((third & 0xc0) != 0x80) return 0;
  if (first < 0xf0) {
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0)) return 0;
    return 3;
  }
  const fourth: u32 = i + 3 < end ? load<u8>(i, 3) : 0;
  if (first > 0xf4 || (fourth & 0xc0) != 0x80) return 0;
  return (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90) ? 0 : 4;
}
