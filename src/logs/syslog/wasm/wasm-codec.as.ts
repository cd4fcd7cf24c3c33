/**
 * The WebAssembly fast path: reads and writes common lines. Compiled by `npm run build:wasm` (AssemblyScript) into
 * `wasm-codec-binary.ts`; what it does is defined by `header.ts`, `batch-builder.ts` and `encode.ts`, and all lines that it
 * doesn't support are left to them.
 *
 * Memory is laid out by the caller (`wasm-codec.ts`); there is no allocator. Reads and writes may run over the end of a
 * region by up to 15 bytes, so regions have slack between them.
 */
import { copy, writeCount } from '../../../common/wasm/wasm-common.as';

/** Where `take` stopped in the input, where the records end in the output, and how many there are. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;
/** Where the last frame that `take` decoded begins, and its record; and those of the one before it. */
export let lastFrame: u32 = 0;
export let lastRecord: u32 = 0;
export let frameBefore: u32 = 0;
export let recordBefore: u32 = 0;
/** The last day that a timestamp may name, as the number 20121210: set by the caller, see `latestDate` in timestamp.ts. */
export let dateMax: u32 = 0;

/** The date that was checked last: `2012-12-` and `10`. Two bytes are never as much as in the beginning: no date was checked then. */
let goodDate: u64 = 0;
let goodDay: u32 = 0x10000;

const SPACE: u32 = 0x20;
const DASH: u32 = 0x2d;
const RECORD_HEADER: u32 = 12;
const MESSAGE_BYTES_MAX: u32 = 10_000;
const HEADER_BYTES_MAX: u32 = 8_192;
const HOSTNAME_BYTES_MAX: u32 = 255;
const PROCID_BYTES_MAX: u32 = 128;
const MSGID_BYTES_MAX: u32 = 32;
/** Of names in structured data. */
const NAME_BYTES_MAX: u32 = 32;
/** Bytes of `t.xxxxxxxx-xxxx-`: see `token-text.ts`. */
const TOKEN_TEXT_BYTES_MIN: u32 = 16;
/** Of Heroku's form, without the count. */
const FRAME_BYTES_MAX: u32 = 10_240;
const DATE_MIN: u32 = 20_000_101;

/** The input ends in the middle of a frame. */
const PARTIAL: u32 = 0;
/** The frame at `position` is not supported here. */
const UNSUPPORTED: u32 = 1;
/** The record of the frame at `position` doesn't fit into the output. */
const FULL: u32 = 2;

/**
 * Decodes octet-counted frames `[from, end)` into records from `out` on, with the source's name in place of the token. The frames
 * must carry the token; with a `tokenLength` of 0 any APP-NAME will do.
 */
