/**
 * The fields of a header, found in place: what the WebAssembly fast path has in common for RFC 5424 and RFC 3164. It takes less than
 * `header.ts` does, and never something else.
 */
import { DASH, SPACE } from '../../../common/wasm/wasm-ascii.as';
import { splat } from '../../../common/wasm/wasm-splat.as';
import { TOKEN_TEXT_BYTES_MIN } from './wasm-record.as';

/** The last day that a timestamp may name, as the number 20121210: set by the caller, see `latestDate` in timestamp.ts. */
export let dateMax: u32 = 0;

/** The minute that was checked last, `2012-12-` and `10T03:00`, and the zone with the space behind it, `+00:00 `; 0: none was. */
let goodDate: u64 = 0;
let goodMinute: u64 = 0;
let goodZone: u64 = 0;

/** Of names in structured data. */
const NAME_BYTES_MAX: u32 = 32;
const DATE_MIN: u32 = 20_000_101;

export function setDateMax(date: u32): void {
  // The clock was set back.
  if (date < dateMax) goodDate = 0;
  dateMax = date;
}

/** Where the PRI that starts at `start` ends, or 0. */
export function skipPriority(start: u32, end: u32): u32 {
  let i = start;
  if (end - start < 8 || load<u8>(i) != 0x3c) return 0;
  i++;
  let priority: u32 = 0;
  let digits = 0;
  while (digits < 3) {
    const digit: u32 = <u32>load<u8>(i) - 0x30;
    if (digit > 9) break;
    priority = priority * 10 + digit;
    digits++;
    i++;
  }
  if (digits == 0 || priority > 191 || load<u8>(i) != 0x3e) return 0;
  if (digits > 1 && load<u8>(start, 1) == 0x30) return 0;
  return i + 1;
}

/** Where HOSTNAME starts, after an RFC 3339 timestamp of at most 35 bytes, or 0. */
export function skipTime(start: u32, limit: u32): u32 {
  if (start + 21 > limit) return 0;
  // Lines of one minute come one after the other: its sixteen bytes are checked once.
  if (load<u64>(start) != goodDate || load<u64>(start, 8) != goodMinute || goodDate == 0) {
    if (!isDate(start) || load<u8>(start, 10) != 0x54 || load<u8>(start, 13) != 0x3a) return 0;
    if (pair(start + 11) > 23 || pair(start + 14) > 59) return 0;
    goodDate = load<u64>(start);
    goodMinute = load<u64>(start, 8);
  }
  if (load<u8>(start, 16) != 0x3a || pair(start + 17) > 59) return 0;
  let i = start + 19;
  if (load<u8>(i) == 0x2e) {
    const from = i + 1;
    const digits = countDigits(from);
    if (digits == 0 || digits > 9) return 0;
    i = from + digits;
  }
  // And so do those of one zone.
  const zone = load<u64>(i) & 0x00ffffffffffffff;
  if (zone == goodZone) i += 6;
  else if ((zone & 0xff) == 0x5a) i++;
  else {
    if ((zone & 0xff) != 0x2b && (zone & 0xff) != 0x2d) return 0;
    if (pair(i + 1) > 23 || load<u8>(i, 3) != 0x3a || pair(i + 4) > 59) return 0;
    if (load<u8>(i, 6) == SPACE) goodZone = zone;
    i += 6;
  }
  return i < limit && i - start <= 35 && load<u8>(i) == SPACE ? i + 1 : 0;
}

/** How many digits there are at `start`: 16 at the most. */
function countDigits(start: u32): u32 {
  const isNone = i8x16.ge_u(i8x16.sub(v128.load(start), splat(0x30)), splat(10));
  return ctz<u32>(i8x16.bitmask(isNone) | 0x10000);
}

/** Is it a date, `2012-12-10`, and one that may be right? */
export function isDate(start: u32): bool {
  if (load<u8>(start, 4) != 0x2d || load<u8>(start, 7) != 0x2d) return false;
  const century = pair(start);
  const year = pair(start + 2);
  const month = pair(start + 5);
  const day = pair(start + 8);
  if (century > 99 || year > 99 || month - 1 > 11 || day - 1 >= monthDays(century, year, month)) return false;
  const date = century * 1_000_000 + year * 10_000 + month * 100 + day;
  return date >= DATE_MIN && date <= dateMax;
}

