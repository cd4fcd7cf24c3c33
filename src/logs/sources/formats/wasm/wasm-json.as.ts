/**
 * JSON, read where it stands: values are skipped or written as those of structured data, without building anything. It takes less than
 * `JSON.parse`, and never something else. Behind the input are zeros, which stop everything here.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  DASH,
  DOT,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
} from '../../../../common/wasm/wasm-ascii.as';
import { splat } from '../../../../common/wasm/wasm-splat.as';
import { NUMBER_BYTES_MAX, writeNumber } from './wasm-host.as';

/** Objects and arrays within each other that are written here. */
const DEPTH_MAX: u32 = 16;
/** Keys of the objects that are open. */
const KEYS_MAX: u32 = 64;
/** Of keys on the outside: they are names of parameters. */
const NAME_BYTES_MAX: u32 = 32;

/** Where the last thing was that isn't understood here; 0 for none, or when it is a matter of the value rather than of a place. */
export let stoppedAt: u32 = 0;
/** A newline was skipped. */
export let hasNewline: bool = false;
/** Objects and arrays, in all. */
export let containers: u32 = 0;
/** Of the string that was skipped last: there are backslashes in it. */
export let hasEscape: bool = false;
/** Where what is written ends, and where it has to. */
export let to: u32 = 0;
let toEnd: u32 = 0;

/** Hashes of the keys of the objects that are open, the outer ones first. */
let keysAt: u32 = 0;
let keys: u32 = 0;
/** Of the key that was noted last. */
export let keyHash: u64 = 0;

export function setUpJson(keysRegion: u32): void {
  keysAt = keysRegion;
}

/** A call begins. */
export function beginJson(): void {
  containers = 0;
}

/** A record begins, whose parameters are written to `[start, end)`. */
export function beginRecord(start: u32, end: u32): void {
  stoppedAt = 0;
  hasNewline = false;
  keys = 0;
  to = start;
  toEnd = end;
}

export function countContainer(): void {
  containers++;
}

/** Gives up at `i`. */
export function stop(i: u32): u32 {
  stoppedAt = i;
  return 0;
}

export function moveTo(at: u32): void {
  to = at;
}

/** Is there room for so many bytes more? */
export function hasRoom(bytes: u32): bool {
  return to + bytes <= toEnd;
}

export function skipSpace(start: u32): u32 {
  let i = start;
  while (true) {
    const byte: u32 = load<u8>(i);
    if (byte > SPACE) return i;
    if (byte == 0x0a) hasNewline = true;
    else if (byte != SPACE && byte != 0x09 && byte != 0x0d) return i;
    i++;
  }
}

/** What follows a value and `mark`; 0 when the mark isn't there. */
export function skipMark(start: u32, mark: u32): u32 {
  const i = skipSpace(start);
  return load<u8>(i) == mark ? skipSpace(i + 1) : stop(i);
}

/** Where the string ends whose text begins at `start`: at its quote; or 0. */
export function skipString(start: u32): u32 {
  const quote = splat(QUOTE);
  const backslash = splat(BACKSLASH);
  const lastControl = splat(0x1f);
  let i = start;
  hasEscape = false;
  while (true) {
    const block = i;
    const bytes = v128.load(block);
    const marks = v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash));
    let found: i32 = i8x16.bitmask(v128.or(marks, i8x16.le_u(bytes, lastControl)));
    i += 16;
    while (found != 0) {
      const place: u32 = ctz<i32>(found);
      const byte: u32 = load<u8>(block + place);
      if (byte == QUOTE) return block + place;
      if (byte != BACKSLASH) return stop(block + place);
      hasEscape = true;
      // What is escaped is no mark.
      if (place == 15) i++;
      found &= -4 << place;
    }
  }
}

/**
 * Writes the text of a string that begins at `start` as it is, in one pass with finding its end; returns what is behind its quote. 0 when there
 * is something in it that is written in another way, or wrong, or much of it: nothing is known of it then.
 */
