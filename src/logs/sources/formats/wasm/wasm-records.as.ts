/**
 * Makes lines of the records of a body: JSON, OTLP, plain text. Compiled by `npm run build:wasm` (AssemblyScript) into
 * `wasm-records-binary.ts`; what it does is defined by `json-lines.ts`, `json-fields.ts`, `otlp.ts`, `structured-line.ts` and
 * `plain-text-body.ts`. All records that it doesn't understand are left to them.
 *
 * The lines are octet-counted frames, without a token; or records of a batch, when the source is known: then a record is as the codec makes it
 * of the frame (`syslog/wasm`), and what the codec would leave alone isn't written. Memory is laid out by the caller (`wasm-records.ts`); there is no allocator. Reads
 * and writes may run over the end of a region by up to 63 bytes, and behind the input are as many zeros.
 */
import { copy } from '../../../../common/wasm/wasm-common.as';
import { mayHoldToken, setDateMax as setHeaderDateMax, skipField } from '../../../syslog/wasm/wasm-header.as';
import {
  addKey,
  beginJson,
  beginRecord,
  containers as jsonContainers,
  countContainer,
  decodeText,
  firstBytes,
  hasEscape,
  hasNewline,
  hasRoom,
  isName,
  lastBytes,
  moveTo,
  setUpJson,
  skipMark,
  skipSpace,
  skipString,
  stop,
  stoppedAt,
  to,
  writeText,
  writeValue,
} from './wasm-json.as';
import {
  closeFrame,
  forgetDay,
  FRAME_BYTES_MAX,
  FRAME_HEAD,
  isUtf8,
  namedLevel,
  NO_LEVEL,
  setUpLine,
  writeIsoTime,
  writeMicros,
} from './wasm-line.as';

/** Where a call stopped in the input, where the frames end in the output, how many there are; and the objects and arrays that were read. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;
export let containers: u32 = 0;
/** Of records: bytes that their frames would have, without the counts. */
export let lineBytes: u32 = 0;

const SPACE: u32 = 0x20;
const QUOTE: u32 = 0x22;
const COMMA: u32 = 0x2c;
const DASH: u32 = 0x2d;
const COLON: u32 = 0x3a;
const OPEN_BRACKET: u32 = 0x5b;
const CLOSE_BRACKET: u32 = 0x5d;
const OPEN_BRACE: u32 = 0x7b;
const CLOSE_BRACE: u32 = 0x7d;
const NEWLINE: u32 = 0x0a;
const RETURN: u32 = 0x0d;

/** All of the input is read, or the list in it. */
const DONE: u32 = 0;
/** The record at `position` isn't understood. */
const ODD: u32 = 1;
/** Its line doesn't fit into the output. */
const FULL: u32 = 2;
/** The input may end in the middle of it. */
const CUT: u32 = 3;
/** It is understood, but no record can be made of it: a frame can. */
const INDIRECT: u32 = 4;

/** What `records` reads: objects with a newline between them, which have none in them, or may; elements of an array; records of OTLP. */
const LINES: u32 = 0;
const ELEMENTS: u32 = 2;
const OTLP_ELEMENTS: u32 = 3;

/** `[json@32473` and `[otlp@32473` have so many bytes. */
const ELEMENT_BYTES: u32 = 11;
/** Of structured data: see `structured-line.ts`. */
const DATA_BYTES_MAX: u32 = 6_000;
const DATA_REGION_BYTES: u32 = 8_000;
/** Of a header field: a longer one is cut elsewhere. */
const WORD_BYTES_MAX: u32 = 255;
/** Of a line, besides its texts: PRI, spaces, APP-NAME. */
const LINE_HEAD_BYTES: u32 = 64;
/** Behind what may be the end of the input, so many bytes are looked at. */
const LOOKAHEAD: u32 = 40;
const INFO: u32 = 6;
/** Of a record: see `batch.ts` and `wasm-codec.as.ts`. */
const RECORD_HEADER: u32 = 12;
const MESSAGE_BYTES_MAX: u32 = 10_000;
const PROCID_BYTES_MAX: u32 = 128;
const MSGID_BYTES_MAX: u32 = 32;
const TOKEN_TEXT_BYTES_MIN: u32 = 16;
/** Of a time that is stamped: `2012-12-10T03:00:48.123000+00:00`. */
const TIME_BYTES: u32 = 32;

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

let dataAt: u32 = 0;
let timeAt: u32 = 0;
/** In the place of PROCID when a record has none; of OTLP, HOSTNAME to PROCID; of text, all of the header. */
let headAt: u32 = 0;
let headLength: u32 = 0;

/** Records are written, rather than frames. */
let isDirect: bool = false;
/** Lines of a call. */
let linesMax: u32 = 0;
let sourceAt: u32 = 0;
let sourceLength: u32 = 0;
let stampedHost: u32 = 0;
let stampedHostLength: u32 = 0;
let stampedTime: u32 = 0;
/** What records have in the place of `head`, and where in it HOSTNAME, APP-NAME and MSGID begin. */
let recordHeadAt: u32 = 0;
let recordHeadLength: u32 = 0;
let headHost: u32 = 0;
let headSource: u32 = 0;
let headMsgid: u32 = 0;

/** The record that was read last. */
let severity: u32 = INFO;
let timeLength: u32 = 0;
let hostAt: u32 = 0;
let hostLength: u32 = 0;
let dynoAt: u32 = 0;
let dynoLength: u32 = 0;
let msgidAt: u32 = 0;
let msgidLength: u32 = 0;
let messageAt: u32 = 0;
let messageLength: u32 = 0;
let isMessageEscaped: bool = false;

/** Where everything is: regions of the caller. `data` begins with the name of the element. */
export function setUp(data: u32, keys: u32, time: u32, head: u32): void {
  dataAt = data;
  timeAt = time;
  headAt = head;
  setUpJson(keys);
  setUpLine(time);
}