export function take(
  from: u32,
  end: u32,
  out: u32,
  outEnd: u32,
  token: u32,
  tokenLength: u32,
  source: u32,
  sourceLength: u32,
): u32 {
  let i = from;
  let at = out;
  let count: u32 = 0;
  let why: u32 = PARTIAL;
  let last = from;
  let lastOut = out;
  let before = from;
  let beforeOut = out;
  while (i < end) {
    const frame = i;
    let byte: u32 = load<u8>(i);
    if (byte < 0x31 || byte > 0x39) {
      why = UNSUPPORTED;
      break;
    }
    let length = byte - 0x30;
    let digits: u32 = 1;
    i++;
    while (i < end) {
      byte = load<u8>(i);
      if (byte < 0x30 || byte > 0x39 || digits > 5) break;
      length = length * 10 + (byte - 0x30);
      digits++;
      i++;
    }
    if (i >= end) {
      i = frame;
      break;
    }
    if (byte != SPACE || length > MESSAGE_BYTES_MAX + HEADER_BYTES_MAX) {
      i = frame;
      why = UNSUPPORTED;
      break;
    }
    const start = i + 1;
    let stop = start + length;
    if (stop > end) {
      // The header may already show that this is no frame at all; the JavaScript path decides that.
      if (start < end && load<u8>(start) != 0x3c) why = UNSUPPORTED;
      i = frame;
      break;
    }
    const next = stop;
    const limit = length > HEADER_BYTES_MAX ? start + HEADER_BYTES_MAX : stop;
    const timeStart = skipPriority(start, stop);
    if (timeStart == 0) {
      i = frame;
      why = UNSUPPORTED;
      break;
    }
    const hostStart = skipTime(timeStart, limit);
    if (hostStart == 0) {
      i = frame;
      why = UNSUPPORTED;
      break;
    }
    let p = skipField(hostStart, limit);
    const hostEnd = p;
    const sourceStart = p + 1;
    let nameLength = tokenLength;
    if (nameLength == 0) while (sourceStart + nameLength < limit && load<u8>(sourceStart + nameLength) != SPACE) nameLength++;
    const rest = sourceStart + nameLength;
    // HOSTNAME must be there, and APP-NAME must be the token.
    if (
      rest >= limit ||
      load<u8>(hostEnd) != SPACE ||
      (hostEnd - hostStart == 1 && load<u8>(hostStart) == DASH) ||
      !isClean(hostStart, hostEnd, HOSTNAME_BYTES_MAX) ||
      load<u8>(rest) != SPACE ||
      !isEqual(sourceStart, token, tokenLength)
    ) {
      i = frame;
      why = UNSUPPORTED;
      break;
    }
    const dynoEnd = skipField(rest + 1, limit);
    const msgidStart = dynoEnd + 1;
    let messageStart: u32 = 0;
    // "- - ": neither MSGID nor structured data, which is most lines.
    if (load<u32>(msgidStart) == 0x202d202d && msgidStart + 4 <= limit) messageStart = msgidStart + 4;
    else {
      const msgidEnd = skipField(msgidStart, limit);
      if (load<u8>(msgidEnd) == SPACE && isClean(msgidStart, msgidEnd, MSGID_BYTES_MAX))
        messageStart = skipStructuredData(msgidEnd + 1, stop, limit);
    }
    if (
      messageStart == 0 ||
      load<u8>(dynoEnd) != SPACE ||
      !isClean(rest + 1, dynoEnd, PROCID_BYTES_MAX) ||
      // An element of its own for the token, in front of the message: "[tailrac".
      load<u64>(messageStart) == 0x6361726c6961745b
    ) {
      i = frame;
      why = UNSUPPORTED;
      break;
    }
    // A byte order mark (RFC 5424 section 6.4) is removed by the JavaScript path.
    if (load<u8>(messageStart) == 0xef && load<u16>(messageStart, 1) == 0xbfbb && messageStart + 3 <= stop) {
      i = frame;
      why = UNSUPPORTED;
      break;
    }
    if (stop > messageStart && load<u8>(stop - 1) == 0x0a) {
      stop--;
      if (stop > messageStart && load<u8>(stop - 1) == 0x0d) stop--;
    }
    if (stop - messageStart > MESSAGE_BYTES_MAX) {
      i = frame;
      why = UNSUPPORTED;
      break;
    }
    const textLength = stop - start - nameLength + sourceLength;
    if (at + RECORD_HEADER + textLength > outEnd) {
      i = frame;
      why = FULL;
      break;
    }
    before = last;
    beforeOut = lastOut;
    last = frame;
    lastOut = at;
    store<u32>(at, textLength);
    store<u16>(at, hostStart - start, 4);
    store<u16>(at, sourceStart - start, 6);
    store<u16>(at, msgidStart - start - nameLength + sourceLength, 8);
    store<u16>(at, messageStart - start - nameLength + sourceLength, 10);
    at += RECORD_HEADER;
    copy(at, start, sourceStart - start);
    at += sourceStart - start;
    copy(at, source, sourceLength);
    at += sourceLength;
    copy(at, rest, stop - rest);
    at += stop - rest;
    count++;
    i = next;
  }
  position = i;
  produced = at;
  lines = count;
  lastFrame = last;
  lastRecord = lastOut;
  frameBefore = before;
  recordBefore = beforeOut;
  return why;
}

/**
 * Encodes `count` records from `from` on as octet-counted frames from `out` on; returns the new end. `head` are the bytes
 * written as HOSTNAME and the space after it; with `heroku`, MSGID is `-` and structured data is left out, with
 * `keepHost` HOSTNAME stays the sender's. Returns 0 for what `heroku-frames.ts` has to split: in Heroku's form a frame that is too
 * long, and with `singleLine` a message with a newline in it.
 */
export function write(
  from: u32,
  count: u32,
  out: u32,
  head: u32,
  headLength: u32,
  heroku: bool,
  keepHost: bool,
  singleLine: bool,
): u32 {
  let i = from;
  let at = out;
  for (let line: u32 = 0; line < count; line++) {
    const length = load<u32>(i) & 0xffffff;
    const host: u32 = load<u16>(i, 4);
    const source: u32 = load<u16>(i, 6);
    const text = i + RECORD_HEADER;
    i = text + length;
    if (heroku) {
      const msgid: u32 = load<u16>(text - RECORD_HEADER, 8);
      const message: u32 = load<u16>(text - RECORD_HEADER, 10);
      const frame = host + headLength + (msgid - source) + 2 + (length - message) + 1;
      if (frame > FRAME_BYTES_MAX || (singleLine && hasNewline(text + message, i))) return 0;
      at = writeCount(frame, at);
      copy(at, text, host);
      at += host;
      copy(at, head, headLength);
      at += headLength;
      copy(at, text + source, msgid - source);
      at += msgid - source;
      store<u16>(at, 0x202d);
      at += 2;
      copy(at, text + message, length - message);
      at += length - message;
    } else {
      const rest = keepHost ? host : source;
      const hostLength: u32 = keepHost ? 0 : headLength;
      at = writeCount(host + hostLength + (length - rest) + 1, at);
      copy(at, text, host);
      at += host;
      copy(at, head, hostLength);
      at += hostLength;
      copy(at, text + rest, length - rest);
      at += length - rest;
    }
    store<u8>(at, 0x0a);
    at++;
  }
  return at;
}

