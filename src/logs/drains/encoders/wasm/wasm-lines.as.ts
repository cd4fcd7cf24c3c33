/**
 * The WebAssembly fast path of drains' encoders. Compiled by `npm run build:wasm` (AssemblyScript) into `wasm-lines-binary.ts`; what it
 * does is defined by `../line-template.ts`, and a line that it doesn't support is left to that.
 *
 * Memory is laid out by the caller (`wasm-lines.ts`). Reads and writes may run over the end of a region by up to 63 bytes.
 */
import { DASH, SPACE } from '../../../../common/wasm/wasm-ascii.as';
import { copy } from '../../../../common/wasm/wasm-common.as';
import { splat } from '../../../../common/wasm/wasm-splat.as';
import { ASK, levelOf } from '../../../syslog/wasm/wasm-level.as';
import {
  hostOffset,
  messageOffset,
  msgidOffset,
  RECORD_HEADER,
  sourceOffset,
  textLength,
} from '../../../syslog/wasm/wasm-record.as';
import { putEscaped, putPlain } from './wasm-put.as';

/** Where it stopped in the input, where the output ends, how many lines are in it. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;
/** Groups that have lines in the output: their numbers are in the list `order`, in the order of their first lines. */
export let groups: u32 = 0;
/** Where the time is, and with `UNKNOWN_HEADER` which level, that `encode` stopped at. */
export let askedAt: u32 = 0;
export let askedLevel: u32 = 0;

/** As {@link copy}, which is called for what is longer than most pieces alone. */
// @ts-ignore: decorator of AssemblyScript
@inline
function copyPiece(to: u32, from: u32, length: u32): void {
  v128.store(to, v128.load(from));
  if (length <= 16) return;
  v128.store(to, v128.load(from, 16), 16);
  if (length > 32) copy(to + 32, from + 32, length - 32);
}

/** All lines were written. */
const DONE: u32 = 0;
/** The line at `position` is not supported. */
const UNUSUAL: u32 = 1;
/** There is no space for the line at `position`. */
const FULL: u32 = 2;
/** What goes around its fields isn't known: `rememberHeader`. */
const UNKNOWN_HEADER: u32 = 3;
/** The minute isn't known: `rememberMinute`. */
const UNKNOWN_MINUTE: u32 = 4;
/** Its level has to be found, and `encode` be called again with it. */
const UNKNOWN_LEVEL: u32 = 5;

/** `- - `: neither MSGID nor structured data. */
const NOTHING: u32 = 0x202d202d;

/** How times are written. */
const TIME_TEXT: u32 = 0;
const TIME_NANOSECONDS: u32 = 1;
const TIME_FIXED64: u32 = 2;
const TIME_SIX_DIGITS: u32 = 3;
/** How a line begins. */
const COUNTED: u32 = 1;
const PROTOBUF: u32 = 2;

/** An entry of the cache of headers: what it is of, the pieces' lengths, the key, the pieces. */
const SLOT_BYTES: u32 = 1_024;
const SLOTS: u32 = 2_048;
/** How such lines are written: pieces and fields one behind the other, or as they are stored but for what is between time and message, or all. */
const MANNER_AT: u32 = 24;
const AS_PIECES: u32 = 0;
const AS_STORED_BUT_FIELDS: u32 = 1;
const AS_STORED: u32 = 2;
const KEY_AT: u32 = 32;
const KEY_MAX: u32 = 224;
/** What is around a line's time and message, put together of pieces and parts ({@link compose}): in which form, where it is, the lengths. */
const FORM_AT: u32 = 256;
const COMPOSED_AT: u32 = 260;
const COMPOSED_PRE: u32 = 262;
const COMPOSED_MID: u32 = 264;
const COMPOSED_END: u32 = 266;
const PIECES_AT: u32 = 272;
const PIECES_MAX: u32 = 736;
/** An entry of the cache of minutes: 16 bytes of the time, its offset, seconds since 1970, 1 for readable and 2 for not. */
const MINUTE_BYTES: u32 = 48;
const MINUTES: u32 = 64;
/** An entry of the table of groups: when it was used, its first and last run, its bytes. */
const GROUP_BYTES: u32 = 16;
const RUN_BYTES: u32 = 12;
/** A line's fields that aren't escaped take this many times their bytes at the most. */
const ESCAPED_MAX: u32 = 6;

let slotTable: u32 = 0;
let minuteTable: u32 = 0;
let groupTable: u32 = 0;
let runTable: u32 = 0;
let runsMax: u32 = 0;
let orderList: u32 = 0;

