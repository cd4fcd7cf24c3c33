/** A record of OTLP in JSON, as collectors and SDKs write it: see `otlp.ts`. */
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  DASH,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from '../../../../common/wasm/wasm-ascii.as';
import { copy } from '../../../../common/wasm/wasm-common.as';
import { skipField } from '../../../syslog/wasm/wasm-header.as';
import {
  addKey,
  countContainer,
  firstBytes,
  hasEscape,
  hasRoom,
  isEndOfNumber,
  isName,
  lastBytes,
  moveTo,
  skipMark,
  skipSpace,
  skipString,
  stop,
  to,
  writeText,
  writeValue,
} from './wasm-json.as';
import {
  ATTRIBUTES_FIELD,
  BODY_FIELD,
  clearOtlp,
  EVENT_FIELD,
  FLAGS_FIELD,
  finishOtlp,
  IGNORED_FIELD,
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

/** Reads the record of OTLP in JSON at `start`; returns where it ends, or 0. */
export function readOtlp(start: u32): u32 {
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
          setSeverityNumber(value);
        } else if (field == FLAGS_FIELD) setFlags(value);
        else if (value != 0) return 0;
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
  if (!finishOtlp() || !writeId(0x64695f6563617274, 8, traceAt, traceLength) || !writeId(0x64695f6e617073, 7, spanAt, spanLength) || !writeOthers()) return 0;
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
      if (field == TIME_FIELD) setNanos(value);
      else setObservedNanos(value);
      break;
    }
    case TEXT_FIELD:
      setSeverityText(text, length);
      break;
    case TRACE_FIELD:
      setTrace(text, length);
      break;
    case SPAN_FIELD:
      setSpan(text, length);
      break;
    default:
      if (length > WORD_BYTES_MAX || skipField(text, end) != end) return 0;
      setMsgid(text, length);
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
      setMessage(i + 1, end - i - 1, hasEscape);
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
  if (!openId(name, nameLength) || !hasRoom(length * 2 + 8)) return false;
  return writeText(start, start + length) && closeParameter();
}