function copyPlainText(start: u32): u32 {
  // Most texts end in the first 16 bytes: there is nothing to load these for.
  const quote = i8x16.splat(<i8>QUOTE);
  const backslash = i8x16.splat(<i8>BACKSLASH);
  const bracket = i8x16.splat(<i8>CLOSE_BRACKET);
  const lastControl = i8x16.splat(0x1f);
  let i = start;
  let o = to;
  while (o + 32 <= toEnd) {
    const bytes = v128.load(i);
    v128.store(o, bytes);
    const marks = v128.or(v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash)), i8x16.eq(bytes, bracket));
    const found: i32 = i8x16.bitmask(v128.or(marks, i8x16.le_u(bytes, lastControl)));
    if (found == 0) {
      i += 16;
      o += 16;
      continue;
    }
    const length: u32 = ctz<i32>(found);
    if (load<u8>(i + length) != QUOTE) return 0;
    hasEscape = false;
    to = o + length;
    return i + length + 1;
  }
  return 0;
}

/** The same of a whole number, of up to 15 digits, that begins at `start` with one that isn't 0. */
function copyPlainNumber(start: u32): u32 {
  const bytes = v128.load(start);
  const digits = digitsAt(start);
  const next: u32 = load<u8>(start + digits);
  if (digits > 15 || (next != COMMA && next != CLOSE_BRACE && next != CLOSE_BRACKET) || !hasRoom(16)) return 0;
  v128.store(to, bytes);
  to += digits;
  return start + digits;
}

/** How many digits there are at `start`: 16 at the most. */
export function digitsAt(start: u32): u32 {
  const isNone = i8x16.ge_u(i8x16.sub(v128.load(start), splat(0x30)), splat(10));
  return ctz<u32>(i8x16.bitmask(isNone) | 0x10000);
}

/** May the `length` bytes at `start` be a key on the outside: the name of a parameter, and no index, nor something of objects? */
export function isName(start: u32, length: u32): bool {
  if (length == 0 || length > NAME_BYTES_MAX || isOddKey(start)) return false;
  let found: u64 = oddNameBytes(v128.load(start));
  if (length > 16) found |= oddNameBytes(v128.load(start, 16)) << 16;
  return (found & ((<u64>1 << length) - 1)) == 0;
}

/** Objects have their indexes first, and `__proto__` isn't like others. */
function isOddKey(start: u32): bool {
  const first: u32 = load<u8>(start);
  return first - 0x30 <= 9 || load<u64>(start) == 0x5f6f746f72705f5f;
}

function oddNameBytes(bytes: v128): u64 {
  // Compared as signed numbers, what is beyond ASCII is below `!` as well.
  const others = v128.or(i8x16.lt_s(bytes, splat(0x21)), i8x16.eq(bytes, splat(0x7f)));
  const marks = v128.or(i8x16.eq(bytes, splat(0x3d)), i8x16.eq(bytes, splat(0x5d)));
  const quotes = v128.or(i8x16.eq(bytes, splat(0x22)), i8x16.eq(bytes, splat(0x5c)));
  return <u64>i8x16.bitmask(v128.or(v128.or(others, marks), quotes));
}

/** The first eight of `length` bytes, with zeros behind a shorter text. */
export function firstBytes(start: u32, length: u32): u64 {
  const bytes = load<u64>(start);
  return length >= 8 ? bytes : bytes & (((<u64>1) << (length << 3)) - 1);
}

/** The last eight bytes of a text that has more than eight; 0 for others. */
export function lastBytes(start: u32, length: u32): u64 {
  return length > 8 ? load<u64>(start + length - 8) : 0;
}

/** Notes a key; false when it may be there already, since `from` keys, or when there are too many. */
export function addKey(start: u32, length: u32, from: u32): bool {
  let hash = firstBytes(start, length) + lastBytes(start, length) * 0x9e3779b97f4a7c15 + (<u64>length) * 0xc2b2ae3d27d4eb4f;
  // Those of which only the middle differs.
  if (length > 16) for (let i: u32 = 8; i + 8 < length; i += 8) hash = (hash ^ load<u64>(start + i)) * 0x9e3779b97f4a7c15;
  if (keys == KEYS_MAX) return false;
  keyHash = hash;
  const end = keysAt + keys * 8;
  for (let at = keysAt + from * 8; at < end; at += 8) if (load<u64>(at) == hash) return false;
  store<u64>(end, hash);
  keys++;
  return true;
}