export function setDateMax(date: u32): void {
  setHeaderDateMax(date);
  forgetDay();
}

/** How long what stands in the region of `head` is. */
export function setHead(length: u32): void {
  headLength = length;
}

/** The same for records, and where the fields begin in it. */
export function setRecordHead(length: u32, host: u32, source: u32, msgid: u32): void {
  recordHeadLength = length;
  headHost = host;
  headSource = source;
  headMsgid = msgid;
}

/** For records: where their head is, the name of the source, and what is stamped where one has no host or no time. */
export function setUpRecords(head: u32, source: u32, host: u32, time: u32): void {
  recordHeadAt = head;
  sourceAt = source;
  stampedHost = host;
  stampedTime = time;
}

/** What the next calls write, and how many lines at the most. */
export function setForm(direct: bool, max: u32, sourceBytes: u32, hostBytes: u32): void {
  isDirect = direct;
  linesMax = max;
  sourceLength = sourceBytes;
  stampedHostLength = hostBytes;
}

/**
 * Makes lines of the JSON in `[from, end)`.
 *
 * @param isLast behind `end` is nothing more
 * @param isBehind a record was read: a comma, or the end of the list, comes first
 */
export function records(kind: u32, from: u32, end: u32, out: u32, outEnd: u32, isLast: bool, isBehind: bool): u32 {
  let i = from;
  let at = out;
  let count: u32 = 0;
  let why = DONE;
  let behind = isBehind;
  beginJson();
  let before: u32 = 0;
  lineBytes = 0;
  while (true) {
    before = jsonContainers;
    if (count == linesMax) {
      why = FULL;
      break;
    }
    let start = skipSpace(i);
    if (kind < ELEMENTS) {
      i = start;
      if (i >= end) break;
    } else if (behind) {
      if (load<u8>(start) == CLOSE_BRACKET) {
        i = start + 1;
        break;
      }
      // The comma stays in front of a record that isn't read here.
      start = skipMark(i, COMMA);
    }
    beginRecord(dataAt + ELEMENT_BYTES, dataAt + DATA_REGION_BYTES);
    const isObject = start != 0 && load<u8>(start) == OPEN_BRACE;
    if (!isObject) stop(start != 0 ? start : i);
    const next = isObject ? (kind == OTLP_ELEMENTS ? readOtlp(start) : readObject(start)) : 0;
    let after = next;
    why = DONE;
    if (next == 0 || (kind == LINES && hasNewline)) {
      why = stoppedAt != 0 && stoppedAt + LOOKAHEAD > end && !isLast ? CUT : ODD;
      break;
    }
    if (kind < ELEMENTS) {
      let byte: u32 = load<u8>(after);
      while (byte == SPACE || byte == 0x09 || byte == RETURN) byte = load<u8>(++after);
      if (byte != NEWLINE && after < end) {
        why = ODD;
        break;
      }
      if (after >= end && !isLast) {
        why = CUT;
        break;
      }
    }
    const lineEnd = isDirect ? writeRecord(at, outEnd, kind == OTLP_ELEMENTS) : writeLine(at, outEnd, kind == OTLP_ELEMENTS);
    if (lineEnd <= NOT_DIRECT) {
      why = reasonOf(lineEnd);
      break;
    }
    at = lineEnd;
    count++;
    i = after;
    behind = true;
  }
  position = i;
  produced = at;
  lines = count;
  containers = (why == DONE ? jsonContainers : before);
  return why;
}

/** What `writeLine` and `writeRecord` return instead of an end: there is no room, it isn't understood after all, a frame is needed. */
const NO_ROOM: u32 = 0;
const NOT_UNDERSTOOD: u32 = 1;
const NOT_DIRECT: u32 = 2;

function reasonOf(returned: u32): u32 {
  if (returned == NO_ROOM) return FULL;
  return returned == NOT_UNDERSTOOD ? ODD : INDIRECT;
}

/**
 * Writes the line of the record that was read, framed; returns the new end, 0 when it doesn't fit, 1 when it isn't understood after all.
 */
function writeLine(at: u32, outEnd: u32, isOtlp: bool): u32 {
  const dataLength = to - dataAt + 1;
  const hasData = to != dataAt + ELEMENT_BYTES;
  if (dataLength > DATA_BYTES_MAX || messageLength > FRAME_BYTES_MAX - DATA_BYTES_MAX - 1_024 - headLength) return 1;
  if (at + LINE_HEAD_BYTES + dataLength + messageLength + hostLength + dynoLength + msgidLength + headLength + timeLength > outEnd) return 0;
  let o = at + FRAME_HEAD;
  store<u64>(o, 0x203e_3030_313c); // <100> and the space behind the version
  store<u8>(o, 0x31, 1);
  const priority: u32 = 184 + severity;
  store<u8>(o, 0x30 + (priority / 10) % 10, 2);
  store<u8>(o, 0x30 + priority % 10, 3);
  store<u8>(o, 0x31, 5);
  store<u8>(o, SPACE, 6);
  o += 7;
  o = word(o, timeAt, timeLength);
  if (isOtlp) {
    copy(o, headAt, headLength);
    o += headLength;
    store<u8>(o++, SPACE);
    o = word(o, msgidAt, msgidLength);
  } else {
    o = word(o, hostAt, hostLength);
    store<u32>(o, 0x20707061); // "app "
    o += 4;
    if (dynoAt != 0) o = word(o, dynoAt, dynoLength);
    else o = word(o, headAt, headLength);
    store<u16>(o, 0x202d);
    o += 2;
  }
  if (hasData) {
    copy(o, dataAt, dataLength - 1);
    o += dataLength - 1;
    store<u8>(o++, CLOSE_BRACKET);
  } else store<u8>(o++, DASH);
  store<u8>(o++, SPACE);
  if (isMessageEscaped) {
    o = decodeText(messageAt, messageAt + messageLength, o);
    if (o == 0) return 1;
  } else {
    copy(o, messageAt, messageLength);
    o += messageLength;
  }
  return closeFrame(at, o);
}

