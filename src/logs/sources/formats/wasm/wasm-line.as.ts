/** The parts of a line that are made of a record: its level, its time, and the frame around it. */
import { DASH, SPACE } from '../../../../common/wasm/wasm-ascii.as';
import { isDigit, writeCount } from '../../../../common/wasm/wasm-common.as';
import { isDate, pair } from '../../../syslog/wasm/wasm-header.as';
import { writeTime } from './wasm-host.as';

/** More than any level: none that is known. */
export const NO_LEVEL: u32 = 8;
/** Of a time that was made of a number: `2012-12-10T03:00:48.123000+00:00`. */
const MICRO_TIME_BYTES: u32 = 32;
const DAY_MICROS: u64 = 86_400_000_000;
const SECOND_MICROS: u64 = 1_000_000;
/** Further away than any. */
const NO_SECOND: u64 = 1 << 62;

/** Where {@link writeMicros} and {@link writeIsoTime} write. */
let timeAt: u32 = 0;
/** The day that was written last, since 1970, and whether it may be right. */
let lastDay: u32 = 0xffffffff;
let dayText: u64 = 0;
let dayRest: u32 = 0;
/** When the second began that stands there with its zone, in microseconds since 1970, behind which lines of the same one come; or none did. */
let lastSecond: u64 = NO_SECOND;

/** A minute without a zone, as it was sent, and what stands in its place. */
const localMinute = memory.data(16);
const utcMinute = memory.data(16);

export function setUpLine(time: u32): void {
  timeAt = time;
}

/** What may be right has changed. */
export function forgetDay(): void {
  lastDay = 0xffffffff;
  lastSecond = NO_SECOND;
  v128.store(localMinute, i8x16.splat(0));
}

/** The severity of a level's name; {@link NO_LEVEL} for what isn't one, or isn't known here. See `json-fields.ts`. */
export function namedLevel(start: u32, length: u32): u32 {
  if (length < 3 || length > 8) return NO_LEVEL;
  let name = load<u64>(start) | 0x2020202020202020;
  if (length < 8) name &= (((<u64>1) << (length << 3)) - 1);
  switch (length) {
    case 3:
      if (name == 0x727265) return 3; // err
      return name == 0x676f6c ? 6 : NO_LEVEL; // log
    case 4:
      if (name == 0x6f666e69 || name == 0x70747468) return 6; // info, http
      if (name == 0x6e726177) return 4; // warn
      if (name == 0x74697263) return 2; // crit
      return name == 0x656e6966 ? 7 : NO_LEVEL; // fine
    case 5:
      if (name == 0x6775626564 || name == 0x6563617274) return 7; // debug, trace
      if (name == 0x726f727265) return 3; // error
      if (name == 0x6c61746166) return 2; // fatal
      if (name == 0x7472656c61) return 1; // alert
      if (name == 0x6772656d65 || name == 0x63696e6170) return 0; // emerg, panic
      return name == 0x72656e6966 || name == 0x796c6c6973 ? 7 : NO_LEVEL; // finer, silly
    case 6:
      if (name == 0x656369746f6e) return 5; // notice
      if (name == 0x657265766573) return 3; // severe
      if (name == 0x63696e617064) return 2; // dpanic
      return name == 0x7473656e6966 || name == 0x6769666e6f63 ? 7 : NO_LEVEL; // finest, config
    case 7:
      if (name == 0x676e696e726177) return 4; // warning
      if (name == 0x746c7561666564) return 6; // default
      return name == 0x65736f62726576 ? 7 : NO_LEVEL; // verbose
    default:
      return name == 0x6c61636974697263 ? 2 : NO_LEVEL; // critical
  }
}