/** Notes the first key, or the next one, that isn't there already, by its hash. */
export function noteKey(number: u32, hash: u64): void {
  store<u64>(keysAt + number * 8, hash);
  keys = number + 1;
}

/** Writes the text of a string, `[start, end)`, as the value of a parameter (RFC 5424 section 6.3.3); false when it can't. */
export function writeText(start: u32, end: u32): bool {
  const backslash = splat(BACKSLASH);
  const bracket = splat(CLOSE_BRACKET);
  let i = start;
  let o = to;
  while (i < end) {
    const bytes = v128.load(i);
    v128.store(o, bytes);
    let found = i8x16.bitmask(v128.or(i8x16.eq(bytes, backslash), i8x16.eq(bytes, bracket)));
    const left = end - i;
    if (left < 16) found &= (1 << left) - 1;
    if (found == 0) {
      const length: u32 = left < 16 ? left : 16;
      i += length;
      o += length;
      continue;
    }
    const length: u32 = ctz<i32>(found);
    i += length;
    o += length;
    if (load<u8>(i) == CLOSE_BRACKET) {
      store<u16>(o, 0x5d5c);
      o += 2;
      i++;
      continue;
    }
    const next = writeEscape(i, o, true);
    if (next == 0) return false;
    i += load<u8>(i, 1) == 0x75 ? 6 : 2;
    o = next;
  }
  to = o;
  return true;
}

/** Writes the text of a string, `[start, end)`, to `out`, decoded; returns the new end, or 0. */
export function decodeText(start: u32, end: u32, out: u32): u32 {
  const backslash = splat(BACKSLASH);
  let i = start;
  let o = out;
  while (i < end) {
    const bytes = v128.load(i);
    v128.store(o, bytes);
    let found = i8x16.bitmask(i8x16.eq(bytes, backslash));
    const left = end - i;
    if (left < 16) found &= (1 << left) - 1;
    let length: u32 = left < 16 ? left : 16;
    if (found == 0) {
      i += length;
      o += length;
      continue;
    }
    length = ctz<i32>(found);
    i += length;
    o += length;
    const escaped: u32 = load<u8>(i, 1);
    if (escaped == QUOTE || escaped == BACKSLASH) {
      store<u8>(o++, escaped);
      i += 2;
      continue;
    }
    o = writeEscape(i, o, false);
    if (o == 0) return 0;
    i += load<u8>(i, 1) == 0x75 ? 6 : 2;
  }
  return o;
}

/** Writes what the escape at `i` stands for, in a parameter with a backslash where one has to be; returns the new end, or 0. */
function writeEscape(i: u32, out: u32, isParameter: bool): u32 {
  let o = out;
  let code: u32;
  switch (load<u8>(i, 1)) {
    case 0x22:
    case 0x5c:
    case 0x2f:
      code = load<u8>(i, 1);
      break;
    case 0x62:
      code = 0x08;
      break;
    case 0x66:
      code = 0x0c;
      break;
    case 0x6e:
      code = 0x0a;
      break;
    case 0x72:
      code = 0x0d;
      break;
    case 0x74:
      code = 0x09;
      break;
    case 0x75: {
      code = 0;
      for (let at = i + 2; at < i + 6; at++) {
        let digit: u32 = <u32>load<u8>(at) - 0x30;
        if (digit > 9) {
          digit = (<u32>load<u8>(at) | 0x20) - 0x61;
          if (digit > 5) return 0;
          digit += 10;
        }
        code = (code << 4) | digit;
      }
      // Halves of pairs.
      if ((code & 0xf800) == 0xd800) return 0;
      break;
    }
    default:
      return 0;
  }
  if (isParameter && (code == QUOTE || code == BACKSLASH || code == CLOSE_BRACKET)) store<u8>(o++, BACKSLASH);
  if (code < 0x80) {
    store<u8>(o, code);
    return o + 1;
  }
  if (code < 0x800) {
    store<u8>(o, 0xc0 | (code >> 6));
    store<u8>(o, 0x80 | (code & 0x3f), 1);
    return o + 2;
  }
  store<u8>(o, 0xe0 | (code >> 12));
  store<u8>(o, 0x80 | ((code >> 6) & 0x3f), 1);
  store<u8>(o, 0x80 | (code & 0x3f), 2);
  return o + 3;
}

