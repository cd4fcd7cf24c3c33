/** A record of JSON: its known names (time, level, message, host, dyno) are found, everything else is written as structured data. See `json-fields.ts`. */
import { copy } from '../../../../common/wasm/wasm-common.as';
import { skipField } from '../../../syslog/wasm/wasm-header.as';
import {
  addKey,
  countContainer,
  digitsAt,
  firstBytes,
  hasEscape,
  hasNewline,
  isEndOfNumber,
  isName,
  keyHash,
  lastBytes,
  moveTo,
  noteKey,
  skipSpace,
  skipString,
  stop,
  to,
  writeValue,
} from './wasm-json.as';
import { namedLevel, NO_LEVEL, writeIsoTime, writeMicros } from './wasm-line.as';
import {
  clear,
  closeParameter,
  INFO,
  messageAt,
  openParameter,
  setDyno,
  setHost,
  setMessage,
  setSeverity,
  setTimeLength,
  WORD_BYTES_MAX,
} from './wasm-record-line.as';

const QUOTE: u32 = 0x22;
const COMMA: u32 = 0x2c;
const COLON: u32 = 0x3a;
const CLOSE_BRACE: u32 = 0x7d;

/** What a key of a record may be: see `json-fields.ts`. */
const DATA: u32 = 0;
const MESSAGE: u32 = 1;
/** The message, when it is a text, and there is no `message`. */
const TEXT: u32 = 2;
const TIME: u32 = 3;
const LEVEL: u32 = 4;
const SEVERITY: u32 = 5;
const HOST: u32 = 6;
const DYNO: u32 = 7;
/** Data, when there is a message, a time, a level, a host under the usual names. */
const OTHER_MESSAGE: u32 = 8;
const OTHER_TIME: u32 = 9;
const OTHER_LEVEL: u32 = 10;
const OTHER_HOST: u32 = 11;
const UNSUPPORTED: u32 = 12;

/**
 * The keys of the record that was read last, as they stood there, with what is around them: most senders' records have the same ones in the same
 * order, and what was found out of a key needn't be found out again. An entry: `u8 bytes | u8 bytes of the key | u8 what it is | u8 where the key
 * begins | u64 hash, at 8 | the text, at 16, from the brace or comma before the key to its value`.
 */
let shapeAt: u32 = 0;
let shapeKeys: u32 = 0;
const SHAPE_KEYS_MAX: u32 = 32;
const SHAPE_ENTRY_BYTES: u32 = 48;
const SHAPE_TEXT: u32 = 16;
const SHAPE_TEXT_BYTES_MAX: u32 = 32;

export function setShapeRegion(at: u32): void {
  shapeAt = at;
}

/** Does the entry's text stand at `start`? */
function isShapeKey(entry: u32, start: u32): bool {
  const length: u32 = load<u8>(entry);
  const first = i8x16.bitmask(i8x16.ne(v128.load(start), v128.load(entry, SHAPE_TEXT)));
  if (length <= 16) return (first & ((1 << length) - 1)) == 0;
  const second = i8x16.bitmask(i8x16.ne(v128.load(start, 16), v128.load(entry, SHAPE_TEXT + 16)));
  return first == 0 && (second & ((1 << (length - 16)) - 1)) == 0;
}

/** Keeps the key at `key`, the next of its record, whose text is in `[start, end)`. */
function keepShapeKey(start: u32, end: u32, key: u32, keyLength: u32, what: u32): void {
  const length = end - start;
  // Newlines between keys are noticed one by one.
  if (shapeKeys == SHAPE_KEYS_MAX || length > SHAPE_TEXT_BYTES_MAX || hasNewline) return;
  const entry = shapeAt + shapeKeys * SHAPE_ENTRY_BYTES;
  store<u8>(entry, length);
  store<u8>(entry, keyLength, 1);
  store<u8>(entry, what, 2);
  store<u8>(entry, key - start, 3);
  store<u64>(entry, keyHash, 8);
  copy(entry + SHAPE_TEXT, start, length);
  shapeKeys++;
}