/** Writes the line of the record that was read, as a record; returns the new end, or one of the others. */
function writeRecord(at: u32, outEnd: u32, isOtlp: bool): u32 {
  const dataLength = to - dataAt + 1;
  const hasData = to != dataAt + ELEMENT_BYTES;
  if (dataLength > DATA_BYTES_MAX || messageLength > FRAME_BYTES_MAX - DATA_BYTES_MAX - 1_024 - headLength) return NOT_UNDERSTOOD;
  const fields = hostLength + dynoLength + msgidLength + recordHeadLength + timeLength + stampedHostLength + sourceLength + TIME_BYTES;
  if (at + RECORD_HEADER + LINE_HEAD_BYTES + dataLength + messageLength + fields > outEnd) return NO_ROOM;
  const text = at + RECORD_HEADER;
  let o = text;
  store<u64>(o, 0x203e_3030_313c); // <100> and the space behind the version
  store<u8>(o, 0x31, 1);
  const priority: u32 = 184 + severity;
  store<u8>(o, 0x30 + (priority / 10) % 10, 2);
  store<u8>(o, 0x30 + priority % 10, 3);
  store<u8>(o, 0x31, 5);
  store<u8>(o, SPACE, 6);
  o += 7;
  let growth: u32 = 0;
  if (timeLength == 0) {
    o = word(o, stampedTime, TIME_BYTES);
    growth = TIME_BYTES - 1;
  } else o = word(o, timeAt, timeLength);
  let host: u32 = o - text;
  let source: u32;
  let msgid: u32;
  if (isOtlp) {
    source = host + headSource;
    copy(o, recordHeadAt, recordHeadLength);
    o += recordHeadLength;
    store<u8>(o++, SPACE);
    growth += recordHeadLength - headLength;
    if (!isShort(msgidAt, msgidLength, MSGID_BYTES_MAX)) return NOT_DIRECT;
    msgid = o - text;
    o = word(o, msgidAt, msgidLength);
  } else {
    if (hostLength == 0 || (hostLength == 1 && load<u8>(hostAt) == DASH)) {
      o = word(o, stampedHost, stampedHostLength);
      growth += stampedHostLength - 1;
    } else {
      if (!isShort(hostAt, hostLength, WORD_BYTES_MAX)) return NOT_DIRECT;
      o = word(o, hostAt, hostLength);
    }
    source = o - text;
    o = word(o, sourceAt, sourceLength);
    growth += sourceLength - 3;
    if (dynoAt != 0) {
      if (!isShort(dynoAt, dynoLength, PROCID_BYTES_MAX)) return NOT_DIRECT;
      o = word(o, dynoAt, dynoLength);
    } else o = word(o, recordHeadAt, recordHeadLength);
    msgid = o - text;
    store<u16>(o, 0x202d);
    o += 2;
  }
  if (hasData) {
    const start = o;
    copy(o, dataAt, dataLength - 1);
    o += dataLength - 1;
    store<u8>(o++, CLOSE_BRACKET);
    if (!isAscii(start, o) || mayHoldToken(start, o)) return NOT_DIRECT;
  } else store<u8>(o++, DASH);
  store<u8>(o++, SPACE);
  const message = o;
  if (isMessageEscaped) {
    o = decodeText(messageAt, messageAt + messageLength, o);
    if (o == 0) return NOT_UNDERSTOOD;
  } else {
    copy(o, messageAt, messageLength);
    o += messageLength;
  }
  let tail: u32 = 0;
  if (o > message && load<u8>(o - 1) == NEWLINE) tail = o > message + 1 && load<u8>(o - 2) == RETURN ? 2 : 1;
  return closeRecord(at, o - tail, host, source, msgid, message, tail - growth);
}

/** Is a field as long as it may be, and without a token? */
function isShort(start: u32, length: u32, max: u32): bool {
  return length <= max && (length < TOKEN_TEXT_BYTES_MIN || !mayHoldToken(start, start + length));
}

function isAscii(start: u32, end: u32): bool {
  let i = start;
  for (; i + 16 <= end; i += 16) if (i8x16.bitmask(v128.load(i)) != 0) return false;
  return i == end || (i8x16.bitmask(v128.load(i)) & ((1 << (end - i)) - 1)) == 0;
}

/**
 * Writes the header of the record at `at`, whose text ends at `end`; returns that, unless its message isn't one that can stay as it is.
 * @param more bytes of its frame than of its text; may be below zero
 */
function closeRecord(at: u32, end: u32, host: u32, source: u32, msgid: u32, message: u32, more: u32): u32 {
  const text = at + RECORD_HEADER;
  if (end - message > MESSAGE_BYTES_MAX) return NOT_DIRECT;
  if (end - message >= 3 && load<u8>(message) == 0xef && load<u16>(message, 1) == 0xbfbb) return NOT_DIRECT;
  if (end - message >= 8 && load<u64>(message) == 0x6361726c6961745b) return NOT_DIRECT; // [tailrac
  store<u32>(at, end - text);
  store<u16>(at, host, 4);
  store<u16>(at, source, 6);
  store<u16>(at, msgid, 8);
  store<u16>(at, message - text, 10);
  lineBytes += end - text + more;
  return end;
}

/** A header field and a space. */
function word(o: u32, from: u32, length: u32): u32 {
  if (length == 0) {
    store<u16>(o, 0x202d);
    return o + 2;
  }
  copy(o, from, length);
  store<u8>(o + length, SPACE);
  return o + length + 1;
}

