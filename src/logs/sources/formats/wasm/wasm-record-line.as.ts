/**
 * The line of one record: what was read of it, and how it is written, as an octet-counted frame without a token, or as a record of a batch.
 * What reads records (`wasm-json-record.as.ts`, `wasm-otlp-json.as.ts`, `wasm-otlp-protobuf.as.ts`) fills it in.
 */
import { CLOSE_BRACKET, DASH, NEWLINE, QUOTE, RETURN, SPACE } from '../../../../common/wasm/wasm-ascii.as';
import { copy } from '../../../../common/wasm/wasm-common.as';
import { mayHoldToken } from '../../../syslog/wasm/wasm-header.as';
import {
  MESSAGE_BYTES_MAX,
  MSGID_BYTES_MAX,
  PROCID_BYTES_MAX,
  RECORD_HEADER,
  storeHeader,
  TIME_BYTES,
  TOKEN_TEXT_BYTES_MIN,
} from '../../../syslog/wasm/wasm-record.as';
import { beginRecord, decodeText, hasRoom, moveTo, to } from './wasm-json.as';
import { closeFrame, FRAME_BYTES_MAX, FRAME_HEAD } from './wasm-line.as';

/** Of records: bytes that their frames would have, without the counts. */
export let lineBytes: u32 = 0;

/** `[json@32473` and `[otlp@32473` have so many bytes. */
const ELEMENT_BYTES: u32 = 11;
/** Of structured data: see `structured-line.ts`. */
const DATA_BYTES_MAX: u32 = 6_000;
const DATA_REGION_BYTES: u32 = 8_000;
/** Of a header field: a longer one is cut elsewhere. */
export const WORD_BYTES_MAX: u32 = 255;
/** Of a line, besides its texts: PRI, spaces, APP-NAME. */
export const LINE_HEAD_BYTES: u32 = 64;
export const INFO: u32 = 6;

let dataAt: u32 = 0;
/** Of what stands in front of a record's own parameters: the element's name, and parameters that all have. */
let elementBytes: u32 = ELEMENT_BYTES;
let timeAt: u32 = 0;
/** In the place of PROCID when a record has none; of OTLP, HOSTNAME to PROCID; of text, all of the header. */
export let headAt: u32 = 0;
export let headLength: u32 = 0;

/** Records are written, rather than frames. */
export let isDirect: bool = false;
let sourceAt: u32 = 0;
let sourceLength: u32 = 0;
let stampedHost: u32 = 0;
let stampedHostLength: u32 = 0;
let stampedTime: u32 = 0;
/** What records have in the place of `head`, and where in it HOSTNAME, APP-NAME and MSGID begin. */
export let recordHeadAt: u32 = 0;
export let recordHeadLength: u32 = 0;
export let headHost: u32 = 0;
export let headSource: u32 = 0;
export let headMsgid: u32 = 0;

/** The record that was read last. */
let severity: u32 = INFO;
let timeLength: u32 = 0;
let hostAt: u32 = 0;
let hostLength: u32 = 0;
let dynoAt: u32 = 0;
let dynoLength: u32 = 0;
let msgidAt: u32 = 0;
let msgidLength: u32 = 0;
export let messageAt: u32 = 0;
let messageLength: u32 = 0;
let isMessageEscaped: bool = false;

/** Where everything is: regions of the caller. `data` begins with the name of the element. */
export function setUpRecord(data: u32, time: u32, head: u32): void {
  dataAt = data;
  timeAt = time;
  headAt = head;
}

/** How long what the region of `data` begins with is. */
export function setElement(length: u32): void {
  elementBytes = length;
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

/** What is written from now on. */
export function setRecordForm(direct: bool, sourceBytes: u32, hostBytes: u32): void {
  isDirect = direct;
  sourceLength = sourceBytes;
  stampedHostLength = hostBytes;
}

/** A call begins. */
export function beginLines(): void {
  lineBytes = 0;
}

/** A record begins: nothing is read of it. */
export function beginLine(): void {
  beginRecord(dataAt + elementBytes, dataAt + DATA_REGION_BYTES);
}

/** Forgets the record before. */
export function clear(): void {
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

export function setSeverity(value: u32): void {
  severity = value;
}

/** Its time has so many bytes, in the region of the time. */
export function setTimeLength(length: u32): void {
  timeLength = length;
}

export function setHost(at: u32, length: u32): void {
  hostAt = at;
  hostLength = length;
}

export function setDyno(at: u32, length: u32): void {
  dynoAt = at;
  dynoLength = length;
}

export function setMsgid(at: u32, length: u32): void {
  msgidAt = at;
  msgidLength = length;
}

/** @param isEscaped it is the text of a string of JSON, with backslashes */
export function setMessage(at: u32, length: u32, isEscaped: bool): void {
  messageAt = at;
  messageLength = length;
  isMessageEscaped = isEscaped;
}

/** Writes ` name="` for the key at `start`; false when there is no room. */
export function openParameter(start: u32, length: u32): bool {
  if (!hasRoom(length + 8)) return false;
  store<u8>(to, SPACE);
  copy(to + 1, start, length);
  store<u16>(to + 1 + length, 0x223d);
  moveTo(to + length + 3);
  return true;
}

export function closeParameter(): bool {
  if (!hasRoom(8)) return false;
  store<u8>(to, QUOTE);
  moveTo(to + 1);
  return true;
}

/** What `writeLine` and `writeRecord` return instead of an end: there is no room, it isn't understood after all, a frame is needed. */
export const NO_ROOM: u32 = 0;
export const NOT_UNDERSTOOD: u32 = 1;
export const NOT_DIRECT: u32 = 2;

/** Writes the line of the record that was read, in the form that is wanted; returns the new end, or one of the others. */
export function writeLineOf(at: u32, outEnd: u32, isOtlp: bool): u32 {
  return isDirect ? writeRecord(at, outEnd, isOtlp) : writeLine(at, outEnd, isOtlp);
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
export function closeRecord(at: u32, end: u32, host: u32, source: u32, msgid: u32, message: u32, more: u32): u32 {
  const text = at + RECORD_HEADER;
  if (end - message > MESSAGE_BYTES_MAX) return NOT_DIRECT;
  if (end - message >= 3 && load<u8>(message) == 0xef && load<u16>(message, 1) == 0xbfbb) return NOT_DIRECT;
  if (end - message >= 8 && load<u64>(message) == 0x6361726c6961745b) return NOT_DIRECT; // [tailrac
  storeHeader(at, end - text, host, source, msgid, message - text);
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