/** Reads the object at `start`; returns where it ends, or 0. */
export function readObject(start: u32): u32 {
  clear();
  countContainer();
  let hasTime = false;
  let hasLevel = false;
  let hasHost = false;
  let others: u32 = 0;
  let textStart: u32 = 0;
  let textEnd: u32 = 0;
  let textAt: u32 = 0;
  let textLength: u32 = 0;
  let isTextEscaped = false;
  /** The keys so far are those of the shape. */
  let isShape = true;
  /** At the brace, and later at the comma, in front of a key. */
  let i = start;
  for (let number: u32 = 0; ; number++) {
    const entry = shapeAt + number * SHAPE_ENTRY_BYTES;
    let key: u32;
    let keyLength: u32;
    let what: u32;
    if (isShape && number < shapeKeys && isShapeKey(entry, i)) {
      key = i + load<u8>(entry, 3);
      keyLength = load<u8>(entry, 1);
      what = load<u8>(entry, 2);
      i = skipSpace(i + <u32>load<u8>(entry));
    } else {
      if (isShape) {
        isShape = false;
        if (number < shapeKeys) shapeKeys = number;
        for (let known: u32 = 0; known < number; known++) noteKey(known, load<u64>(shapeAt + known * SHAPE_ENTRY_BYTES, 8));
      }
      const before = i;
      i = skipSpace(i + 1);
      if (load<u8>(i) != QUOTE) return stop(i);
      key = i + 1;
      const keyEnd = skipString(key);
      if (keyEnd == 0 || hasEscape) return 0;
      keyLength = keyEnd - key;
      if (!isName(key, keyLength) || !addKey(key, keyLength, 0)) return 0;
      const colon = skipSpace(keyEnd + 1);
      if (load<u8>(colon) != COLON) return stop(colon);
      what = classOf(key, keyLength);
      i = skipSpace(colon + 1);
      if (number == shapeKeys) keepShapeKey(before, i, key, keyLength, what);
    }
    const byte: u32 = load<u8>(i);
    if (byte == 0x6e) {
      // No value is as if it weren't there.
      if (load<u32>(i) != 0x6c6c756e) return stop(i);
      i += 4;
    } else {
      switch (what) {
        case MESSAGE:
        case HOST:
        case DYNO: {
          if (byte != QUOTE) return byte == 0 ? stop(i) : 0;
          const end = skipString(i + 1);
          if (end == 0) return 0;
          const length = end - i - 1;
          if (what == MESSAGE) {
            if (messageAt != 0) return 0;
            setMessage(i + 1, length, hasEscape);
          } else {
            if (hasEscape || length > WORD_BYTES_MAX || skipField(i + 1, end) != end) return 0;
            if (what == HOST) {
              if (hasHost) return 0;
              hasHost = true;
              setHost(i + 1, length);
            } else setDyno(i + 1, length);
          }
          i = end + 1;
          break;
        }
        case TIME:
          if (hasTime) return 0;
          hasTime = true;
          i = readTime(i);
          if (i == 0) return 0;
          break;
        case LEVEL:
        case SEVERITY:
          if (hasLevel) return 0;
          hasLevel = true;
          i = readLevel(i, what == SEVERITY);
          if (i == 0) return 0;
          break;
        case UNSUPPORTED:
          return 0;
        default: {
          const from = to;
          if (!openParameter(key, keyLength)) return 0;
          const end = writeValue(i);
          if (end == 0 || !closeParameter()) return 0;
          if (what == TEXT) {
            if (byte == QUOTE) {
              if (textAt != 0) others |= 1 << OTHER_MESSAGE;
              textStart = from;
              textEnd = to;
              textAt = i + 1;
              textLength = end - i - 2;
              isTextEscaped = hasEscape;
            } else others |= 1 << (keyLength == 3 ? OTHER_LEVEL : OTHER_MESSAGE); // of `log`, or `event`, as an object
          } else others |= 1 << what;
          i = end;
        }
      }
    }
    i = skipSpace(i);
    if (load<u8>(i) == CLOSE_BRACE) break;
    if (load<u8>(i) != COMMA) return stop(i);
  }
  if (!hasTime && (others & (1 << OTHER_TIME)) != 0) return 0;
  if (!hasLevel && (others & (1 << OTHER_LEVEL)) != 0) return 0;
  if (!hasHost && (others & (1 << OTHER_HOST)) != 0) return 0;
  if (messageAt == 0) {
    if (textAt == 0 || (others & (1 << OTHER_MESSAGE)) != 0) return 0;
    setMessage(textAt, textLength, isTextEscaped);
    // It is no data then.
    memory.copy(textStart, textEnd, to - textEnd);
    moveTo(to - (textEnd - textStart));
  }
  return i + 1;
}