/** The form of the lines. */
let scope: u32 = 0;
let timeMode: u32 = 0;
let escaped: bool = false;
let prefix: u32 = 0;
let numbered: bool = false;
let messageFirst: bool = false;
let withoutData: bool = false;
let breakable: bool = false;
let grouped: bool = false;
let leveled: bool = false;
/** Lines with structured data of OTLP are left alone. */
let withoutOtlp: bool = false;
let head: u32 = 0;
let headLength: u32 = 0;
let head2Length: u32 = 0;
let midLength: u32 = 0;
let tailLength: u32 = 0;
const PART_BYTES: u32 = 512;
/** `>1 `, behind a priority. */
const PREFIX_END = memory.data<u8>([0x3e, 0x31, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** The run that is being written, and which call it is. */
let runs: u32 = 0;
let lastGroup: u32 = 0;
let generation: u32 = 0;
/** Of the time that was read: seconds since 1970 in minutes, seconds, the fraction. */
let minuteAt: u32 = 0;
/** The last priority: the 8 bytes that it begins, and of them those in front of the time; 0 for none. */
let prefixBytes: u64 = 0;
let prefixLength: u32 = 0;
let prefixPriority: u32 = 0;
/** It is written as it would be anew. */
let isPrefixPlain: bool = false;
/** Lines may be written as they are stored: nothing goes around their fields that isn't there. */
let mayBeAsStored: bool = false;
/** Lines without structured data are written between what is composed for their header. */
let mayBeComposed: bool = false;
/** Which call of {@link begin} told the parts; 0 is none. */
let form: u32 = 0;
/** Of the line whose header was asked for: where its text, its time and its HOSTNAME begin, and its structured data, or without any its message. */
let askedText: u32 = 0;
let askedTime: u32 = 0;
let askedHost: u32 = 0;
let askedEnd: u32 = 0;
let fractionAt: u32 = 0;
let fractionLength: u32 = 0;
let slotAt: u32 = 0;

export function setUp(slots: u32, minutes: u32, group: u32, run: u32, runMax: u32, order: u32): void {
  slotTable = slots;
  minuteTable = minutes;
  groupTable = group;
  runTable = run;
  runsMax = runMax;
  orderList = order;
}

/** The form of the lines that are encoded next; its four parts are at `parts`, {@link PART_BYTES} apart. */
export function begin(
  scopeNumber: u32,
  time: u32,
  escape: bool,
  front: u32,
  flags: u32,
  parts: u32,
  partHead: u32,
  partHead2: u32,
  partMid: u32,
  partTail: u32,
): void {
  scope = scopeNumber;
  timeMode = time;
  escaped = escape;
  prefix = front;
  numbered = (flags & 1) != 0;
  messageFirst = (flags & 2) != 0;
  withoutData = (flags & 4) != 0;
  breakable = (flags & 8) != 0;
  grouped = (flags & 16) != 0;
  leveled = (flags & 32) != 0;
  withoutOtlp = (flags & 64) != 0;
  head = parts;
  headLength = partHead;
  head2Length = partHead2;
  midLength = partMid;
  tailLength = partTail;
  if (++form == 0) forgetComposed();
  mayBeComposed = prefix == PROTOBUF || (escaped && timeMode != TIME_SIX_DIGITS);
  mayBeAsStored =
    !escaped && prefix != PROTOBUF && !numbered && !messageFirst && timeMode != TIME_NANOSECONDS && headLength + midLength == 0;
}

/** The output is empty: nothing is in any group. */
export function clear(): void {
  runs = 0;
  groups = 0;
  generation++;
}

/**
 * Encodes `count` records from `from` on to `out` and on, the first with the number `index`.
 * @param level of the first record, when it was asked for; else 255
 */
export function encode(from: u32, count: u32, out: u32, outEnd: u32, index: u32, level: u32): u32 {
  let i = from;
  let at = out;
  let why = DONE;
  let line: u32 = 0;
  for (; line < count; line++) {
    const length = textLength(i);
    const text = i + RECORD_HEADER;
    const host = text + hostOffset(i);
    const source = text + sourceOffset(i);
    const msgid = text + msgidOffset(i);
    const message = text + messageOffset(i);
    const end = text + length;
    if (at + (end - host) * ESCAPED_MAX + 4 * PART_BYTES + SLOT_BYTES > outEnd) {
      why = FULL;
      break;
    }
    // `<190>1 `: mostly the same as in the line before, with the first digit of the year.
    let time = text + prefixLength;
    const first = load<u64>(text);
    if (first != prefixBytes || prefixLength == 0) {
      prefixPriority = <u32>load<u8>(text, 1) - 0x30;
      time = text + 2;
      for (let byte: u32 = load<u8>(time); byte != 0x3e; byte = load<u8>(++time))
        prefixPriority = prefixPriority * 10 + byte - 0x30;
      while (time < host && load<u8>(time) != SPACE) time++;
      time++;
      isPrefixPlain = isEqual(text + 1 + digitsOf(prefixPriority), <u32>PREFIX_END, 3) && load<u8>(text, 1) != 0x30;
      prefixBytes = first;
      prefixLength = time - text <= 8 && load<u8>(time - 1) == SPACE ? time - text : 0;
    }
    const priority = prefixPriority;
    const found = findMinute(time, host - 1);
    if (found != DONE) {
      why = found;
      break;
    }
    // The level.
    let lineLevel: u32 = 0;
    if (leveled) {
      const severity = priority & 7;
      if (severity <= 3) lineLevel = 0;
      else if (severity == 4) lineLevel = 1;
      else if (severity == 7) lineLevel = 3;
      else {
        lineLevel = level != ASK ? level : levelOf(message, end);
        if (lineLevel == ASK) {
          why = UNKNOWN_LEVEL;
          break;
        }
      }
    }
    // Structured data: mostly there are none, nor a MSGID.
    let data = msgid + 2;
    const dataEnd = message - 1;
    let hasData = false;
    if (message != msgid + 4 || load<u32>(msgid) != NOTHING) {
      data = msgid;
      while (data < message && load<u8>(data) != SPACE) data++;
      data++;
      if (data > dataEnd) {
        why = UNUSUAL;
        break;
      }
      hasData = !withoutData && !(dataEnd == data + 1 && load<u8>(data) == DASH);
    }
    // [otlp@32473 and a space
    if (withoutOtlp && load<u64>(data) == 0x323340706c746f5b && load<u32>(data, 8) == 0x20333734) {
      why = UNUSUAL;
      break;
    }
    const slot = findSlot(
      host,
      data - host,
      (priority << 8) | (lineLevel << 1) | (hasData ? 1 : 0),
      load<u8>(msgid - 2),
    );
    if (slot == 0) {
      why = data - host > KEY_MAX ? UNUSUAL : UNKNOWN_HEADER;
      askedLevel = lineLevel;
      askedText = text;
      askedTime = time;
      askedHost = host;
      askedEnd = hasData ? data : message;
      break;
    }
    let next: u32 = 0;
    if (mayBeComposed && !hasData && isComposed(slot))
      next = prefix == PROTOBUF
        ? putComposedProtobuf(at, slot, message, end)
        : prefix == COUNTED || numbered
        ? putBegun(at, slot, time, host - 1, message, end, index + line)
        : putComposed(at, slot, time, host - 1, message, end);
    else {
      const c0 = <u32>load<u16>(slot, 16);
      const c1 = <u32>load<u16>(slot, 18);
      const c2 = <u32>load<u16>(slot, 20);
      const c3 = <u32>load<u16>(slot, 22);
      if (c0 == LEFT_ALONE || (!escaped && prefix != PROTOBUF && message == end)) {
        why = UNUSUAL;
        break;
      }
      const pieces = slot + PIECES_AT;
      const manner: u32 =
        mayBeAsStored && isPrefixPlain && (timeMode == TIME_TEXT || fractionLength <= 6) ? load<u8>(slot, MANNER_AT) : AS_PIECES;
      next = manner == AS_STORED
        ? putTail(putCount(at, end - text + tailLength), text, end)
        : manner == AS_STORED_BUT_FIELDS
        ? putStored(at, text, host - 1, hasData ? data : message, end, pieces + c0, c1)
        : prefix == PROTOBUF
          ? putProtobuf(at, data, dataEnd, message, end, hasData, pieces, c1, c2)
          : putText(at, time, host - 1, data, dataEnd, message, end, hasData, pieces, c0, c1, c2, c3, index + line);
    }
    if (next == 0) {
      why = UNUSUAL;
      break;
    }
    if (grouped && !addToGroup(load<u32>(slot, 12), at, next)) {
      why = FULL;
      break;
    }
    at = next;
    i = end;
    level = ASK;
  }
  position = i;
  produced = at;
  lines = line;
  return why;
}

/** A frame's length in front of it, if frames have one. */
// @ts-ignore: decorator of AssemblyScript
@inline
function putCount(at: u32, length: u32): u32 {
  if (prefix != COUNTED) return at;
  const digits = digitsOf(length);
  putDigits(at, digits, length);
  store<u8>(at + digits, SPACE);
  return at + digits + 1;
}

/** A line as it is stored, but for `c1` between its time and `fields`, where its structured data begin, or without any its message. */
function putStored(start: u32, text: u32, timeEnd: u32, fields: u32, end: u32, c1: u32, c1Length: u32): u32 {
  const timeLength = timeEnd - text;
  let o = putCount(start, timeLength + c1Length + (end - fields) + tailLength);
  copyPiece(o, text, timeLength);
  o += timeLength;
  copyPiece(o, c1, c1Length);
  return putTail(o + c1Length, fields, end);
}

/** What is stored up to the end of a line, and what is behind each line. */
function putTail(at: u32, from: u32, end: u32): u32 {
  const o = putPlain(at, from, end, breakable);
  if (o == 0) return 0;
  copyPiece(o, head + 3 * PART_BYTES, tailLength);
  return o + tailLength;
}

/** Is there something composed of the slot's pieces and the parts of now? */
// @ts-ignore: decorator of AssemblyScript
@inline
function isComposed(slot: u32): bool {
  return (load<u32>(slot, FORM_AT) == form || compose(slot)) && load<u16>(slot, COMPOSED_AT) != 0;
}

/**
 * Composes what is in front of the time, between it and the message, and behind the message, of lines without structured data: `head c0`
 * (what is behind the number, if lines have one), `mid c1` and `c2 tail`. In protobuf the time is in front of all. What doesn't fit isn't
 * composed.
 */
function compose(slot: u32): bool {
  store<u32>(slot, form, FORM_AT);
  store<u16>(slot, 0, COMPOSED_AT);
  const c0 = <u32>load<u16>(slot, 16);
  if (c0 == LEFT_ALONE) return true;
  const c1 = <u32>load<u16>(slot, 18);
  const c2 = <u32>load<u16>(slot, 20);
  const isProtobuf = prefix == PROTOBUF;
  const frontLength = numbered ? head2Length : headLength;
  const pre = isProtobuf ? 0 : frontLength + c0;
  const mid = isProtobuf ? c1 : midLength + c1;
  const pieces = slot + PIECES_AT;
  const at = PIECES_AT + c0 + c1 + c2 + load<u16>(slot, 22);
  if (at + pre + mid + c2 + tailLength + 16 > SLOT_BYTES) return true;
  let o = slot + at;
  if (!isProtobuf) {
    o = putPiece(o, numbered ? head + PART_BYTES : head, frontLength);
    o = putPiece(o, pieces, c0);
    o = putPiece(o, head + 2 * PART_BYTES, midLength);
  }
  o = putPiece(o, pieces + c0, c1);
  o = putPiece(o, pieces + c0 + c1, c2);
  putPiece(o, head + 3 * PART_BYTES, tailLength);
  store<u16>(slot, at, COMPOSED_AT);
  store<u16>(slot, pre, COMPOSED_PRE);
  store<u16>(slot, mid, COMPOSED_MID);
  store<u16>(slot, c2 + tailLength, COMPOSED_END);
  return true;
}

/** The number of the form begins anew. */
function forgetComposed(): void {
  for (let slot: u32 = 0; slot < SLOTS; slot++) store<u32>(slotTable + slot * SLOT_BYTES, 0, FORM_AT);
  form = 1;
}

function putPiece(at: u32, from: u32, length: u32): u32 {
  copy(at, from, length);
  return at + length;
}

/** Copies 64 bytes at a time, up to 63 more than asked; nothing is there that isn't written again. */
// @ts-ignore: decorator of AssemblyScript
@inline
function copyBlocks(to: u32, from: u32, length: u32): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  if (length <= 32) return;
  let i: u32 = 32;
  do {
    v128.store(to + i, v128.load(from + i));
    v128.store(to + i, v128.load(from + i, 16), 16);
    v128.store(to + i, v128.load(from + i, 32), 32);
    v128.store(to + i, v128.load(from + i, 48), 48);
    i += 64;
  } while (i < length);
}

/** What is composed for a header, from `start` on: around the time `[time, timeEnd)` and the message `[message, end)`. */
// @ts-ignore: decorator of AssemblyScript
@inline
function putBetween(start: u32, slot: u32, time: u32, timeEnd: u32, message: u32, end: u32): u32 {
  const composed = slot + load<u16>(slot, COMPOSED_AT);
  const pre = <u32>load<u16>(slot, COMPOSED_PRE);
  const mid = <u32>load<u16>(slot, COMPOSED_MID);
  copyPiece(start, composed, pre);
  let o = start + pre;
  if (timeMode == TIME_NANOSECONDS) o = putNanoseconds(o);
  else {
    copyPiece(o, time, timeEnd - time);
    o += timeEnd - time;
  }
  copyBlocks(o, composed + pre, mid);
  o = putEscaped(o + mid, message, end);
  if (o == 0) return 0;
  const length = <u32>load<u16>(slot, COMPOSED_END);
  copyPiece(o, composed + pre + mid, length);
  return o + length;
}

/** A line between what is composed for its header. */
function putComposed(start: u32, slot: u32, time: u32, timeEnd: u32, message: u32, end: u32): u32 {
  return putBetween(start, slot, time, timeEnd, message, end);
}

/** As {@link putComposed}, with what lines of some forms begin with: a frame's length, or the head and the line's number. */
function putBegun(start: u32, slot: u32, time: u32, timeEnd: u32, message: u32, end: u32, index: u32): u32 {
  let guessed: u32 = 0;
  let begin = start;
  if (prefix == COUNTED) {
    const around = <u32>load<u16>(slot, COMPOSED_PRE) + load<u16>(slot, COMPOSED_MID) + load<u16>(slot, COMPOSED_END);
    guessed = digitsOf(around + (timeEnd - time) + (end - message));
    begin += guessed + 1;
  }
  let o = begin;
  if (numbered) {
    copyPiece(o, head, headLength);
    o = putNumber(o + headLength, index);
  }
  o = putBetween(o, slot, time, timeEnd, message, end);
  return o != 0 && prefix == COUNTED ? putGuessedCount(start, guessed, begin, o) : o;
}

/** The length of the line `[begin, end)` in front of it, at `start`, where there is room for so many digits and a space. @returns the new end */
function putGuessedCount(start: u32, guessed: u32, begin: u32, end: u32): u32 {
  const length = end - begin;
  const digits = digitsOf(length);
  if (digits != guessed) memory.copy(start + digits + 1, begin, length);
  store<u8>(start + digits, SPACE);
  putDigits(start, digits, length);
  return start + digits + 1 + length;
}

/** The beginning of a LogRecord: its length, its time, what is between that and its body (`c1` bytes), and the body. `behind` bytes follow. 0: there is no room. */
// @ts-ignore: decorator of AssemblyScript
@inline
function putProtobufBody(start: u32, pieces: u32, c1: u32, message: u32, end: u32, behind: u32): u32 {
  const textLength = end - message;
  const bodyLength = 1 + varintSize(textLength) + textLength;
  let o = start;
  store<u8>(o, 0x12);
  o = putVarint(o + 1, 9 + c1 + 1 + varintSize(bodyLength) + bodyLength + behind);
  store<u8>(o, 0x09);
  store<u64>(o + 1, nanoseconds());
  o += 9;
  copyPiece(o, pieces, c1);
  o += c1;
  store<u8>(o, 0x2a);
  o = putVarint(o + 1, bodyLength);
  store<u8>(o, 0x0a);
  return put(putVarint(o + 1, textLength), message, end);
}

/** As {@link putProtobuf}, of a line without structured data. */
function putComposedProtobuf(start: u32, slot: u32, message: u32, end: u32): u32 {
  const composed = slot + load<u16>(slot, COMPOSED_AT);
  const c1 = <u32>load<u16>(slot, COMPOSED_MID);
  const behind = <u32>load<u16>(slot, COMPOSED_END);
  const o = putProtobufBody(start, composed, c1, message, end, behind);
  if (o == 0) return 0;
  copyBlocks(o, composed + c1, behind);
  return o + behind;
}

function putText(
  start: u32,
  time: u32,
  timeEnd: u32,
  data: u32,
  dataEnd: u32,
  message: u32,
  end: u32,
  hasData: bool,
  pieces: u32,
  c0: u32,
  c1: u32,
  c2: u32,
  c3: u32,
  index: u32,
): u32 {
  // A frame's length goes in front of it: its digits are guessed.
  let guessed: u32 = 0;
  let o = start;
  if (prefix == COUNTED) {
    guessed = digitsOf(c0 + c1 + c2 + c3 + (timeEnd - time) + (end - message) + headLength + 8);
    o += guessed + 1;
  }
  const begin = o;
  copyPiece(o, head, headLength);
  o += headLength;
  if (numbered) {
    o = putNumber(o, index);
    copyPiece(o, head + PART_BYTES, head2Length);
    o += head2Length;
  }
  copyPiece(o, pieces, c0);
  o += c0;
  if (timeMode == TIME_NANOSECONDS) o = putNanoseconds(o);
  else if (timeMode == TIME_SIX_DIGITS && fractionLength > 6) {
    copy(o, time, fractionAt + 6 - time);
    o += fractionAt + 6 - time;
    copy(o, fractionAt + fractionLength, timeEnd - fractionAt - fractionLength);
    o += timeEnd - fractionAt - fractionLength;
  } else {
    copyPiece(o, time, timeEnd - time);
    o += timeEnd - time;
  }
  copyPiece(o, head + 2 * PART_BYTES, midLength);
  o += midLength;
  copyPiece(o, pieces + c0, c1);
  o += c1;
  if (messageFirst || !hasData) o = put(o, message, end);
  else o = put(o, data, dataEnd);
  if (o == 0) return 0;
  copyPiece(o, pieces + c0 + c1, c2);
  o += c2;
  if (hasData) {
    if (messageFirst) o = put(o, data, dataEnd);
    else o = put(o, message, end);
    if (o == 0) return 0;
    copyPiece(o, pieces + c0 + c1 + c2, c3);
    o += c3;
  }
  copyPiece(o, head + 3 * PART_BYTES, tailLength);
  o += tailLength;
  return prefix == COUNTED ? putGuessedCount(start, guessed, begin, o) : o;
}

/**
 * A LogRecord of OpenTelemetry's logs.proto, as one of a ScopeLogs' records (2): `c1` is what comes between its time and its body, `c2`
 * the attributes but for structured data; the last part is what comes behind.
 */
function putProtobuf(
  start: u32,
  data: u32,
  dataEnd: u32,
  message: u32,
  end: u32,
  hasData: bool,
  pieces: u32,
  c1: u32,
  c2: u32,
): u32 {
  const dataLength = dataEnd - data;
  const valueLength = 1 + varintSize(dataLength) + dataLength;
  const attributeLength = midLength + 1 + varintSize(valueLength) + valueLength;
  let behind = c2 + tailLength;
  if (hasData) behind += 1 + varintSize(attributeLength) + attributeLength;
  let o = putProtobufBody(start, pieces, c1, message, end, behind);
  if (o == 0) return 0;
  copyPiece(o, pieces + c1, c2);
  o += c2;
  if (hasData) {
    store<u8>(o, 0x32);
    o = putVarint(o + 1, attributeLength);
    // The key.
    copyPiece(o, head + 2 * PART_BYTES, midLength);
    o += midLength;
    store<u8>(o, 0x12);
    o = putVarint(o + 1, valueLength);
    store<u8>(o, 0x0a);
    o = put(putVarint(o + 1, dataLength), data, dataEnd);
    if (o == 0) return 0;
  }
  copyPiece(o, head + 3 * PART_BYTES, tailLength);
  return o + tailLength;
}

/** A line of `length` bytes was written to `at` by the caller. False when there are too many runs. */
export function place(group: u32, at: u32, length: u32): bool {
  return !grouped || addToGroup(group, at, at + length);
}

function addToGroup(group: u32, start: u32, end: u32): bool {
  const entry = groupTable + group * GROUP_BYTES;
  const isNew = load<u32>(entry) != generation;
  if (!isNew && runs > 0 && lastGroup == group) {
    const run = runTable + load<u32>(entry, 8) * RUN_BYTES;
    store<u32>(run, end, 4);
  } else {
    if (runs == runsMax) return false;
    const run = runTable + runs * RUN_BYTES;
    store<u32>(run, start);
    store<u32>(run, end, 4);
    store<u32>(run, 0xffffffff, 8);
    if (isNew) {
      store<u32>(entry, generation);
      store<u32>(entry, runs, 4);
      store<u32>(entry, 0, 12);
      store<u32>(orderList + groups * 4, group);
      groups++;
    } else store<u32>(runTable + load<u32>(entry, 8) * RUN_BYTES, runs, 8);
    store<u32>(entry, runs, 8);
    lastGroup = group;
    runs++;
  }
  store<u32>(entry, load<u32>(entry, 12) + end - start, 12);
  return true;
}

export function bytesOf(group: u32): u32 {
  return load<u32>(groupTable + group * GROUP_BYTES, 12);
}

/** Copies the lines of a group to `to`, one behind the other. */
export function gather(group: u32, to: u32): void {
  let run = load<u32>(groupTable + group * GROUP_BYTES, 4);
  let o = to;
  while (run != 0xffffffff) {
    const entry = runTable + run * RUN_BYTES;
    const start = load<u32>(entry);
    const length = load<u32>(entry, 4) - start;
    // Mostly one line or a few, longer than most pieces.
    for (let i: u32 = 0; i < length; i += 64) {
      v128.store(o + i, v128.load(start + i));
      v128.store(o + i, v128.load(start + i, 16), 16);
      v128.store(o + i, v128.load(start + i, 32), 32);
      v128.store(o + i, v128.load(start + i, 48), 48);
    }
    o += length;
    run = load<u32>(entry, 8);
  }
}

/** Where the header of the record at `position` is kept from now on: `rememberHeader` fills it in. */
export function headerSlot(): u32 {
  return slotAt + PIECES_AT;
}

/** `c0` of lines that are left alone. */
const LEFT_ALONE: u32 = 0xffff;

/** The pieces are at `headerSlot`; with `c0` {@link LEFT_ALONE} such lines are left alone. */
export function rememberHeader(group: u32, c0: u32, c1: u32, c2: u32, c3: u32): void {
  store<u32>(slotAt, scope);
  store<u32>(slotAt, 0, FORM_AT);
  store<u32>(slotAt, group, 12);
  store<u16>(slotAt, c0, 16);
  store<u16>(slotAt, c1, 18);
  store<u16>(slotAt, c2, 20);
  store<u16>(slotAt, c3, 22);
  const pieces = slotAt + PIECES_AT;
  // Behind structured data comes a space.
  const hasData: bool = (load<u32>(slotAt, 8) & 1) != 0;
  const isAsStored: bool =
    c0 == askedTime - askedText &&
    c2 == (hasData ? 1 : 0) &&
    (c2 == 0 || load<u8>(pieces + c0 + c1) == SPACE) &&
    c3 == 0 &&
    isEqual(pieces, askedText, c0);
  const hasFields: bool = c1 == askedEnd - askedHost + 1 && isEqual(pieces + c0, askedHost - 1, c1);
  store<u8>(slotAt, !isAsStored ? AS_PIECES : hasFields ? AS_STORED : AS_STORED_BUT_FIELDS, MANNER_AT);
}

/** The entries that were found last, by a byte of the key: what is guessed doesn't wait for the hash. */
const GUESSES = memory.data(64);

/**
 * The entry of a header; 0 when there is none: then its place is made ready.
 * @param hint a byte of it that differs between headers that alternate
 */
function findSlot(key: u32, length: u32, kind: u32, hint: u32): u32 {
  slotAt = 0;
  if (length > KEY_MAX) return 0;
  const guess = <u32>GUESSES + ((hint & 15) << 2);
  const guessed = load<u32>(guess);
  if (guessed != 0 && isOf(guessed, key, length, kind)) return guessed;
  // Two products at a time: neither waits for the other.
  let hash: u64 = (<u64>scope << 32) ^ kind ^ (<u64>length << 56);
  let other: u64 = 0x94d049bb133111eb;
  let i: u32 = 0;
  for (; i + 16 <= length; i += 16) {
    hash = (hash ^ load<u64>(key + i)) * 0x9e3779b97f4a7c15;
    other = (other ^ load<u64>(key + i, 8)) * 0xbf58476d1ce4e5b9;
    hash ^= hash >> 29;
    other ^= other >> 32;
  }
  if (i + 8 <= length) {
    other = (other ^ load<u64>(key + i)) * 0xbf58476d1ce4e5b9;
    other ^= other >> 32;
    i += 8;
  }
  const rest = length - i;
  if (rest > 0) hash ^= load<u64>(key + i) & ((<u64>1 << (rest * 8)) - 1);
  hash = (hash ^ other) * 0xbf58476d1ce4e5b9;
  hash ^= hash >> 32;
  const slot = slotTable + (<u32>hash & (SLOTS - 1)) * SLOT_BYTES;
  if (isOf(slot, key, length, kind)) {
    store<u32>(guess, slot);
    return slot;
  }
  slotAt = slot;
  // Nobody's, until it is filled in.
  store<u32>(slot, 0);
  store<u32>(slot, length, 4);
  store<u32>(slot, kind, 8);
  copy(slot + KEY_AT, key, length);
  return 0;
}

/** Is the entry at `slot` of this header? */
// @ts-ignore: decorator of AssemblyScript
@inline
function isOf(slot: u32, key: u32, length: u32, kind: u32): bool {
  const difference = (load<u32>(slot) ^ scope) | (load<u32>(slot, 4) ^ length) | (load<u32>(slot, 8) ^ kind);
  return difference == 0 && isEqual(slot + KEY_AT, key, length);
}

function isEqual(a: u32, b: u32, length: u32): bool {
  let i: u32 = 0;
  for (; i + 16 <= length; i += 16)
    if (i8x16.bitmask(i8x16.eq(v128.load(a + i), v128.load(b + i))) != 0xffff) return false;
  const rest = length - i;
  if (rest == 0) return true;
  const mask: i32 = (1 << rest) - 1;
  return (i8x16.bitmask(i8x16.eq(v128.load(a + i), v128.load(b + i))) & mask) == mask;
}

/** No time has this length: HOST begins within 255 bytes. */
const NO_TIME: u32 = 256;
/** The time that was read last, up to its fraction, of which shape it was, and what is behind the fraction: most lines are of the same second. */
const LAST_TIME = memory.data(32);
let lastTimeLength: u32 = NO_TIME;
let lastOffset: u64 = 0;
let offsetMask: u64 = 0;

/** Is the time `[at, end)` that of the line before, but for the digits of the fraction? */
// @ts-ignore: decorator of AssemblyScript
@inline
function isSameSecond(at: u32, end: u32): bool {
  // All of it at once: there is one branch then.
  const others: u32 = i8x16.bitmask(i8x16.gt_u(i8x16.sub(v128.load(at, 20), splat(0x30)), splat(9)));
  const same: u32 = i8x16.bitmask(i8x16.eq(v128.load(at), v128.load(<u32>LAST_TIME)));
  const shape = (end - at) ^ lastTimeLength | (same ^ 0xffff) | (load<u32>(at, 16) ^ load<u32>(<u32>LAST_TIME, 16)) | (others ^ lastOthers);
  return (((load<u64>(at + 20 + lastLength) & offsetMask) ^ lastOffset) | <u64>shape) == 0;
}

/** Reads the time `[at, end)`, of a minute that is known. */
function findMinute(at: u32, end: u32): u32 {
  if (isSameSecond(at, end)) {
    fractionAt = at + 20;
    return DONE;
  }
  lastTimeLength = NO_TIME;
  const found = readTime(at, end);
  if (found != DONE || fractionLength == 0) return found;
  v128.store(<u32>LAST_TIME, v128.load(at));
  store<u32>(<u32>LAST_TIME, load<u32>(at, 16), 16);
  const i = fractionAt + fractionLength;
  offsetMask = end - i == 1 ? 0xff : 0xffffffffffff;
  lastOffset = load<u64>(i) & offsetMask;
  lastTimeLength = end - at;
  return DONE;
}

/** Reads the time `[at, end)`. */
function readTime(at: u32, end: u32): u32 {
  const length = end - at;
  if (length < 20 || length > 35 || load<u8>(at, 16) != 0x3a) return UNUSUAL;
  const tens = <u32>load<u8>(at, 17) - 0x30;
  const ones = <u32>load<u8>(at, 18) - 0x30;
  if (tens > 5 || ones > 9) return UNUSUAL;
  let i = at + 19;
  fractionAt = i;
  fractionLength = 0;
  if (load<u8>(i) == 0x2e) {
    fractionAt = ++i;
    const others: u32 = i8x16.bitmask(i8x16.gt_u(i8x16.sub(v128.load(i), splat(0x30)), splat(9)));
    // What is behind it mustn't wait for its length, which mostly is that of the line before.
    if (others != lastOthers) {
      lastOthers = others;
      // A space is behind it.
      lastLength = ctz<u32>(others | 0x10000);
    }
    fractionLength = lastLength;
    i += fractionLength;
    if (fractionLength == 0 || fractionLength > 9) return UNUSUAL;
  }
  const rest = end - i;
  if (rest != 1 && rest != 6) return UNUSUAL;
  const offset = load<u64>(i) & (rest == 1 ? 0xff : 0xffffffffffff);
  const low = load<u64>(at);
  const high = load<u64>(at, 8);
  secondsInMinute = tens * 10 + ones;
  // Mostly the minute of the line before.
  if (minuteAt != 0 && isMinute(low, high, offset) && load<u32>(minuteAt, 32) == 1) return DONE;
  const hash = <u32>(((low ^ (high * 0x9e3779b97f4a7c15) ^ (offset * 0xbf58476d1ce4e5b9)) * 0x94d049bb133111eb) >> 40);
  minuteAt = minuteTable + (hash & (MINUTES - 1)) * MINUTE_BYTES;
  if (isMinute(low, high, offset)) {
    const state = load<u32>(minuteAt, 32);
    if (state == 1) return DONE;
    if (state == 2) return UNUSUAL;
  }
  store<u64>(minuteAt, low);
  store<u64>(minuteAt, high, 8);
  store<u64>(minuteAt, offset, 16);
  store<u32>(minuteAt, 0, 32);
  askedAt = at;
  return UNKNOWN_MINUTE;
}

/** Of the last 16 bytes from a fraction on, those that are no digits, and how many digits are in front of the first; 0 for none. */
let lastOthers: u32 = 0;
let lastLength: u32 = 16;

/** Is the entry at `minuteAt` of this minute? */
function isMinute(low: u64, high: u64, offset: u64): bool {
  return load<u64>(minuteAt) == low && load<u64>(minuteAt, 8) == high && load<u64>(minuteAt, 16) == offset;
}

let secondsInMinute: u32 = 0;

/** @param seconds since 1970 at its beginning; negative when such times aren't readable. */
export function rememberMinute(seconds: f64): void {
  store<u64>(minuteAt, seconds < 0 ? 0 : <u64>seconds, 24);
  store<u32>(minuteAt, seconds < 0 ? 2 : 1, 32);
}

function nanoseconds(): u64 {
  // Eight digits at once, zeros in the place of those that aren't there: pairs, then fours, then all of them.
  const digits = load<u64>(fractionAt) - 0x3030303030303030;
  const eight = fractionLength >= 8 ? digits : digits & ((<u64>1 << (fractionLength * 8)) - 1);
  const pairs = eight * 10 + (eight >> 8);
  const fraction =
    ((pairs & 0xff000000ff) * 0xf424000000064 + ((pairs >> 16) & 0xff000000ff) * 0x271000000001) >> 32;
  const ninth = fractionLength == 9 ? <u64>load<u8>(fractionAt, 8) - 0x30 : 0;
  return (load<u64>(minuteAt, 24) + secondsInMinute) * 1_000_000_000 + fraction * 10 + ninth;
}

/** The second that was written last, in its digits. */
let writtenSecond: u64 = 0;
let writtenDigits: u32 = 0;
const WRITTEN = memory.data(16);

/** Whole seconds since 1970 and nine digits. */
function putNanoseconds(at: u32): u32 {
  const seconds = load<u64>(minuteAt, 24) + secondsInMinute;
  if (seconds != writtenSecond || writtenDigits == 0) {
    const high = <u32>(seconds / 100_000);
    // Of a year before September 2001 it has a digit less.
    writtenDigits = high < 10_000 ? 9 : 10;
    putDigits(<u32>WRITTEN, writtenDigits - 5, high);
    putDigits(<u32>WRITTEN + writtenDigits - 5, 5, <u32>(seconds - <u64>high * 100_000));
    writtenSecond = seconds;
  }
  v128.store(at, v128.load(<u32>WRITTEN));
  const fraction = at + writtenDigits;
  v128.store(fraction, v128.load(fractionAt));
  v128.store(fraction + fractionLength, splat(0x30));
  return fraction + 9;
}

function digitsOf(value: u32): u32 {
  if (value < 100) return value < 10 ? 1 : 2;
  if (value < 1_000) return 3;
  if (value < 10_000) return 4;
  if (value < 100_000) return 5;
  return value < 1_000_000 ? 6 : 7;
}

function putDigits(at: u32, digits: u32, value: u32): void {
  for (let i = at + digits; i > at; ) {
    const tenth = value / 10;
    store<u8>(--i, 0x30 + value - tenth * 10);
    value = tenth;
  }
}

function putNumber(at: u32, value: u32): u32 {
  const digits = digitsOf(value);
  putDigits(at, digits, value);
  return at + digits;
}

function varintSize(value: u32): u32 {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x200000 ? 3 : 4;
}

function putVarint(at: u32, value: u32): u32 {
  while (value >= 0x80) {
    store<u8>(at++, value | 0x80);
    value >>= 7;
  }
  store<u8>(at, value);
  return at + 1;
}

/** Writes `[start, end)`, escaped for a JSON string or as it is; returns the new end, or 0 when it can't be written so. */
function put(to: u32, start: u32, end: u32): u32 {
  return escaped ? putEscaped(to, start, end) : putPlain(to, start, end, breakable);
}
