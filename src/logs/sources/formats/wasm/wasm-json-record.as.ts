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
  skipNumberBytes,
  skipSpace,
  skipString,
  stop,
  to,
  writeValue,
} from './wasm-json.as';
import { numberOf } from './wasm-host.as';
import { namedLevel, NO_LEVEL, writeAnyTime, writeIsoTime, writeMicros } from './wasm-line.as';
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
const DASH: u32 = 0x2d;
const DOT: u32 = 0x2e;
const SLASH: u32 = 0x2f;
const OPEN_BRACKET: u32 = 0x5b;
const CLOSE_BRACKET: u32 = 0x5d;
const OPEN_BRACE: u32 = 0x7b;
const CLOSE_BRACE: u32 = 0x7d;

/** `__REALTI`: how the name of a time begins that comes behind {@link SOURCE_TIME}. */
const REALTIME: u64 = 0x49544c4145525f5f;
/** Doubles hold all whole numbers up to this one, 2 ** 53. */
const DOUBLE_WHOLE_MAX: u64 = 9_007_199_254_740_992;

/** What a key of a record may be: see `json-fields.ts`. */
const DATA: u32 = 0;
const MESSAGE: u32 = 1;
const TIME: u32 = 2;
const LEVEL: u32 = 3;
const SEVERITY: u32 = 4;
const HOST: u32 = 5;
const DYNO: u32 = 6;
/** Its `pod_name` is the dyno, when there is no `dyno`. */
const KUBERNETES: u32 = 7;
/** Candidates: what they are called after, when that isn't there under its own name, or else data. */
const CANDIDATE: u32 = 8;
/** The message, when it is a text. */
const OTHER_MESSAGE: u32 = 8;
const OTHER_TIME: u32 = 9;
const OTHER_LEVEL: u32 = 10;
/** The host, when it is a text. */
const OTHER_HOST: u32 = 11;
/** The dyno, when it is a text: `container_name`. */
const OTHER_DYNO: u32 = 12;
/** The dyno, with the process behind it: of journald. */
const UNIT: u32 = 13;
const PROCESS: u32 = 14;
/** The time before other ones: of journald. */
const SOURCE_TIME: u32 = 15;
const CANDIDATE_LAST: u32 = 15;
/** Something else is made of the record by this, when the message, or the level, isn't there under its own name. */
const ODD_MESSAGE: u32 = 16;
const ODD_LEVEL: u32 = 17;
/** Of MongoDB, when it is an object: the time, and that `s` is a level. */
const ODD_TIME: u32 = 18;
/** A number whose digits a double doesn't hold, in the place of a text: it is one. */
const LONG_NUMBER: u32 = 19;
const LONG_NUMBER_DIGITS: u32 = 15;

/** Of each candidate, four `u32`: where its parameter begins, and ends; where its value and its key begin. */
const candidates = memory.data(16 * 8);
const VALUE: usize = 8;
const KEY: usize = 12;
/** `unit.99` */
const dynoText = memory.data(128);
const DYNO_TEXT_BYTES_MAX: u32 = 100;
/** Those that were found, and were found twice, by what they are. */
let found: u32 = 0;
let foundTwice: u32 = 0;

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

function candidateAt(what: u32): u32 {
  return <u32>candidates + (what - CANDIDATE) * 16;
}

function isFound(what: u32): bool {
  return (found & (1 << what)) != 0;
}

function valueOf(what: u32): u32 {
  return load<u32>(candidateAt(what), VALUE);
}

/** It is what it is called after, and no data. */
function takeOut(taken: u32): void {
  let left = taken;
  while (left != 0) {
    // The last one first: those before it stay where they are.
    let last: u32 = 0;
    for (let what = CANDIDATE; what <= CANDIDATE_LAST; what++)
      if ((left & (1 << what)) != 0 && (last == 0 || load<u32>(candidateAt(what)) > load<u32>(candidateAt(last)))) last = what;
    const from = load<u32>(candidateAt(last));
    const end = load<u32>(candidateAt(last), 4);
    if (to != end) memory.copy(from, end, to - end);
    moveTo(to - (end - from));
    left &= ~(1 << last);
  }
}

