/**
 * The header of RFC 3164 in its common forms, `<34>Oct 11 22:14:15 mymachine su[123]: failed` with or without a host and a process id,
 * and with a time of RFC 3339: what `rfc3164.ts` makes of it.
 */
import { COLON, SPACE } from '../../../common/wasm/wasm-ascii.as';
import { isDigit } from '../../../common/wasm/wasm-common.as';
import { pair, skipTime } from './wasm-header.as';

/** The header has to be in so many bytes: `rfc3164.ts` looks no further. */
const HEAD_BYTES_MAX: u32 = 480;
const TAG_BYTES_MAX: u32 = 128;
const PID_DIGITS_MAX: u32 = 10;
/** Times of a minute that are known: `u64 Oct 11 2 | u32 2:14 | u8 known | … | 2012-10-11T22:14:15.000000+00:00`. */
const TIME_SLOTS: u32 = 64;
const TIME_SLOT_BYTES: u32 = 64;
const TIME_TEXT: u32 = 16;
const TIME_TEXT_BYTES: u32 = 32;
/** `Oct 11 22:14` */
const MINUTE_BYTES: u32 = 12;

let times: u32 = 0;

/** What `scanOldTime` found: where the time that is stored is, and its length; where the fields behind it are, and end at the latest. */
export let oldTime: u32 = 0;
export let oldTimeLength: u32 = 0;
export let oldFields: u32 = 0;
export let oldLimit: u32 = 0;
/** What `scanOldFields` found; a length of 0: it isn't there. */
export let oldHost: u32 = 0;
export let oldHostLength: u32 = 0;
export let oldTag: u32 = 0;
export let oldTagLength: u32 = 0;
export let oldPid: u32 = 0;
export let oldPidLength: u32 = 0;
export let oldMessage: u32 = 0;

/** Results of `scanOldTime`. */
export const OLD_FOUND: u32 = 0;
export const OLD_UNSUPPORTED: u32 = 1;
/** What minute `oldTime` is in isn't known: see `rememberMinute`. */
export const OLD_UNKNOWN_TIME: u32 = 2;

export function setUpTimes(timesAt: u32): void {
  times = timesAt;
}

/** Forgets the minutes that are known: which year they are in depends on the time that it is. */
export function forgetMinutes(): void {
  memory.fill(times, 0, TIME_SLOTS * TIME_SLOT_BYTES);
}

/** Keeps the time that the minute `Oct 11 22:14` at `minute` begins with, 32 bytes at `text`; with `isTime` false: it is none. */
export function rememberMinute(minute: u32, text: u32, isTime: bool): void {
  const slot = slotOf(minute);
  store<u64>(slot, load<u64>(minute));
  store<u32>(slot, load<u32>(minute, 8), 8);
  store<u8>(slot, isTime ? 1 : 2, 12);
  memory.copy(slot + TIME_TEXT, text, TIME_TEXT_BYTES);
}

/** Scans the time of the line `[start, stop)`, whose PRI ends at `at`. */
export function scanOldTime(start: u32, at: u32, stop: u32): u32 {
  const limit = stop - start > HEAD_BYTES_MAX ? start + HEAD_BYTES_MAX : stop;
  let i = at;
  if (isDigit(load<u8>(i))) {
    const behind = skipTime(i, limit);
    if (behind == 0) return OLD_UNSUPPORTED;
    oldTime = i;
    oldTimeLength = behind - 1 - i;
    // Six digits of a second are kept, and here all of them are.
    if (oldTimeLength - (load<u8>(behind - 2) == 0x5a ? 1 : 6) > 26) return OLD_UNSUPPORTED;
    i = behind;
  } else {
    if (i + MINUTE_BYTES + 5 > limit) return OLD_UNSUPPORTED;
    if (load<u8>(i, MINUTE_BYTES) != COLON || load<u8>(i, 15) != SPACE || pair(i + 13) > 59) return OLD_UNSUPPORTED;
    const slot = slotOf(i);
    const known: u32 = load<u8>(slot, 12);
    oldTime = i;
    if (known == 0 || load<u64>(slot) != load<u64>(i) || load<u32>(slot, 8) != load<u32>(i, 8)) return OLD_UNKNOWN_TIME;
    if (known != 1) return OLD_UNSUPPORTED;
    store<u16>(slot + TIME_TEXT + 17, load<u16>(i, 13));
    oldTime = slot + TIME_TEXT;
    oldTimeLength = TIME_TEXT_BYTES;
    i += 16;
  }
  oldFields = i;
  oldLimit = limit;
  return OLD_FOUND;
}