/** Is no more of a number at `i`? */
export function isEndOfNumber(i: u32): bool {
  const byte: u32 = load<u8>(i);
  return byte == COMMA || byte == CLOSE_BRACE || byte <= SPACE;
}

/** Of the number that was skipped last: where what `JSON.stringify` writes of it ends. */
let numberEnd: u32 = 0;

/** Where the number at `start` ends, if `JSON.stringify` would write it as it is, but for zeros behind its point; or 0. */
export function skipNumber(start: u32): u32 {
  let i = start;
  const isNegative = load<u8>(i) == DASH;
  if (isNegative) i++;
  const from = i;
  while (<u32>load<u8>(i) - 0x30 <= 9) i++;
  let digits = i - from;
  if (digits == 0) return stop(i);
  const isZero = load<u8>(from) == 0x30;
  if (isZero) {
    if (digits > 1) return 0;
    digits = 0;
  }
  numberEnd = i;
  if (load<u8>(i) == DOT) {
    const point = i++;
    while (<u32>load<u8>(i) - 0x30 <= 9) i++;
    if (i == point + 1) return stop(i);
    numberEnd = i;
    while (load<u8>(numberEnd - 1) == 0x30) numberEnd--;
    if (numberEnd == point + 1) numberEnd = point;
    else digits += numberEnd - point - 1;
    // Of so many digits that two texts are never the same double (2 ** 52), the shortest text of one is the same; below a millionth it has an exponent.
    if (digits > 15 && (digits > 16 || load<u8>(from) > 0x33 || isZero)) return 0;
    if (isZero && load<u32>(point, 1) == 0x30303030 && load<u16>(point, 5) == 0x3030) return 0;
  } else if (digits > 16 || (digits == 16 && load<u8>(from) > 0x38)) return 0;
  if (isNegative && isZero && numberEnd == from + 1) return 0;
  return (load<u8>(i) | 0x20) == 0x65 ? 0 : i;
}

/**
 * Writes the value at `start`, which isn't null, as that of a parameter: a text as it is, everything else as JSON. Returns where it ends, or 0.
 */
export function writeValue(start: u32): u32 {
  const byte: u32 = load<u8>(start);
  if (byte == QUOTE) {
    const next = copyPlainText(start + 1);
    if (next != 0) return next;
    const end = skipString(start + 1);
    if (end == 0 || !hasRoom((end - start) * 2)) return 0;
    return writeText(start + 1, end) ? end + 1 : 0;
  }
  return writeJson(start, 1);
}

/** Writes a value as compact JSON, within a parameter. @param depth 1: the value itself, not one within an object or an array */
function writeJson(start: u32, depth: u32): u32 {
  const byte: u32 = load<u8>(start);
  switch (byte) {
    case QUOTE:
      return writeJsonString(start);
    case OPEN_BRACE:
      return depth > DEPTH_MAX ? 0 : writeObject(start, depth);
    case OPEN_BRACKET:
      return depth > DEPTH_MAX ? 0 : writeArray(start, depth);
    case 0x74:
      return writeWord(start, 0x65757274, 4);
    case 0x6e:
      return writeWord(start, 0x6c6c756e, 4);
    case 0x66:
      return load<u8>(start, 4) == 0x65 ? writeWord(start, 0x736c6166, 5) : stop(start);
  }
  const plain = byte - 0x31 <= 8 ? copyPlainNumber(start) : 0;
  if (plain != 0) return plain;
  const end = skipNumber(start);
  if (end == 0) return writeOddNumber(start, depth > 1);
  if (!hasRoom(end - start)) return 0;
  for (let i = start; i < numberEnd; i += 16) v128.store(to + (i - start), v128.load(i));
  to += numberEnd - start;
  return end;
}

/** Where what can be a number ends. */
export function skipNumberBytes(start: u32): u32 {
  let i = start;
  while (true) {
    const byte: u32 = load<u8>(i);
    const isPart = byte - 0x30 <= 9 || byte == DOT || byte == DASH || byte == 0x2b || (byte | 0x20) == 0x65;
    if (!isPart) return i;
    i++;
  }
}