/** Is there a number of so many digits, or with an exponent, that it may be read as a text? */
function isLongNumber(start: u32): bool {
  const byte: u32 = load<u8>(start);
  if (byte != DASH && byte - 0x30 > 9) return false;
  const end = skipNumberBytes(start);
  if (end - start > LONG_NUMBER_DIGITS) return true;
  for (let i = start; i < end; i++) if ((load<u8>(i) | 0x20) == 0x65) return true;
  return false;
}

/** The value of `"pod_name"` in the object at `start`, which was read; 0 when it has none. */
function podName(start: u32): u32 {
  let depth: u32 = 0;
  let i = start;
  while (true) {
    i = skipSpace(i);
    const byte: u32 = load<u8>(i);
    if (byte == QUOTE) {
      const key = i + 1;
      const end = skipString(key);
      i = skipSpace(end + 1);
      if (depth != 1 || load<u8>(i) != COLON) continue;
      i = skipSpace(i + 1);
      // pod_name
      if (end - key == 8 && load<u64>(key) == 0x656d616e5f646f70) return i;
      continue;
    }
    if (byte == OPEN_BRACE || byte == OPEN_BRACKET) depth++;
    else if ((byte == CLOSE_BRACE || byte == CLOSE_BRACKET) && --depth == 0) return 0;
    i++;
  }
}

/** Sets the dyno to the text of JSON whose quote is at `at`, without a slash in front; false when it isn't a word. */
function setDynoText(at: u32, maySlash: bool): bool {
  let text = at + 1;
  const end = skipString(text);
  if (end == 0 || hasEscape) return false;
  if (maySlash && load<u8>(text) == SLASH) text++;
  if (end - text > WORD_BYTES_MAX || skipField(text, end) != end) return false;
  setDyno(text, end - text);
  return true;
}

/** Reads the object at `start`; returns where it ends, or 0. */
export function readObject(start: u32): u32 {
  clear();
  countContainer();
  let hasTime = false;
  let hasLevel = false;
  let hasHost = false;
  let hasDyno = false;
  let pod: u32 = 0;
  /** What makes something else of the record. */
  let odd: u32 = 0;
  found = 0;
  foundTwice = 0;
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
            } else {
              hasDyno = true;
              setDyno(i + 1, length);
            }
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
        default: {
          const from = to;
          if (!openParameter(key, keyLength)) return 0;
          const end = writeValue(i);
          if (end == 0 || !closeParameter()) return 0;
          if (what != DATA) odd |= noteOther(what, i, from, key, keyLength);
          if (what == KUBERNETES && byte == OPEN_BRACE) pod = podName(i);
          i = end;
        }
      }
    }
    i = skipSpace(i);
    if (load<u8>(i) == CLOSE_BRACE) break;
    if (load<u8>(i) != COMMA) return stop(i);
  }
  const end = i + 1;
  if (found == 0 && odd == 0 && pod == 0) return messageAt == 0 ? 0 : end;
  if ((odd & (1 << LONG_NUMBER)) != 0 || (pod != 0 && isLongNumber(pod))) return 0;
  let taken: u32 = 0;
  if (messageAt == 0) {
    if ((odd & (1 << ODD_MESSAGE)) != 0 || !isFound(OTHER_MESSAGE)) return 0;
    const text = valueOf(OTHER_MESSAGE) + 1;
    const textEnd = skipString(text);
    setMessage(text, textEnd - text, hasEscape);
    taken |= 1 << OTHER_MESSAGE;
  }
  if (!hasLevel && isFound(OTHER_LEVEL)) {
    if (readLevel(valueOf(OTHER_LEVEL), false) == 0) return 0;
    taken |= 1 << OTHER_LEVEL;
  } else if (!hasLevel && (odd & (1 << ODD_LEVEL)) != 0) return 0;
  if (!hasTime && (isFound(OTHER_TIME) || isFound(SOURCE_TIME))) {
    // Other names come before this one, or behind it.
    if (isFound(OTHER_TIME) && isFound(SOURCE_TIME)) {
      if ((foundTwice & (1 << OTHER_TIME)) != 0) return 0;
      if (load<u64>(load<u32>(candidateAt(OTHER_TIME), KEY)) != REALTIME) return 0;
    }
    const time = isFound(SOURCE_TIME) ? SOURCE_TIME : OTHER_TIME;
    if (readTime(valueOf(time)) == 0) return 0;
    taken |= 1 << time;
  }
  if ((odd & (1 << ODD_TIME)) != 0 && !(hasTime && hasLevel)) return 0;
  if (!hasHost && isFound(OTHER_HOST)) {
    const host = valueOf(OTHER_HOST) + 1;
    const hostEnd = skipString(host);
    if (hasEscape || hostEnd - host > WORD_BYTES_MAX || skipField(host, hostEnd) != hostEnd) return 0;
    setHost(host, hostEnd - host);
    taken |= 1 << OTHER_HOST;
  }
  if (!hasDyno) {
    if (isFound(UNIT)) {
      if (!setUnit()) return 0;
      taken |= (1 << UNIT) | (found & (1 << PROCESS));
    } else if (pod != 0 && load<u8>(pod) == QUOTE) {
      if (!setDynoText(pod, false)) return 0;
    } else if (isFound(OTHER_DYNO)) {
      if (!setDynoText(valueOf(OTHER_DYNO), true)) return 0;
      taken |= 1 << OTHER_DYNO;
    }
  }
  if ((taken & foundTwice) != 0) return 0;
  takeOut(taken);
  return end;
}