/** Scans the fields between the time and the message; false when they aren't in a form that is supported. */
export function scanOldFields(first: u32, limit: u32): bool {
  let i = skipWord(first, limit);
  if (i >= limit || !beginsWord(load<u8>(first)) || isTimeWord(first, i)) return false;
  oldHostLength = 0;
  oldTag = first;
  if (load<u8>(i) == SPACE) {
    if (!isHost(first, i)) return false;
    oldHost = first;
    oldHostLength = i - first;
    oldTag = i + 1;
    if (!beginsWord(load<u8>(oldTag))) return false;
    i = skipWord(oldTag, limit);
  }
  oldTagLength = i - oldTag;
  if (oldTagLength == 0 || oldTagLength > TAG_BYTES_MAX) return false;
  oldPidLength = 0;
  if (i < limit && load<u8>(i) == 0x5b) {
    oldPid = ++i;
    while (i < limit && isDigit(load<u8>(i))) i++;
    oldPidLength = i - oldPid;
    if (oldPidLength == 0 || oldPidLength > PID_DIGITS_MAX || i >= limit || load<u8>(i) != 0x5d) return false;
    i++;
  }
  // ": "
  if (i + 2 > limit || load<u16>(i) != 0x203a) return false;
  oldMessage = i + 2;
  return true;
}

/** Where the word ends that starts at `start`: one of letters, digits, and `_ - . / ( )`. No branch depends on what a token is. */
function skipWord(start: u32, limit: u32): u32 {
  for (let i = start; i < limit; i += 16) {
    const bytes = v128.load(i);
    const letters = i8x16.le_u(i8x16.sub(v128.or(bytes, i8x16.splat(0x20)), i8x16.splat(0x61)), i8x16.splat(25));
    // "-./0123456789"
    const digits = i8x16.le_u(i8x16.sub(bytes, i8x16.splat(0x2d)), i8x16.splat(12));
    const others = v128.or(
      i8x16.le_u(i8x16.sub(bytes, i8x16.splat(0x28)), i8x16.splat(1)),
      i8x16.eq(bytes, i8x16.splat(0x5f)),
    );
    const found = ~i8x16.bitmask(v128.or(v128.or(letters, digits), others)) & 0xffff;
    if (found != 0) {
      const at: u32 = i + ctz<i32>(found);
      return at < limit ? at : limit;
    }
  }
  return limit;
}

function beginsWord(byte: u32): bool {
  return isAlphanumeric(byte) || byte == 0x2f || byte == 0x5f;
}

/** May the word be a host's name? What begins with `t.` may be a token. */
function isHost(start: u32, end: u32): bool {
  if (!isAlphanumeric(load<u8>(start)) || load<u16>(start) == 0x2e74) return false;
  for (let i = start; i < end; i++) {
    const byte: u32 = load<u8>(i);
    if (byte == 0x2f || byte == 0x28 || byte == 0x29) return false;
  }
  return true;
}

/** May the word be the year or the zone of the time before it? A zone is written in capitals, but for three: utc, gmt, z. */
function isTimeWord(start: u32, end: u32): bool {
  if (end - start > 6 || load<u8>(end) == 0x5b) return false;
  let digits: u32 = 0;
  for (let i = start; i < end; i++) {
    const byte: u32 = load<u8>(i);
    if (isDigit(byte)) digits++;
    else if (byte - 0x41 > 25 && byte != 0x75 && byte != 0x74 && byte != 0x63 && byte != 0x67 && byte != 0x6d && byte != 0x7a)
      return false;
  }
  return digits == 0 || digits == end - start;
}

function isAlphanumeric(byte: u32): bool {
  return byte - 0x30 <= 9 || (byte | 0x20) - 0x61 <= 25;
}

function slotOf(minute: u32): u32 {
  const digits = load<u32>(minute, 8);
  return times + (((digits >> 24) + (digits >> 16) * 10 + load<u8>(minute, 5)) & (TIME_SLOTS - 1)) * TIME_SLOT_BYTES;
}