/** Days of a month from 1 to 12. */
function monthDays(century: u32, year: u32, month: u32): u32 {
  if (month == 2) {
    const isLeapYear = year == 0 ? (century & 3) == 0 : (year & 3) == 0;
    return isLeapYear ? 29 : 28;
  }
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/** The two digits at `i` as a number; over 99 when they are none. */
export function pair(i: u32): u32 {
  const tens: u32 = <u32>load<u8>(i) - 0x30;
  const ones: u32 = <u32>load<u8>(i, 1) - 0x30;
  return tens <= 9 && ones <= 9 ? tens * 10 + ones : 1000;
}

/** Where the field that starts at `start` ends: at a space or another byte that no field has, or at `limit`. */
export function skipField(start: u32, limit: u32): u32 {
  const lowest = splat(0x21);
  const del = splat(0x7f);
  for (let i = start; i < limit; i += 16) {
    const bytes = v128.load(i);
    // Compared as signed numbers, what is beyond ASCII is below `!` as well.
    const odd = v128.or(i8x16.lt_s(bytes, lowest), i8x16.eq(bytes, del));
    const found = i8x16.bitmask(odd);
    if (found != 0) {
      const end: u32 = i + ctz<i32>(found);
      return end < limit ? end : limit;
    }
  }
  return limit;
}

/** Is the field there, of at most `max` bytes, and without a token? It is PRINTUSASCII already. */
export function isClean(start: u32, end: u32, max: u32): bool {
  const length = end - start;
  if (length == 0 || length > max) return false;
  return length < TOKEN_TEXT_BYTES_MIN || !mayHoldToken(start, end);
}

/** Is there something in `[start, end)` that begins as a token does, `t.xxxxxxxx-`? */
export function mayHoldToken(start: u32, end: u32): bool {
  const caseBit = splat(0x20);
  const t = splat(0x74);
  const dot = splat(0x2e);
  for (let i = start; i < end; i += 16) {
    const letters = i8x16.eq(v128.or(v128.load(i), caseBit), t);
    let found = i8x16.bitmask(v128.and(letters, i8x16.eq(v128.load(i, 1), dot)));
    for (; found != 0; found &= found - 1) {
      const at: u32 = i + ctz<i32>(found);
      if (at + TOKEN_TEXT_BYTES_MIN <= end && load<u8>(at, 10) == DASH) return true;
    }
  }
  return false;
}

/** Where the message starts, after structured data and a space, or 0 when there is none or it can't be stored as it is. */
export function skipStructuredData(sdStart: u32, end: u32, limit: u32): u32 {
  let i = sdStart;
  if (i + 1 >= limit) return 0;
  const byte: u32 = load<u8>(i);
  if (byte == DASH) return load<u8>(i, 1) == SPACE ? i + 2 : 0;
  if (byte != 0x5b) return 0;
  while (i < limit && load<u8>(i) == 0x5b) {
    i++;
    const idStart = i;
    while (i < limit && isNameByte(load<u8>(i))) i++;
    // Without parameters it may as well be the message's first word.
    if (i == idStart || i - idStart > NAME_BYTES_MAX || i >= limit || load<u8>(i) == 0x5d) return 0;
    // "tailrace" at the front: it may be the element that holds the token.
    if (load<u64>(idStart) == 0x656361726c696174) return 0;
    while (i < limit && load<u8>(i) == SPACE) {
      i++;
      const nameStart = i;
      while (i < limit && isNameByte(load<u8>(i))) i++;
      if (i == nameStart || i - nameStart > NAME_BYTES_MAX || i + 1 >= limit || load<u8>(i) != 0x3d || load<u8>(i, 1) != 0x22) return 0;
      i = skipValue(i + 2, limit) + 1;
    }
    if (i >= limit || load<u8>(i) != 0x5d) return 0;
    i++;
  }
  if (i >= limit || i >= end || load<u8>(i) != SPACE || mayHoldToken(sdStart, i)) return 0;
  return i + 1;
}

/** Where the value that starts at `start` ends: at a quote without a backslash before it; `limit` when it isn't ASCII up to there. */
function skipValue(start: u32, limit: u32): u32 {
  const quote = splat(0x22);
  const backslash = splat(0x5c);
  let i = start;
  while (i < limit) {
    const bytes = v128.load(i);
    const marks = v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash));
    // The sign is the first bit of what is beyond ASCII, which has to be checked.
    const found = i8x16.bitmask(v128.or(marks, bytes));
    if (found == 0) {
      i += 16;
      continue;
    }
    i += ctz<i32>(found);
    if (i >= limit) break;
    const byte: u32 = load<u8>(i);
    if (byte == 0x22) return i;
    // What is escaped may be beyond ASCII, too.
    if (byte != 0x5c || load<u8>(i, 1) > 0x7f) break;
    i += 2;
  }
  return limit;
}

function isNameByte(byte: u32): bool {
  return byte > SPACE && byte < 0x7f && byte != 0x3d && byte != 0x5d && byte != 0x22;
}

/** Where the line that starts at `start` ends: at a newline or a NUL; `end`, or behind it, when neither is there. */
export function findLineEnd(start: u32, end: u32): u32 {
  const newlines = splat(0x0a);
  const nuls = i8x16.splat(0);
  for (let i = start; i < end; i += 16) {
    const bytes = v128.load(i);
    const found = i8x16.bitmask(v128.or(i8x16.eq(bytes, newlines), i8x16.eq(bytes, nuls)));
    if (found != 0) return i + ctz<i32>(found);
  }
  return end;
}

/** Where the next space is, from `start` on; `limit` when there is none before it. */
export function findSpace(start: u32, limit: u32): u32 {
  const space = splat(SPACE);
  for (let i = start; i < limit; i += 16) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(i), space));
    if (found != 0) {
      const at: u32 = i + ctz<i32>(found);
      return at < limit ? at : limit;
    }
  }
  return limit;
}