/** Sets the dyno to the name of the unit, and the number of the process if there is one; false when that isn't possible. */
function setUnit(): bool {
  const unit = valueOf(UNIT) + 1;
  const unitEnd = skipString(unit);
  const length = unitEnd - unit;
  if (hasEscape || length > DYNO_TEXT_BYTES_MAX || skipField(unit, unitEnd) != unitEnd) return false;
  if (!isFound(PROCESS)) {
    setDyno(unit, length);
    return true;
  }
  let process = valueOf(PROCESS);
  let digits = digitsAt(process);
  if (load<u8>(process) == QUOTE) digits = digitsAt(++process);
  const after: u32 = load<u8>(process + digits);
  if (digits == 0 || digits > 10 || (load<u8>(process - 1) == QUOTE ? after != QUOTE : !isEndOfNumber(process + digits))) return false;
  const text = <u32>dynoText;
  copy(text, unit, length);
  store<u8>(text + length, DOT);
  copy(text + length + 1, process, digits);
  setDyno(text, length + 1 + digits);
  return true;
}

/** Notes what may be more than data: the value at `start`, whose parameter was written from `from` on. Returns what is odd about it. */
function noteOther(what: u32, start: u32, from: u32, key: u32, keyLength: u32): u32 {
  const byte: u32 = load<u8>(start);
  switch (what) {
    case OTHER_MESSAGE:
      // Only a text is one. Of `log`, an object may have a level in it; of `event` and `MESSAGE`, a message.
      if (isLongNumber(start)) return 1 << LONG_NUMBER;
      if (byte != QUOTE) return keyLength == 3 ? 1 << ODD_LEVEL : 1 << ODD_MESSAGE;
      break;
    case OTHER_HOST:
    case OTHER_DYNO:
    case UNIT:
      if (isLongNumber(start)) return 1 << LONG_NUMBER;
      if (byte != QUOTE) return 0;
      break;
    case ODD_TIME:
      if (byte != OPEN_BRACE) return 0;
      break;
    case KUBERNETES:
      return 0;
  }
  if (what > CANDIDATE_LAST) return 1 << what;
  const bit: u32 = 1 << what;
  foundTwice |= found & bit;
  found |= bit;
  const at = candidateAt(what);
  store<u32>(at, from);
  store<u32>(at, to, 4);
  store<u32>(at, start, VALUE);
  store<u32>(at, key, KEY);
  return 0;
}