/** Writes a time in microseconds since 1970; returns its bytes, or 0 when it can't be right. */
export function writeMicros(micros: u64): u32 {
  let fraction = micros - lastSecond;
  if (fraction >= SECOND_MICROS) {
    lastSecond = NO_SECOND;
    fraction = micros % SECOND_MICROS;
    if (!writeSecond(micros)) return 0;
    lastSecond = micros - fraction;
  }
  const places = <u32>fraction;
  writePair(timeAt + 20, places / 10_000);
  writePair(timeAt + 22, (places / 100) % 100);
  writePair(timeAt + 24, places % 100);
  return MICRO_TIME_BYTES;
}

/** Writes a time but for its fraction; false when it can't be right. */
function writeSecond(micros: u64): bool {
  const day = <u32>(micros / DAY_MICROS);
  if (day != lastDay) {
    writeDay(day);
    if (!isDate(timeAt)) return false;
    lastDay = day;
    dayText = load<u64>(timeAt);
    dayRest = load<u16>(timeAt, 8);
  } else {
    store<u64>(timeAt, dayText);
    store<u16>(timeAt, dayRest, 8);
  }
  const seconds = <u32>((micros % DAY_MICROS) / SECOND_MICROS);
  store<u8>(timeAt, 0x54, 10);
  writePair(timeAt + 11, seconds / 3600);
  store<u8>(timeAt, 0x3a, 13);
  writePair(timeAt + 14, (seconds / 60) % 60);
  store<u8>(timeAt, 0x3a, 16);
  writePair(timeAt + 17, seconds % 60);
  store<u8>(timeAt, 0x2e, 19);
  store<u32>(timeAt, 0x3a30302b, 26);
  store<u16>(timeAt, 0x3030, 30);
  return true;
}

/** Writes the date of a day since 1970. Years of 400 of them, which begin in March, are alike. */
function writeDay(day: u32): void {
  const shifted = day + 719_468;
  const era = shifted / 146_097;
  const dayOfEra = shifted % 146_097;
  const yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const marchMonth = (5 * dayOfYear + 2) / 153;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  writePair(timeAt, (year / 100) % 100);
  writePair(timeAt + 2, year % 100);
  store<u8>(timeAt, DASH, 4);
  writePair(timeAt + 5, month);
  store<u8>(timeAt, DASH, 7);
  writePair(timeAt + 8, dayOfYear - (153 * marchMonth + 2) / 5 + 1);
}

function writePair(at: u32, value: u32): void {
  store<u8>(at, 0x30 + value / 10);
  store<u8>(at, 0x30 + (value % 10), 1);
}

/** Writes the time `[start, end)`, a date and a clock with a zone, as it is stored; returns its bytes, or 0 when it is in another form. */
export function writeIsoTime(start: u32, end: u32): u32 {
  if (end - start < 19 || end - start > 35 || !isDate(start)) return 0;
  const separator: u32 = load<u8>(start, 10);
  if ((separator != 0x54 && separator != SPACE) || load<u8>(start, 13) != 0x3a || load<u8>(start, 16) != 0x3a) return 0;
  if (pair(start + 11) > 23 || pair(start + 14) > 59 || pair(start + 17) > 59) return 0;
  lastSecond = NO_SECOND;
  v128.store(timeAt, v128.load(start));
  store<u32>(timeAt, load<u32>(start, 16), 16);
  store<u8>(timeAt, 0x54, 10);
  let i = start + 19;
  let o = timeAt + 19;
  if (load<u8>(i) == 0x2e || load<u8>(i) == 0x2c) {
    const from = i++;
    while (i < end && isDigit(load<u8>(i))) i++;
    const digits = i - from - 1;
    if (digits == 0 || digits > 9) return 0;
    const kept: u32 = digits > 6 ? 6 : digits;
    store<u64>(o, load<u64>(from));
    store<u8>(o, 0x2e);
    o += kept + 1;
  }
  if (i == end) return writeLocalTime(start, end);
  const zone: u32 = load<u8>(i);
  if (zone == 0x5a) {
    store<u8>(o++, zone);
    return i + 1 == end ? o - timeAt : 0;
  }
  if (zone != 0x2b && zone != DASH) return 0;
  const hasColon = load<u8>(i, 3) == 0x3a;
  const minutes: u32 = i + (hasColon ? 4 : 3);
  if (minutes + 2 != end || pair(i + 1) > 23 || pair(minutes) > 59) return 0;
  store<u8>(o, zone);
  store<u16>(o, load<u16>(i + 1), 1);
  store<u8>(o, 0x3a, 3);
  store<u16>(o, load<u16>(minutes), 4);
  return o + 6 - timeAt;
}