function clear(): void {
  severity = INFO;
  timeLength = 0;
  hostLength = 0;
  dynoAt = 0;
  dynoLength = 0;
  msgidLength = 0;
  messageAt = 0;
  messageLength = 0;
  isMessageEscaped = false;
}

/** Writes ` name="` for the key at `start`; false when there is no room. */
function openParameter(start: u32, length: u32): bool {
  if (!hasRoom(length + 8)) return false;
  store<u8>(to, SPACE);
  copy(to + 1, start, length);
  store<u16>(to + 1 + length, 0x223d);
  moveTo(to + length + 3);
  return true;
}

function closeParameter(): bool {
  if (!hasRoom(8)) return false;
  store<u8>(to, QUOTE);
  moveTo(to + 1);
  return true;
}

/** Reads the object at `start`; returns where it ends, or 0. */
function readObject(start: u32): u32 {
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
  let i = skipSpace(start + 1);
  while (true) {
    if (load<u8>(i) != QUOTE) return stop(i);
    const key = i + 1;
    const keyEnd = skipString(key);
    if (keyEnd == 0 || hasEscape) return 0;
    const keyLength = keyEnd - key;
    if (!isName(key, keyLength) || !addKey(key, keyLength, 0)) return 0;
    i = skipMark(keyEnd + 1, COLON);
    if (i == 0) return 0;
    const byte: u32 = load<u8>(i);
    if (byte == 0x6e) {
      // No value is as if it weren't there.
      if (load<u32>(i) != 0x6c6c756e) return stop(i);
      i += 4;
    } else {
      let what = classOf(key, keyLength);
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
            messageAt = i + 1;
            messageLength = length;
            isMessageEscaped = hasEscape;
          } else {
            if (hasEscape || length > WORD_BYTES_MAX || skipField(i + 1, end) != end) return 0;
            if (what == HOST) {
              if (hasHost) return 0;
              hasHost = true;
              hostAt = i + 1;
              hostLength = length;
            } else {
              dynoAt = i + 1;
              dynoLength = length;
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
    i = skipSpace(i + 1);
  }
  if (!hasTime && (others & (1 << OTHER_TIME)) != 0) return 0;
  if (!hasLevel && (others & (1 << OTHER_LEVEL)) != 0) return 0;
  if (!hasHost && (others & (1 << OTHER_HOST)) != 0) return 0;
  if (messageAt == 0) {
    if (textAt == 0 || (others & (1 << OTHER_MESSAGE)) != 0) return 0;
    messageAt = textAt;
    messageLength = textLength;
    isMessageEscaped = isTextEscaped;
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
    severity = namedLevel(start + 1, end - start - 1);
    return severity == NO_LEVEL ? 0 : end + 1;
  }
  let i = start;
  let level: u32 = 0;
  while (<u32>load<u8>(i) - 0x30 <= 9 && i - start < 3) level = level * 10 + load<u8>(i++) - 0x30;
  if (i == start) return stop(i);
  if (!isEndOfNumber(i) || (i - start > 1 && load<u8>(start) == 0x30)) return 0;
  if (level < 8) severity = level;
  else if (isSeverity || level < 10) return 0;
  else if (level >= 100) severity = level >= 500 ? 2 : level >= 400 ? 3 : level >= 300 ? 4 : level >= 200 ? INFO : 7;
  else severity = level >= 60 ? 2 : level >= 50 ? 3 : level >= 40 ? 4 : level >= 30 ? INFO : 7;
  return i;
}

/** Is no more of a number at `i`? */
function isEndOfNumber(i: u32): bool {
  const byte: u32 = load<u8>(i);
  return byte == COMMA || byte == CLOSE_BRACE || byte <= SPACE;
}

/** Reads the time at `start`; returns where it ends, or 0. */
function readTime(start: u32): u32 {
  if (load<u8>(start) == QUOTE) {
    const end = skipString(start + 1);
    if (end == 0 || hasEscape) return 0;
    timeLength = writeIsoTime(start + 1, end);
    return timeLength == 0 ? 0 : end + 1;
  }
  let i = start;
  let value: u64 = 0;
  while (<u32>load<u8>(i) - 0x30 <= 9 && i - start < 15) value = value * 10 + (load<u8>(i++) - 0x30);
  const digits = i - start;
  if (digits == 0) return stop(i);
  // Seconds or milliseconds since 1970: see `parseTimestamp`.
  if (digits < 9 || digits > 14 || load<u8>(start) == 0x30) return 0;
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
  timeLength = writeMicros(micros);
  return timeLength == 0 ? 0 : i;
}

/** Fields of a record of OTLP. */
const TIME_FIELD: u32 = 1;
const OBSERVED_FIELD: u32 = 1 << 1;
const NUMBER_FIELD: u32 = 1 << 2;
const TEXT_FIELD: u32 = 1 << 3;
const BODY_FIELD: u32 = 1 << 4;
const ATTRIBUTES_FIELD: u32 = 1 << 5;
const TRACE_FIELD: u32 = 1 << 6;
const SPAN_FIELD: u32 = 1 << 7;
const EVENT_FIELD: u32 = 1 << 8;
const IGNORED_FIELD: u32 = 1 << 9;
const FLAGS_FIELD: u32 = 1 << 10;

/** What was read of a record of OTLP. */
let fields: u32 = 0;
let nanos: u64 = 0;
let observedNanos: u64 = 0;
let severityNumber: u32 = 0;
let severityTextAt: u32 = 0;
let severityTextLength: u32 = 0;
let traceAt: u32 = 0;
let traceLength: u32 = 0;
let spanAt: u32 = 0;
let spanLength: u32 = 0;

function clearOtlp(): void {
  clear();
  fields = 0;
  nanos = 0;
  observedNanos = 0;
  severityNumber = 0;
  severityTextLength = 0;
  traceLength = 0;
  spanLength = 0;
}

/** False when the field was there already. */
function noteField(field: u32): bool {
  if ((fields & field) != 0) return false;
  fields |= field;
  return true;
}

/** The time and severity of the record that was read; false when they aren't understood. */
function finishOtlp(): bool {
  if (messageAt == 0) return false;
  const given = nanos != 0 ? nanos : observedNanos;
  if (given != 0) {
    // 19 digits, of which the first 16 are exact.
    if (given < 1_000_000_000_000_000_000 || given > 9_000_000_000_000_000_000) return false;
    timeLength = writeMicros(given / 1_000);
    if (timeLength == 0) return false;
  }
  if (severityNumber > 0) severity = severityNumber <= 8 ? 7 : severityNumber <= 12 ? INFO : severityNumber <= 16 ? 4 : severityNumber <= 20 ? 3 : 2;
  else if (severityTextLength > 0) {
    severity = namedLevel(severityTextAt, severityTextLength);
    if (severity == NO_LEVEL) return false;
  }
  return true;
}

/** Reads the record of OTLP in JSON at `start`; returns where it ends, or 0. */
function readOtlp(start: u32): u32 {
  clearOtlp();
  countContainer();
  let i = skipSpace(start + 1);
  while (true) {
    if (load<u8>(i) != QUOTE) return stop(i);
    const key = i + 1;
    const keyEnd = skipString(key);
    if (keyEnd == 0 || hasEscape) return 0;
    const field = otlpField(key, keyEnd - key);
    if (field == 0 || !noteField(field)) return 0;
    i = skipMark(keyEnd + 1, COLON);
    if (i == 0) return 0;
    switch (field) {
      case NUMBER_FIELD:
      case FLAGS_FIELD:
      case IGNORED_FIELD: {
        const from = i;
        let value: u32 = 0;
        while (<u32>load<u8>(i) - 0x30 <= 9 && i - from < 6) value = value * 10 + load<u8>(i++) - 0x30;
        if (i == from) return stop(i);
        if (!isEndOfNumber(i) || (i - from > 1 && load<u8>(from) == 0x30)) return load<u8>(i) == 0 ? stop(i) : 0;
        if (field == NUMBER_FIELD) {
          if (value > 24) return 0;
          severityNumber = value;
        }
        break;
      }
      case BODY_FIELD:
        i = readAnyValue(i, true);
        break;
      case ATTRIBUTES_FIELD:
        i = readAttributes(i);
        break;
      default:
        i = readOtlpText(i, field);
    }
    if (i == 0) return 0;
    i = skipSpace(i);
    if (load<u8>(i) == CLOSE_BRACE) break;
    if (load<u8>(i) != COMMA) return stop(i);
    i = skipSpace(i + 1);
  }
  if (!finishOtlp() || !writeId(0x64695f6563617274, 8, traceAt, traceLength) || !writeId(0x64695f6e617073, 7, spanAt, spanLength)) return 0;
  return i + 1;
}

function otlpField(start: u32, length: u32): u32 {
  const first = firstBytes(start, length);
  const last = lastBytes(start, length);
  switch (length) {
    case 4:
      return first == 0x79646f62 ? BODY_FIELD : 0; // body
    case 5:
      return first == 0x7367616c66 ? FLAGS_FIELD : 0; // flags
    case 6:
      return first == 0x64496e617073 ? SPAN_FIELD : 0; // spanId
    case 7:
      return first == 0x64496563617274 ? TRACE_FIELD : 0; // traceId
    case 9:
      return first == 0x6d614e746e657665 && last == 0x656d614e746e6576 ? EVENT_FIELD : 0; // eventName
    case 10:
      return first == 0x7475626972747461 && last == 0x7365747562697274 ? ATTRIBUTES_FIELD : 0; // attributes
    case 12:
      if (first == 0x78696e55656d6974 && last == 0x6f6e614e78696e55) return TIME_FIELD; // timeUnixNano
      return first == 0x7974697265766573 && last == 0x7478655479746972 ? TEXT_FIELD : 0; // severityText
    case 14:
      return first == 0x7974697265766573 && last == 0x7265626d754e7974 ? NUMBER_FIELD : 0; // severityNumber
    case 20:
      if (first != 0x646576726573626f || last != 0x6f6e614e78696e55) return 0;
      return load<u32>(start, 8) == 0x656d6954 ? OBSERVED_FIELD : 0; // observedTimeUnixNano
    case 22:
      if (first != 0x41646570706f7264 || last != 0x746e756f43736574) return 0;
      return load<u64>(start, 7) == 0x7475626972747441 ? IGNORED_FIELD : 0; // droppedAttributesCount
    default:
      return 0;
  }
}

/** Reads a field whose value is a text. */
function readOtlpText(start: u32, field: u32): u32 {
  if (load<u8>(start) != QUOTE) return load<u8>(start) == 0 ? stop(start) : 0;
  const end = skipString(start + 1);
  if (end == 0 || hasEscape) return 0;
  const text = start + 1;
  const length = end - text;
  switch (field) {
    case TIME_FIELD:
    case OBSERVED_FIELD: {
      let value: u64 = 0;
      if (length == 19) {
        for (let i = text; i < end; i++) {
          const digit: u32 = <u32>load<u8>(i) - 0x30;
          if (digit > 9) return 0;
          value = value * 10 + digit;
        }
        if (value < 1_000_000_000_000_000_000) return 0;
      } else if (length != 1 || load<u8>(text) != 0x30 || field == OBSERVED_FIELD) return 0;
      if (field == TIME_FIELD) nanos = value;
      else observedNanos = value;
      break;
    }
    case TEXT_FIELD:
      severityTextAt = text;
      severityTextLength = length;
      break;
    case TRACE_FIELD:
      traceAt = text;
      traceLength = length;
      break;
    case SPAN_FIELD:
      spanAt = text;
      spanLength = length;
      break;
    default:
      if (length > WORD_BYTES_MAX || skipField(text, end) != end) return 0;
      msgidAt = text;
      msgidLength = length;
  }
  return end + 1;
}

/** Reads the attributes at `start`; returns where they end, or 0. */
function readAttributes(start: u32): u32 {
  if (load<u8>(start) != OPEN_BRACKET) return load<u8>(start) == 0 ? stop(start) : 0;
  countContainer();
  let i = skipSpace(start + 1);
  if (load<u8>(i) == CLOSE_BRACKET) return i + 1;
  while (true) {
    if (load<u8>(i) != OPEN_BRACE) return stop(i);
    countContainer();
    i = skipSpace(i + 1);
    if (load<u32>(i) != 0x79656b22 || load<u8>(i, 4) != QUOTE) return stop(i); // "key"
    i = skipMark(i + 5, COLON);
    if (i == 0) return 0;
    if (load<u8>(i) != QUOTE) return stop(i);
    const key = i + 1;
    const keyEnd = skipString(key);
    if (keyEnd == 0 || hasEscape) return 0;
    if (!isName(key, keyEnd - key) || !addKey(key, keyEnd - key, 0)) return 0;
    i = skipMark(keyEnd + 1, COMMA);
    if (i == 0) return 0;
    if (load<u32>(i) != 0x6c617622 || (load<u32>(i, 4) & 0xffffff) != 0x226575) return stop(i); // "value"
    i = skipMark(i + 7, COLON);
    if (i == 0 || !openParameter(key, keyEnd - key)) return 0;
    i = readAnyValue(i, false);
    if (i == 0 || !closeParameter()) return 0;
    i = skipSpace(i);
    if (load<u8>(i) != CLOSE_BRACE) return stop(i);
    i = skipSpace(i + 1);
    if (load<u8>(i) == CLOSE_BRACKET) return i + 1;
    if (load<u8>(i) != COMMA) return stop(i);
    i = skipSpace(i + 1);
  }
}

/** Reads an AnyValue: the message, or the value of a parameter. */
function readAnyValue(start: u32, isBody: bool): u32 {
  if (load<u8>(start) != OPEN_BRACE) return load<u8>(start) == 0 ? stop(start) : 0;
  countContainer();
  let i = skipSpace(start + 1);
  if (load<u8>(i) != QUOTE) return stop(i);
  const key = i + 1;
  const keyEnd = skipString(key);
  if (keyEnd == 0 || hasEscape) return 0;
  const length = keyEnd - key;
  const first = firstBytes(key, length);
  i = skipMark(keyEnd + 1, COLON);
  if (i == 0) return 0;
  const byte: u32 = load<u8>(i);
  if (length == 11 && first == 0x6156676e69727473 && lastBytes(key, length) == 0x65756c6156676e69) {
    // stringValue
    if (byte != QUOTE) return byte == 0 ? stop(i) : 0;
    const end = skipString(i + 1);
    if (end == 0) return 0;
    if (isBody) {
      messageAt = i + 1;
      messageLength = end - i - 1;
      isMessageEscaped = hasEscape;
    } else if (!hasRoom((end - i) * 2) || !writeText(i + 1, end)) return 0;
    i = end + 1;
  } else if (isBody) return 0;
  else if (length == 8 && first == 0x65756c6156746e69) {
    // intValue, mostly as a text
    const isText = byte == QUOTE;
    const from = isText ? i + 1 : i;
    let end = from;
    if (load<u8>(end) == DASH) end++;
    const digitsAt = end;
    while (<u32>load<u8>(end) - 0x30 <= 9) end++;
    if (end == digitsAt) return stop(end);
    if (end - digitsAt > 15 || (load<u8>(digitsAt) == 0x30 && end - from > 1) || !hasRoom(32)) return 0;
    if (isText ? load<u8>(end) != QUOTE : !isEndOfNumber(end)) return load<u8>(end) == 0 ? stop(end) : 0;
    copy(to, from, end - from);
    moveTo(to + end - from);
    i = isText ? end + 1 : end;
  } else {
    const isBool = length == 9 && first == 0x756c61566c6f6f62 && lastBytes(key, length) == 0x65756c61566c6f6f;
    const isDouble = length == 11 && first == 0x6156656c62756f64 && lastBytes(key, length) == 0x65756c6156656c62;
    if (isBool ? byte != 0x74 && byte != 0x66 : !isDouble || (byte != DASH && byte - 0x30 > 9)) return byte == 0 ? stop(i) : 0;
    i = writeValue(i);
    if (i == 0) return 0;
  }
  i = skipSpace(i);
  return load<u8>(i) == CLOSE_BRACE ? i + 1 : stop(i);
}

/** Writes an identifier that isn't empty, nor all zeros, under a name; false when that isn't possible. */
function writeId(name: u64, nameLength: u32, start: u32, length: u32): bool {
  let isSomething = false;
  for (let i = start; i < start + length; i++) if (load<u8>(i) != 0x30) isSomething = true;
  if (!isSomething) return true;
  store<u64>(nameAt, name);
  if (!addKey(nameAt, nameLength, 0) || !openParameter(nameAt, nameLength) || !hasRoom(length * 2 + 8)) return false;
  return writeText(start, start + length) && closeParameter();
}

/** Behind the time: a name that isn't in the input. */
let nameAt: u32 = 0;

export function setNameRegion(at: u32): void {
  nameAt = at;
}

// Protobuf.

/** Where `varint` reads; it sets `isBroken` when there is none. */
let cursor: u32 = 0;
let isBroken: bool = false;

function varint(end: u32): u64 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 64; shift += 7) {
    if (cursor >= end) break;
    const byte: u64 = load<u8>(cursor++);
    // The tenth byte has one bit.
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  isBroken = true;
  return 0;
}

/** Reads the length of what is behind it, and returns where that ends: not behind `end`, unless it is broken. */
function lengthEnd(end: u32): u32 {
  const length = varint(end);
  if (length > <u64>(end - cursor)) isBroken = true;
  return isBroken ? end : cursor + <u32>length;
}

/**
 * Makes lines of the `logRecords` in `[from, end)`, of a `ScopeLogs` in protobuf: stops at the first field that is another one.
 */
export function otlpRecords(from: u32, end: u32, out: u32, outEnd: u32): u32 {
  let i = from;
  let at = out;
  let count: u32 = 0;
  let why = DONE;
  let before: u32 = 0;
  beginJson();
  lineBytes = 0;
  while (i < end && load<u8>(i) == 0x12) {
    before = jsonContainers;
    if (count == linesMax) {
      why = FULL;
      break;
    }
    beginRecord(dataAt + ELEMENT_BYTES, dataAt + DATA_REGION_BYTES);
    cursor = i + 1;
    isBroken = false;
    const recordEnd = lengthEnd(end);
    if (isBroken) {
      why = CUT;
      break;
    }
    if (!readProtobuf(recordEnd)) {
      why = ODD;
      break;
    }
    const lineEnd = isDirect ? writeRecord(at, outEnd, true) : writeLine(at, outEnd, true);
    if (lineEnd <= NOT_DIRECT) {
      why = reasonOf(lineEnd);
      break;
    }
    at = lineEnd;
    count++;
    i = recordEnd;
  }
  position = i;
  produced = at;
  lines = count;
  containers = why == DONE ? jsonContainers : before;
  return why;
}

/** Reads the record between `cursor` and `end`. */
function readProtobuf(end: u32): bool {
  clearOtlp();
  countContainer();
  while (cursor < end) {
    const tag: u32 = load<u8>(cursor++);
    switch (tag) {
      case 0x09: // timeUnixNano
      case 0x59: // observedTimeUnixNano
        if (cursor + 8 > end || !noteField(tag == 0x09 ? TIME_FIELD : OBSERVED_FIELD)) return false;
        if (tag == 0x09) nanos = load<u64>(cursor);
        else observedNanos = load<u64>(cursor);
        cursor += 8;
        break;
      case 0x10: {
        // severityNumber
        const value = varint(end);
        if (isBroken || value > 24 || !noteField(NUMBER_FIELD)) return false;
        severityNumber = <u32>value;
        break;
      }
      case 0x38: // droppedAttributesCount
        varint(end);
        if (isBroken) return false;
        break;
      case 0x45: // flags
        cursor += 4;
        if (cursor > end) return false;
        break;
      case 0x2a: {
        // body
        const valueEnd = lengthEnd(end);
        if (isBroken || !noteField(BODY_FIELD) || valueEnd == cursor || load<u8>(cursor) != 0x0a) return false;
        countContainer();
        cursor++;
        const textEnd = lengthEnd(valueEnd);
        if (isBroken || textEnd != valueEnd || !isUtf8(cursor, textEnd)) return false;
        messageAt = cursor;
        messageLength = textEnd - cursor;
        cursor = textEnd;
        break;
      }
      case 0x32: {
        // attributes
        const attributeEnd = lengthEnd(end);
        if (isBroken || !readAttribute(attributeEnd)) return false;
        cursor = attributeEnd;
        break;
      }
      case 0x1a: // severityText
      case 0x4a: // traceId
      case 0x52: // spanId
      case 0x62: {
        // eventName
        const valueEnd = lengthEnd(end);
        if (isBroken) return false;
        const length = valueEnd - cursor;
        if (tag == 0x1a) {
          if (!noteField(TEXT_FIELD) || !isUtf8(cursor, valueEnd)) return false;
          severityTextAt = cursor;
          severityTextLength = length;
        } else if (tag == 0x4a) {
          if (!noteField(TRACE_FIELD)) return false;
          traceAt = cursor;
          traceLength = length;
        } else if (tag == 0x52) {
          if (!noteField(SPAN_FIELD)) return false;
          spanAt = cursor;
          spanLength = length;
        } else {
          if (!noteField(EVENT_FIELD) || length > WORD_BYTES_MAX || skipField(cursor, valueEnd) != valueEnd) return false;
          msgidAt = cursor;
          msgidLength = length;
        }
        cursor = valueEnd;
        break;
      }
      default:
        return false;
    }
  }
  return (
    finishOtlp() &&
    writeHexId(0x64695f6563617274, 8, traceAt, traceLength) &&
    writeHexId(0x64695f6e617073, 7, spanAt, spanLength)
  );
}

/** Reads the attribute between `cursor` and `end`: its key, and its value. */
function readAttribute(end: u32): bool {
  countContainer();
  if (cursor >= end || load<u8>(cursor++) != 0x0a) return false;
  const keyEnd = lengthEnd(end);
  if (isBroken) return false;
  const key = cursor;
  const keyLength = keyEnd - key;
  if (!isName(key, keyLength) || !addKey(key, keyLength, 0) || !openParameter(key, keyLength)) return false;
  cursor = keyEnd;
  if (cursor >= end || load<u8>(cursor++) != 0x12) return false;
  const valueEnd = lengthEnd(end);
  if (isBroken || valueEnd != end || cursor == valueEnd) return false;
  countContainer();
  switch (load<u8>(cursor++)) {
    case 0x0a: {
      // stringValue
      const textEnd = lengthEnd(valueEnd);
      if (isBroken || textEnd != valueEnd || !hasRoom((textEnd - cursor) * 2) || !isUtf8(cursor, textEnd)) return false;
      writeRawText(cursor, textEnd);
      break;
    }
    case 0x10: {
      // boolValue
      const value = varint(valueEnd);
      if (isBroken || cursor != valueEnd || value > 1 || !hasRoom(8)) return false;
      store<u64>(to, value == 1 ? 0x65757274 : 0x65736c6166);
      moveTo(to + (value == 1 ? 4 : 5));
      break;
    }
    case 0x18: {
      // intValue
      const value = <i64>varint(valueEnd);
      if (isBroken || cursor != valueEnd || !hasRoom(32)) return false;
      writeInteger(value);
      break;
    }
    case 0x21:
      // doubleValue
      if (cursor + 8 != valueEnd || !hasRoom(32) || !writeDouble(load<f64>(cursor))) return false;
      break;
    default:
      return false;
  }
  return closeParameter();
}

function writeInteger(value: i64): void {
  let rest = <u64>(value < 0 ? -value : value);
  let digits: u32 = 1;
  for (let more = rest / 10; more > 0; more /= 10) digits++;
  let o = to;
  if (value < 0) store<u8>(o++, DASH);
  for (let i = digits; i > 0; i--) {
    store<u8>(o + i - 1, <u32>(rest % 10) + 0x30);
    rest /= 10;
  }
  moveTo(o + digits);
}

/** Writes a number that has up to 15 digits, six of them behind the point, as `JSON.stringify` does; false for others. */
function writeDouble(value: f64): bool {
  const size = abs<f64>(value);
  if (!(size < 1e15)) return false;
  if (size == floor<f64>(size)) {
    // -0 is written as 0.
    writeInteger(<i64>value);
    return true;
  }
  let scale: u64 = 10;
  let places: u32 = 1;
  for (; places <= 6; places++) {
    const scaled = floor<f64>(size * <f64>scale + 0.5);
    if (scaled >= 1e15) return false;
    if (scaled / <f64>scale == size) {
      const whole = <u64>scaled / scale;
      if (value < 0) {
        store<u8>(to, DASH);
        moveTo(to + 1);
      }
      writeInteger(<i64>whole);
      let rest = <u64>scaled % scale;
      store<u8>(to, 0x2e);
      for (let i = places; i > 0; i--) {
        store<u8>(to + i, <u32>(rest % 10) + 0x30);
        rest /= 10;
      }
      moveTo(to + places + 1);
      return true;
    }
    scale *= 10;
  }
  return false;
}

/** Writes a text as the value of a parameter. */
function writeRawText(start: u32, end: u32): void {
  let i = start;
  let o = to;
  while (i < end) {
    const bytes = v128.load(i);
    v128.store(o, bytes);
    const brackets = v128.or(i8x16.eq(bytes, i8x16.splat(0x5c)), i8x16.eq(bytes, i8x16.splat(0x5d)));
    let found = i8x16.bitmask(v128.or(brackets, i8x16.eq(bytes, i8x16.splat(0x22))));
    const left = end - i;
    if (left < 16) found &= (1 << left) - 1;
    let length: u32 = left < 16 ? left : 16;
    if (found != 0) length = ctz<i32>(found);
    i += length;
    o += length;
    if (found == 0) continue;
    store<u8>(o, 0x5c);
    store<u8>(o, load<u8>(i++), 1);
    o += 2;
  }
  moveTo(o);
}

/** The same as `writeId`, of bytes. */
function writeHexId(name: u64, nameLength: u32, start: u32, length: u32): bool {
  let isSomething = false;
  for (let i = start; i < start + length; i++) if (load<u8>(i) != 0) isSomething = true;
  if (!isSomething) return true;
  store<u64>(nameAt, name);
  if (!addKey(nameAt, nameLength, 0) || !openParameter(nameAt, nameLength) || !hasRoom(length * 2 + 8)) return false;
  let o = to;
  for (let i = start; i < start + length; i++) {
    const byte: u32 = load<u8>(i);
    store<u8>(o, hexDigit(byte >> 4));
    store<u8>(o, hexDigit(byte & 15), 1);
    o += 2;
  }
  moveTo(o);
  return closeParameter();
}

function hexDigit(value: u32): u32 {
  return value < 10 ? 0x30 + value : 0x57 + value;
}

/** Makes lines of the plain text in `[from, end)`, one of each of its lines, the empty ones too, behind the header in the region of `head`. */
export function textLines(from: u32, end: u32, out: u32, outEnd: u32, isLast: bool): u32 {
  let i = from;
  let at = out;
  let count: u32 = 0;
  let why = DONE;
  const newlines = i8x16.splat(0x0a);
  lineBytes = 0;
  while (i < end) {
    if (count == linesMax) {
      why = FULL;
      break;
    }
    let lineEnd = i;
    for (; lineEnd < end; lineEnd += 16) {
      const found = i8x16.bitmask(i8x16.eq(v128.load(lineEnd), newlines));
      if (found == 0) continue;
      lineEnd += ctz<i32>(found);
      break;
    }
    if (lineEnd >= end) {
      if (!isLast) {
        why = CUT;
        break;
      }
      lineEnd = end;
    }
    const stopAt = lineEnd > i && load<u8>(lineEnd - 1) == RETURN ? lineEnd - 1 : lineEnd;
    const length = stopAt - i;
    if (length + headLength > FRAME_BYTES_MAX) {
      why = ODD;
      break;
    }
    const before = isDirect ? recordHeadLength : headLength;
    if (at + LINE_HEAD_BYTES + before + length > outEnd) {
      why = FULL;
      break;
    }
    const o = at + (isDirect ? RECORD_HEADER : FRAME_HEAD);
    const message = o + before;
    copy(o, isDirect ? recordHeadAt : headAt, before);
    copy(message, i, length);
    const next = isDirect
      ? closeRecord(at, message + length, headHost, headSource, headMsgid, message, headLength - recordHeadLength)
      : closeFrame(at, message + length);
    if (next == NOT_DIRECT) {
      why = INDIRECT;
      break;
    }
    at = next;
    count++;
    i = lineEnd + 1;
  }
  position = i;
  produced = at;
  lines = count;
  containers = 0;
  return why;
}