/** What the key at `start` names. */
function classOf(start: u32, length: u32): u32 {
  const first = firstBytes(start, length);
  const last = lastBytes(start, length);
  switch (length) {
    case 1:
      return first == 0x74 ? ODD_TIME : DATA; // t
    case 2:
      if (first == 0x7374) return TIME; // ts
      if (first == 0x7440) return OTHER_TIME; // @t
      if (first == 0x6c40) return OTHER_LEVEL; // @l
      if (first == 0x6d40) return OTHER_MESSAGE; // @m
      return first == 0x7840 ? ODD_MESSAGE : DATA; // @x
    case 3:
      if (first == 0x67736d) return MESSAGE; // msg
      if (first == 0x676f6c) return OTHER_MESSAGE; // log
      if (first == 0x6c766c) return OTHER_LEVEL; // lvl
      return DATA;
    case 4:
      if (first == 0x4449505f) return PROCESS; // _PID
      if (first == 0x656d6974) return TIME; // time
      if (first == 0x74736f68) return HOST; // host
      if (first == 0x6f6e7964) return DYNO; // dyno
      if (first == 0x65746164) return OTHER_TIME; // date
      if (first == 0x73676f6c) return ODD_MESSAGE; // logs
      return first == 0x79646f62 || first == 0x79646f42 || first == 0x74786574 ? OTHER_MESSAGE : DATA; // body, Body, text
    case 5:
      if (first == 0x6c6576656c) return LEVEL; // level
      if (first == 0x746e657665) return OTHER_MESSAGE; // event
      return first == 0x6c6576654c ? OTHER_LEVEL : DATA; // Level
    case 6:
      if (first == 0x6c6576656c40) return OTHER_LEVEL; // @level
      return first == 0x73646c656966 ? ODD_MESSAGE : DATA; // fields
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
      if (first == 0x6d617473656d6954 && last == 0x706d617473656d69) return OTHER_TIME; // Timestamp
      if (first == 0x6d6954746e657665 && last == 0x656d6954746e6576) return OTHER_TIME; // eventTime
      if (first == 0x6d616e2e74736f68 && last == 0x656d616e2e74736f) return OTHER_HOST; // host.name
      if (first == 0x4d414e54534f485f && last == 0x454d414e54534f48) return OTHER_HOST; // _HOSTNAME
      if (first == 0x6576656c2e676f6c && last == 0x6c6576656c2e676f) return OTHER_LEVEL; // log.level
      return first == 0x6d616e6c6576656c && last == 0x656d616e6c657665 ? OTHER_LEVEL : DATA; // levelname
    case 10:
      if (first == 0x505f474f4c535953 && last == 0x4449505f474f4c53) return PROCESS; // SYSLOG_PID
      if (first == 0x617473656d697440 && last == 0x706d617473656d69) return TIME; // @timestamp
      if (first == 0x74656e726562756b && last == 0x736574656e726562) return KUBERNETES; // kubernetes
      return first == 0x616e5f6c6576656c && last == 0x656d616e5f6c6576 ? OTHER_LEVEL : DATA; // level_name
    case 11:
      if (first == 0x6c79615074786574 && last == 0x64616f6c79615074) return OTHER_MESSAGE; // textPayload
      return first == 0x6c7961506e6f736a ? ODD_MESSAGE : DATA; // jsonPayload
    case 12:
      if (first == 0x7974697265766573 && last == 0x7478655479746972) return OTHER_LEVEL; // severityText
      return first == 0x78696e55656d6974 && last == 0x6f6e614e78696e55 ? OTHER_TIME : DATA; // timeUnixNano
    case 13:
      if (first == 0x7974697265766573 && last == 0x747865745f797469) return OTHER_LEVEL; // severity_text
      return first == 0x656d5f74726f6873 ? ODD_MESSAGE : DATA; // short_message
    case 14:
      if (first == 0x656e6961746e6f63 && last == 0x656d616e5f72656e) return OTHER_DYNO; // container_name
      return first == 0x7974697265766573 ? ODD_LEVEL : DATA; // severityNumber
    case 15:
      if (first == 0x7974697265766573) return ODD_LEVEL; // severity_number
      if (first == 0x64657265646e6552 && last == 0x6567617373654d64) return OTHER_MESSAGE; // RenderedMessage
      return DATA;
    case 16:
      return first == 0x6d617473656d6974 && last == 0x73646e6f63655370 ? OTHER_TIME : DATA; // timestampSeconds
    case 17:
      // SYSLOG_IDENTIFIER
      return first == 0x495f474f4c535953 && last == 0x5245494649544e45 && load<u8>(start, 8) == 0x44 ? UNIT : DATA;
    case 20:
      // __REALTIME_TIMESTAMP
      return first == REALTIME && last == 0x504d415453454d49 && load<u32>(start, 8) == 0x545f454d ? OTHER_TIME : DATA;
    case 26:
      // _SOURCE_REALTIME_TIMESTAMP
      if (first != 0x5f454352554f535f || last != 0x504d415453454d49) return DATA;
      return load<u64>(start, 8) == 0x454d49544c414552 && load<u64>(start, 16) == 0x415453454d49545f ? SOURCE_TIME : DATA;
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
    if (named != NO_LEVEL) return end + 1;
    return !isSeverity && readLevelNumber(start + 1, false) == end ? end + 1 : 0;
  }
  const end = readLevelNumber(start, isSeverity);
  return end == 0 || isEndOfNumber(end) ? end : 0;
}