/** Writes the time that the text or number of JSON `[start, end)` is, in whatever form; returns its bytes, or 0 when it is none. */
export function writeAnyTime(start: u32, end: u32): u32 {
  lastSecond = NO_SECOND;
  return writeTime(start, end, timeAt);
}

/** Writes a time without a zone: JavaScript knows what this machine's is in each minute. The rest of the second stands behind the others. */
function writeLocalTime(start: u32, end: u32): u32 {
  const second: u32 = load<u16>(start, 17);
  if (i8x16.bitmask(i8x16.ne(v128.load(start), v128.load(localMinute))) == 0) {
    v128.store(timeAt, v128.load(utcMinute));
    store<u8>(timeAt, 0x3a, 16);
    store<u16>(timeAt, second, 17);
  } else {
    v128.store(localMinute, i8x16.splat(0));
    // With its quotes.
    if (writeAnyTime(start - 1, end + 1) != MICRO_TIME_BYTES) return 0;
    // Long ago zones weren't whole minutes.
    if (load<u16>(timeAt, 17) != second) return MICRO_TIME_BYTES;
    v128.store(localMinute, v128.load(start));
    v128.store(utcMinute, v128.load(timeAt));
  }
  store<u64>(timeAt, 0x303030303030302e, 19);
  for (let i: u32 = 20; i < 26 && start + i < end; i++) store<u8>(timeAt + i, load<u8>(start + i));
  store<u32>(timeAt, 0x3a30302b, 26);
  store<u16>(timeAt, 0x3030, 30);
  return MICRO_TIME_BYTES;
}

/** Is `[start, end)` UTF-8 (RFC 3629)? */
export function isUtf8(start: u32, end: u32): bool {
  let i = start;
  while (i < end) {
    if (i + 16 <= end && i8x16.bitmask(v128.load(i)) == 0) {
      i += 16;
      continue;
    }
    const byte: u32 = load<u8>(i);
    if (byte < 0x80) {
      i++;
      continue;
    }
    const second: u32 = load<u8>(i, 1);
    let length: u32 = 2;
    if (byte < 0xc2 || byte > 0xf4) return false;
    if (byte >= 0xf0) {
      length = 4;
      if ((byte == 0xf0 && second < 0x90) || (byte == 0xf4 && second > 0x8f)) return false;
    } else if (byte >= 0xe0) {
      length = 3;
      if ((byte == 0xe0 && second < 0xa0) || (byte == 0xed && second > 0x9f)) return false;
    }
    if (i + length > end) return false;
    for (let at = i + 1; at < i + length; at++) if ((load<u8>(at) & 0xc0) != 0x80) return false;
    i += length;
  }
  return true;
}

/** Room for the usual count in front of a line. */
export const FRAME_HEAD: u32 = 4;
/** A longer line isn't framed here. */
export const FRAME_BYTES_MAX: u32 = 90_000;

/** Frames the line that stands from `frame + FRAME_HEAD` to `end`: its count goes in front of it. Returns the new end. */
export function closeFrame(frame: u32, end: u32): u32 {
  const length = end - frame - FRAME_HEAD;
  const digits: u32 = length < 10 ? 1 : length < 100 ? 2 : length < 1_000 ? 3 : length < 10_000 ? 4 : 5;
  if (digits != 3) memory.copy(frame + digits + 1, frame + FRAME_HEAD, length);
  writeCount(length, frame);
  return frame + digits + 1 + length;
}