/** What the key at `start` names. */
function classOf(start: u32, length: u32): u32 {
  const first = firstBytes(start, length);
  const last = lastBytes(start, length);
  switch (length) {
    case 1:
      // t, s
      return first == 0x74 ? OTHER_TIME : first == 0x73 ? OTHER_LEVEL : DATA;
    case 2:
      if (first == 0x7374) return TIME; // ts
      if (first == 0x7440) return OTHER_TIME; // @t
      if (first == 0x6c40) return OTHER_LEVEL; // @l
      return first == 0x6d40 || first == 0x7840 ? OTHER_MESSAGE : DATA; // @m, @x
    case 3:
      if (first == 0x67736d) return MESSAGE; // msg
      if (first == 0x676f6c) return TEXT; // log
      if (first == 0x6c766c) return OTHER_LEVEL; // lvl
      return first == 0x746d40 ? OTHER_MESSAGE : DATA; // @mt
    case 4:
      if (first == 0x656d6974) return TIME; // time
      if (first == 0x74736f68) return HOST; // host
      if (first == 0x6f6e7964) return DYNO; // dyno
      if (first == 0x79646f62) return TEXT; // body
      if (first == 0x65746164) return OTHER_TIME; // date
      return first == 0x73676f6c || first == 0x79646f42 || first == 0x74786574 ? OTHER_MESSAGE : DATA; // logs, Body, text
    case 5:
      if (first == 0x6c6576656c) return LEVEL; // level
      if (first == 0x746e657665) return TEXT; // event
      return first == 0x6c6576654c ? OTHER_LEVEL : DATA; // Level
    case 6:
      if (first == 0x6c6576656c40) return OTHER_LEVEL; // @level
      return first == 0x73646c656966 ? OTHER_MESSAGE : DATA; // fields
    case 7:
      if (first == 0x6567617373656d) return MESSAGE; // message
      if (first == 0x656d6974637361 || first == 0x746e6174736e69) return OTHER_TIME; // asctime, instant
      return first == 0x6567617373654d || first == 0x4547415353454d ? OTHER_MESSAGE : DATA; // Message, MESSAGE
    case 8:
      if (first == 0x656d616e74736f68) return HOST; // hostname
      if (first == 0x7974697265766573) return SEVERITY; // severity
      if (first == 0x656d697465746164) return OTHER_TIME; // datetime
      if (first == 0x6567617373656d40) return OTHER_MESSAGE; // @message
      if (first == 0x6c6576656c676f6c || first == 0x6c6576654c676f6c || first == 0x6c6576654c676f4c) return OTHER_LEVEL; // loglevel, logLevel, LogLevel
      return first == 0x595449524f495250 ? OTHER_LEVEL : DATA; // PRIORITY
    case 9:
      if (first == 0x6d617473656d6974 && last == 0x706d617473656d69) return TIME; // timestamp
      if (first == 0x6d617473656d6954 || first == 0x6d6954746e657665) return OTHER_TIME; // Timestamp, eventTime
      if (first == 0x6d616e2e74736f68 || first == 0x4d414e54534f485f) return OTHER_HOST; // host.name, _HOSTNAME
      return first == 0x6576656c2e676f6c || first == 0x6d616e6c6576656c ? OTHER_LEVEL : DATA; // log.level, levelname
    case 10:
      if (first == 0x617473656d697440 && last == 0x706d617473656d69) return TIME; // @timestamp
      if (first == 0x74656e726562756b && last == 0x736574656e726562) return UNSUPPORTED; // kubernetes
      return first == 0x616e5f6c6576656c ? OTHER_LEVEL : DATA; // level_name
    case 11:
      return first == 0x6c79615074786574 || first == 0x6c7961506e6f736a ? OTHER_MESSAGE : DATA; // textPayload, jsonPayload
    case 12:
      if (first == 0x7974697265766573) return OTHER_LEVEL; // severityText
      return first == 0x78696e55656d6974 ? OTHER_TIME : DATA; // timeUnixNano
    case 13:
      if (first == 0x7974697265766573) return OTHER_LEVEL; // severity_text
      return first == 0x656d5f74726f6873 ? OTHER_MESSAGE : DATA; // short_message
    case 14:
      if (first == 0x656e6961746e6f63 && last == 0x656d616e5f72656e) return UNSUPPORTED; // container_name
      return first == 0x7974697265766573 ? OTHER_LEVEL : DATA; // severityNumber
    case 15:
      if (first == 0x7974697265766573) return OTHER_LEVEL; // severity_number
      return first == 0x64657265646e6552 || first == 0x546567617373654d ? OTHER_MESSAGE : DATA; // RenderedMessage, MessageTemplate
    case 16:
      return first == 0x6d617473656d6974 ? OTHER_TIME : DATA; // timestampSeconds
    case 17:
      return first == 0x495f474f4c535953 ? UNSUPPORTED : DATA; // SYSLOG_IDENTIFIER
    case 26:
      return first == 0x5f454352554f535f ? OTHER_TIME : DATA; // _SOURCE_REALTIME_TIMESTAMP
    default:
      return DATA;
  }
}