/** Reads the level whose digits begin at `start`; returns where they end, or 0. */
function readLevelNumber(start: u32, isSeverity: bool): u32 {
  let i = start;
  let level: u32 = 0;
  while (<u32>load<u8>(i) - 0x30 <= 9 && i - start < 3) level = level * 10 + load<u8>(i++) - 0x30;
  if (i == start) return stop(i);
  if (i - start > 1 && load<u8>(start) == 0x30) return 0;
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
    if (end == 0) return 0;
    let written: u32 = hasEscape ? 0 : writeIsoTime(start + 1, end);
    if (written == 0 && !hasEscape && end - start == 17) written = writeDigits(start + 1);
    if (written == 0) written = writeAnyTime(start, end + 1);
    setTimeLength(written);
    return written == 0 ? 0 : end + 1;
  }
  const common = readNumberTime(start);
  if (common != 0) return common;
  const end = skipNumberBytes(start);
  if (!isEndOfNumber(end) || end == start || load<u8>(end) == 0) return stop(end);
  const written = writeAnyTime(start, end);
  setTimeLength(written);
  return written == 0 ? 0 : end;
}

/** Writes the time that 16 digits are, of microseconds; returns its bytes, or 0. */
function writeDigits(start: u32): u32 {
  if (digitsAt(start) < 16 || load<u8>(start) > 0x33) return 0;
  return writeMicros(eightDigits(load<u64>(start)) * 100_000_000 + eightDigits(load<u64>(start, 8)));
}

/** Reads the time that is a number in one of the common forms; returns where it ends, or 0. */
function readNumberTime(start: u32): u32 {
  const digits = digitsAt(start);
  let i = start + digits;
  // Seconds or milliseconds since 1970: see `parseTimestamp`.
  if (digits < 9 || digits > 14 || load<u8>(start) == 0x30) return 0;
  let value: u64 = eightDigits(load<u64>(start) << ((16 - digits) << 3)) * 100_000_000 + eightDigits(load<u64>(i - 8));
  const isSeconds = digits <= 11;
  let micros: u64 = 0;
  if (load<u8>(i) == 0x2e) {
    const point = i++;
    let scale: f64 = 1;
    while (<u32>load<u8>(i) - 0x30 <= 9 && i - start < 24) {
      if (i - start < 18) value = value * 10 + (load<u8>(i) - 0x30);
      scale *= 10;
      i++;
    }
    if (i == point + 1 || digits == 11 || digits == 14) return 0;
    // Of two numbers that doubles hold, the quotient is the double that is written, and its product within what is exact.
    const number = i - start > 17 || value > DOUBLE_WHOLE_MAX ? numberOf(start, i) : <f64>value / scale;
    if (!(number >= 1e8)) return 0;
    micros = <u64>floor<f64>(number * (isSeconds ? 1e6 : 1e3) + 0.5);
    if (micros > 4_000_000_000_000_000) return 0;
  } else micros = value * (isSeconds ? 1_000_000 : 1_000);
  if (!isEndOfNumber(i)) return 0;
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
