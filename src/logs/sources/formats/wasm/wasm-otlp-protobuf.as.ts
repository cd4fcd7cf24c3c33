/** Records of OTLP in protobuf: see `otlp.ts`. */
import { DASH } from '../../../../common/wasm/wasm-ascii.as';
import { splat } from '../../../../common/wasm/wasm-splat.as';
import { skipField } from '../../../syslog/wasm/wasm-header.as';
import { addKey, countContainer, hasRoom, isName, moveTo, to } from './wasm-json.as';
import { isUtf8 } from './wasm-line.as';
import {
  BODY_FIELD,
  clearOtlp,
  EVENT_FIELD,
  FLAGS_FIELD,
  finishOtlp,
  hexDigit,
  NUMBER_FIELD,
  noteField,
  OBSERVED_FIELD,
  openId,
  SPAN_FIELD,
  setFlags,
  setNanos,
  setObservedNanos,
  setSeverityNumber,
  setSeverityText,
  setSpan,
  setTrace,
  spanAt,
  spanLength,
  TEXT_FIELD,
  TIME_FIELD,
  TRACE_FIELD,
  traceAt,
  traceLength,
  writeOthers,
} from './wasm-otlp.as';
import { closeParameter, openParameter, setMessage, setMsgid, WORD_BYTES_MAX } from './wasm-record-line.as';

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

/** Where the record at `start`, a `logRecords` of a `ScopeLogs`, ends: the next calls read it. 0 when it doesn't before `end`. */
export function beginProtobuf(start: u32, end: u32): u32 {
  cursor = start + 1;
  isBroken = false;
  const recordEnd = lengthEnd(end);
  return isBroken ? 0 : recordEnd;
}

/** Reads the record between `cursor` and `end`. */
export function readProtobuf(end: u32): bool {
  clearOtlp();
  countContainer();
  while (cursor < end) {
    const tag: u32 = load<u8>(cursor++);
    switch (tag) {
      case 0x09: // timeUnixNano
      case 0x59: // observedTimeUnixNano
        if (cursor + 8 > end || !noteField(tag == 0x09 ? TIME_FIELD : OBSERVED_FIELD)) return false;
        if (tag == 0x09) setNanos(load<u64>(cursor));
        else setObservedNanos(load<u64>(cursor));
        cursor += 8;
        break;
      case 0x10: {
        // severityNumber
        const value = varint(end);
        if (isBroken || value > 24 || !noteField(NUMBER_FIELD)) return false;
        setSeverityNumber(<u32>value);
        break;
      }
      case 0x38: // droppedAttributesCount
        if (varint(end) != 0 || isBroken) return false;
        break;
      case 0x45: // flags
        if (cursor + 4 > end || !noteField(FLAGS_FIELD)) return false;
        setFlags(load<u32>(cursor));
        cursor += 4;
        break;
      case 0x2a: {
        // body
        const valueEnd = lengthEnd(end);
        if (isBroken || !noteField(BODY_FIELD) || valueEnd == cursor || load<u8>(cursor) != 0x0a) return false;
        countContainer();
        cursor++;
        const textEnd = lengthEnd(valueEnd);
        if (isBroken || textEnd != valueEnd || !isUtf8(cursor, textEnd)) return false;
        setMessage(cursor, textEnd - cursor, false);
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
          setSeverityText(cursor, length);
        } else if (tag == 0x4a) {
          if (!noteField(TRACE_FIELD)) return false;
          setTrace(cursor, length);
        } else if (tag == 0x52) {
          if (!noteField(SPAN_FIELD)) return false;
          setSpan(cursor, length);
        } else {
          if (!noteField(EVENT_FIELD) || length > WORD_BYTES_MAX || skipField(cursor, valueEnd) != valueEnd) return false;
          setMsgid(cursor, length);
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
    writeHexId(0x64695f6e617073, 7, spanAt, spanLength) &&
    writeOthers()
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
  const quote = splat(0x22);
  const backslash = splat(0x5c);
  const bracket = splat(0x5d);
  let i = start;
  let o = to;
  while (i < end) {
    const bytes = v128.load(i);
    v128.store(o, bytes);
    const marks = v128.or(i8x16.eq(bytes, backslash), i8x16.eq(bytes, bracket));
    let found = i8x16.bitmask(v128.or(marks, i8x16.eq(bytes, quote)));
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
  if (!openId(name, nameLength) || !hasRoom(length * 2 + 8)) return false;
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