/** Is there a newline in `[start, end)`? */
function hasNewline(start: u32, end: u32): bool {
  let i = start;
  const newlines = i8x16.splat(0x0a);
  for (; i + 16 <= end; i += 16) if (v128.any_true(i8x16.eq(v128.load(i), newlines))) return true;
  for (; i < end; i++) if (load<u8>(i) == 0x0a) return true;
  return false;
}

/** Where the timestamp starts, after `<PRI>1 `, or 0. */
function skipPriority(start: u32, end: u32): u32 {
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
  // "1 "
  return load<u16>(i, 1) == 0x2031 ? i + 3 : 0;
}

/** Where HOSTNAME starts, after an RFC 3339 timestamp of at most 35 bytes, or 0. */
function skipTime(start: u32, limit: u32): u32 {
  if (start + 21 > limit) return 0;
  // Lines of one day come one after the other: its ten bytes are checked once.
  if (load<u64>(start) != goodDate || load<u16>(start, 8) != goodDay) {
    if (!isDate(start)) return 0;
    goodDate = load<u64>(start);
    goodDay = load<u16>(start, 8);
  }
  if (load<u8>(start, 10) != 0x54) return 0;
  if (load<u8>(start, 13) != 0x3a || load<u8>(start, 16) != 0x3a) return 0;
  if (pair(start + 11) > 23 || pair(start + 14) > 59 || pair(start + 17) > 59) return 0;
  let i = start + 19;
  if (load<u8>(i) == 0x2e) {
    i++;
    const from = i;
    while (i < limit && isDigit(load<u8>(i))) i++;
    if (i == from || i - from > 9) return 0;
  }
  const zone: u32 = load<u8>(i);
  if (zone == 0x5a) i += 1;
  else {
    if (zone != 0x2b && zone != 0x2d) return 0;
    if (pair(i + 1) > 23 || load<u8>(i, 3) != 0x3a || pair(i + 4) > 59) return 0;
    i += 6;
  }
  return i < limit && i - start <= 35 && load<u8>(i) == SPACE ? i + 1 : 0;
}

/** Is it a date, `2012-12-10`, and one that may be right? */
function isDate(start: u32): bool {
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
function pair(i: u32): u32 {
  const tens: u32 = <u32>load<u8>(i) - 0x30;
  const ones: u32 = <u32>load<u8>(i, 1) - 0x30;
  return tens <= 9 && ones <= 9 ? tens * 10 + ones : 1000;
}

function isDigit(byte: u32): bool {
  return byte - 0x30 <= 9;
}

/** Where the field that starts at `start` ends: at a space or another byte that no field has, or at `limit`. */
function skipField(start: u32, limit: u32): u32 {
  for (let i = start; i < limit; i += 16) {
    const bytes = v128.load(i);
    // Compared as signed numbers, what is beyond ASCII is below `!` as well.
    const odd = v128.or(i8x16.lt_s(bytes, i8x16.splat(0x21)), i8x16.eq(bytes, i8x16.splat(0x7f)));
    const found = i8x16.bitmask(odd);
    if (found != 0) {
      const end: u32 = i + ctz<i32>(found);
      return end < limit ? end : limit;
    }
  }
  return limit;
}

/** Is the field there, of at most `max` bytes, and without a token? It is PRINTUSASCII already. */
function isClean(start: u32, end: u32, max: u32): bool {
  const length = end - start;
  if (length == 0 || length > max) return false;
  return length < TOKEN_TEXT_BYTES_MIN || !mayHoldToken(start, end);
}

/** Is there something in `[start, end)` that begins as a token does, `t.xxxxxxxx-`? */
function mayHoldToken(start: u32, end: u32): bool {
  for (let i = start; i < end; i += 16) {
    const letters = i8x16.eq(v128.or(v128.load(i), i8x16.splat(0x20)), i8x16.splat(0x74));
    let found = i8x16.bitmask(v128.and(letters, i8x16.eq(v128.load(i, 1), i8x16.splat(0x2e))));
    for (; found != 0; found &= found - 1) {
      const at: u32 = i + ctz<i32>(found);
      if (at + TOKEN_TEXT_BYTES_MIN <= end && load<u8>(at, 10) == DASH) return true;
    }
  }
  return false;
}

/** Where the message starts, after structured data and a space, or 0 when there is none or it can't be stored as it is. */
function skipStructuredData(sdStart: u32, end: u32, limit: u32): u32 {
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
  let i = start;
  while (i < limit) {
    const bytes = v128.load(i);
    const marks = v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c)));
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
    if (byte != 0x5c) break;
    i += 2;
  }
  return limit;
}

function isNameByte(byte: u32): bool {
  return byte > SPACE && byte < 0x7f && byte != 0x3d && byte != 0x5d && byte != 0x22;
}

/** Are `length` bytes the same? Eight at a time. */
function isEqual(a: u32, b: u32, length: u32): bool {
  let i: u32 = 0;
  while (i + 8 <= length) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
    i += 8;
  }
  while (i < length) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
    i++;
  }
  return true;
}