/** Writes a number that `JSON.stringify` may write in another way: as it does. */
function writeOddNumber(start: u32, isNested: bool): u32 {
  const end = skipNumberBytes(start);
  if (end == start || load<u8>(end) == 0) return stop(end);
  if (!hasRoom(NUMBER_BYTES_MAX)) return 0;
  const written = writeNumber(start, end, to, isNested);
  if (written == 0) return 0;
  stoppedAt = 0;
  to += written;
  return end;
}

function writeWord(start: u32, word: u32, length: u32): u32 {
  if (load<u32>(start) != word) return stop(start);
  if (!hasRoom(length)) return 0;
  store<u64>(to, load<u64>(start));
  to += length;
  return start + length;
}

function put(byte: u32): void {
  store<u8>(to++, byte);
}

/** A string with its quotes; backslashes and quotes have another backslash before them. */
function writeJsonString(start: u32): u32 {
  if (!hasRoom(8)) return 0;
  store<u16>(to, 0x225c);
  to += 2;
  const next = copyPlainText(start + 1);
  if (next != 0) {
    store<u16>(to, 0x225c);
    to += 2;
    return next;
  }
  to -= 2;
  const end = skipString(start + 1);
  if (end == 0 || !hasRoom((end - start) * 2 + 4)) return 0;
  store<u16>(to, 0x225c);
  const backslash = splat(BACKSLASH);
  const bracket = splat(CLOSE_BRACKET);
  let o = to + 2;
  for (let i = start + 1; i < end; ) {
    const bytes = v128.load(i);
    v128.store(o, bytes);
    let found = i8x16.bitmask(v128.or(i8x16.eq(bytes, backslash), i8x16.eq(bytes, bracket)));
    const left = end - i;
    if (left < 16) found &= (1 << left) - 1;
    let length: u32 = left < 16 ? left : 16;
    if (found != 0) length = ctz<i32>(found);
    i += length;
    o += length;
    if (found == 0) continue;
    store<u8>(o++, BACKSLASH);
    store<u8>(o++, load<u8>(i));
    if (load<u8>(i++) == CLOSE_BRACKET) continue;
    const byte: u32 = load<u8>(i++);
    switch (byte) {
      case 0x22:
      case 0x5c:
        store<u8>(o++, BACKSLASH);
      // falls through
      case 0x62:
      case 0x66:
      case 0x6e:
      case 0x72:
      case 0x74:
        store<u8>(o++, byte);
        break;
      case 0x2f:
        store<u8>(o - 2, byte);
        o--;
        break;
      default:
        // `JSON.stringify` may write it differently.
        return 0;
    }
  }
  store<u16>(o, 0x225c);
  to = o + 2;
  return end + 1;
}

function writeObject(start: u32, depth: u32): u32 {
  containers++;
  if (!hasRoom(8)) return 0;
  put(OPEN_BRACE);
  const before = keys;
  let i = skipSpace(start + 1);
  if (load<u8>(i) != CLOSE_BRACE)
    while (true) {
      if (load<u8>(i) != QUOTE) return stop(i);
      const end = writeJsonString(i);
      if (end == 0 || hasEscape || isOddKey(i + 1) || !addKey(i + 1, end - i - 2, before)) return 0;
      i = skipMark(end, COLON);
      if (i == 0 || !hasRoom(8)) return 0;
      put(COLON);
      i = writeJson(i, depth + 1);
      if (i == 0 || !hasRoom(8)) return 0;
      i = skipSpace(i);
      if (load<u8>(i) == CLOSE_BRACE) break;
      if (load<u8>(i) != COMMA) return stop(i);
      put(COMMA);
      i = skipSpace(i + 1);
    }
  keys = before;
  put(CLOSE_BRACE);
  return i + 1;
}

function writeArray(start: u32, depth: u32): u32 {
  containers++;
  if (!hasRoom(8)) return 0;
  put(OPEN_BRACKET);
  let i = skipSpace(start + 1);
  if (load<u8>(i) != CLOSE_BRACKET)
    while (true) {
      i = writeJson(i, depth + 1);
      if (i == 0 || !hasRoom(8)) return 0;
      i = skipSpace(i);
      if (load<u8>(i) == CLOSE_BRACKET) break;
      if (load<u8>(i) != COMMA) return stop(i);
      put(COMMA);
      i = skipSpace(i + 1);
    }
  store<u16>(to, 0x5d5c);
  to += 2;
  return i + 1;
}