/** Reads the level at `start`; returns where it ends, or 0. */
function readLevel(start: u32, isSeverity: bool): u32 {
  if (load<u8>(start) == QUOTE) {
    const end = skipString(start + 1);
    if (end == 0 || hasEscape) return 0;
    const named = namedLevel(start + 1, end - start - 1);
    setSeverity(named);
    return named == NO_LEVEL ? 0 : end + 1;
  }
  let i = start;
  let level: u32 = 0;
  while (<u32>load<u8>(i) - 0x30 <= 9 && i - start < 3) level = level * 10 + load<u8>(i++) - 0x30;
  if (i == start) return stop(i);
  if (!isEndOfNumber(i) || (i - start > 1 && load<u8>(start) == 0x30)) return 0;
  if (level < 8) setSeverity(level);
  else if (isSeverity || level < 10) return 0;
  else if (level >= 100) setSeverity(level >= 500 ? 2 : level >= 400 ? 3 : level >= 300 ? 4 : level >= 200 ? INFO : 7);
  else setSeverity(level >= 60 ? 2 : level >= 50 ? 3 : level >= 40 ? 4 : level >= 30 ? INFO : 7);
  return i;
}

/** Reads the time at `start`; returns where it ends, or 0. */
function readTime(start: u32): u32 {
  if (load<u8>(start) == QUOTE) {
    const end = skipString(start + 1);
    if (end == 0 || hasEscape) return 0;
    const written = writeIsoTime(start + 1, end);
    setTimeLength(written);
    return written == 0 ? 0 : end + 1;
  }
  const digits = digitsAt(start);
  let i = start + digits;
  if (digits == 0) return stop(i);
  // Seconds or milliseconds since 1970: see `parseTimestamp`.
  if (digits < 9 || digits > 14 || load<u8>(start) == 0x30) return 0;
  let value: u64 = eightDigits(load<u64>(start) << ((16 - digits) << 3)) * 100_000_000 + eightDigits(load<u64>(i - 8));
  const isSeconds = digits <= 11;
  let micros: u64 = 0;
  if (load<u8>(i) == 0x2e) {
    const point = i++;
    let scale: f64 = 1;
    while (<u32>load<u8>(i) - 0x30 <= 9 && i - start < 17) {
      value = value * 10 + (load<u8>(i++) - 0x30);
      scale *= 10;
    }
    // Of so many digits, the quotient is the double that is written, and its product within what is exact.
    if (i == point + 1) return stop(i);
    if (i - start > 16 || digits == 11 || digits == 14) return 0;
    micros = <u64>floor<f64>((<f64>value / scale) * (isSeconds ? 1e6 : 1e3) + 0.5);
    if (micros > 4_000_000_000_000_000) return 0;
  } else micros = value * (isSeconds ? 1_000_000 : 1_000);
  if (!isEndOfNumber(i)) return load<u8>(i) == 0 ? stop(i) : 0;
  const written = writeMicros(micros);
  setTimeLength(written);
  return written == 0 ? 0 : i;
}

/** The number that eight digits are, or fewer, with zeros in front of them. */
function eightDigits(digits: u64): u64 {
  const ones = ((digits & 0x0f0f0f0f0f0f0f0f) * 2_561) >> 8;
  const hundreds = ((ones & 0x00ff00ff00ff00ff) * 6_553_601) >> 16;
  return ((hundreds & 0x0000ffff0000ffff) * 42_949_672_960_001) >> 32;
}
