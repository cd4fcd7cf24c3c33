/** What both forms of OTLP, JSON and protobuf, have of a record: see `otlp.ts`. */
import { addKey, hasRoom, moveTo, to } from './wasm-json.as';
import { namedLevel, NO_LEVEL, writeMicros } from './wasm-line.as';
import { clear, closeParameter, INFO, messageAt, openParameter, setSeverity, setTimeLength } from './wasm-record-line.as';

/** Fields of a record of OTLP. */
export const TIME_FIELD: u32 = 1;
export const OBSERVED_FIELD: u32 = 1 << 1;
export const NUMBER_FIELD: u32 = 1 << 2;
export const TEXT_FIELD: u32 = 1 << 3;
export const BODY_FIELD: u32 = 1 << 4;
export const ATTRIBUTES_FIELD: u32 = 1 << 5;
export const TRACE_FIELD: u32 = 1 << 6;
export const SPAN_FIELD: u32 = 1 << 7;
export const EVENT_FIELD: u32 = 1 << 8;
export const IGNORED_FIELD: u32 = 1 << 9;
export const FLAGS_FIELD: u32 = 1 << 10;

/** What was read of a record of OTLP. */
let fields: u32 = 0;
let nanos: u64 = 0;
let observedNanos: u64 = 0;
let severityNumber: u32 = 0;
let traceFlags: u32 = 0;
let severityTextAt: u32 = 0;
let severityTextLength: u32 = 0;
export let traceAt: u32 = 0;
export let traceLength: u32 = 0;
export let spanAt: u32 = 0;
export let spanLength: u32 = 0;

export function clearOtlp(): void {
  clear();
  fields = 0;
  nanos = 0;
  observedNanos = 0;
  severityNumber = 0;
  traceFlags = 0;
  severityTextLength = 0;
  traceLength = 0;
  spanLength = 0;
}

/** False when the field was there already. */
export function noteField(field: u32): bool {
  if ((fields & field) != 0) return false;
  fields |= field;
  return true;
}

/** The time and severity of the record that was read; false when they aren't understood. */
export function finishOtlp(): bool {
  if (messageAt == 0) return false;
  const given = nanos != 0 ? nanos : observedNanos;
  if (given != 0) {
    // 19 digits, of which the first 16 are exact.
    if (given < 1_000_000_000_000_000_000 || given > 9_000_000_000_000_000_000) return false;
    const written = writeMicros(given / 1_000);
    if (written == 0) return false;
    setTimeLength(written);
  }
  if (severityNumber > 0) setSeverity(severityNumber <= 8 ? 7 : severityNumber <= 12 ? INFO : severityNumber <= 16 ? 4 : severityNumber <= 20 ? 3 : 2);
  else if (severityTextLength > 0) {
    const named = namedLevel(severityTextAt, severityTextLength);
    if (named == NO_LEVEL) return false;
    setSeverity(named);
  }
  return true;
}

export function setNanos(value: u64): void {
  nanos = value;
}

export function setObservedNanos(value: u64): void {
  observedNanos = value;
}

export function setSeverityNumber(value: u32): void {
  severityNumber = value;
}

/** Of a trace context: eight bits count. */
export function setFlags(value: u32): void {
  traceFlags = value & 0xff;
}

export function setSeverityText(at: u32, length: u32): void {
  severityTextAt = at;
  severityTextLength = length;
}

export function setTrace(at: u32, length: u32): void {
  traceAt = at;
  traceLength = length;
}

export function setSpan(at: u32, length: u32): void {
  spanAt = at;
  spanLength = length;
}

/** Behind the time: a name that isn't in the input. */
let nameAt: u32 = 0;

export function setNameRegion(at: u32): void {
  nameAt = at;
}

/** Writes what else a record has, behind its identifiers; false when there is no room. */
export function writeOthers(): bool {
  if (traceFlags != 0) {
    store<u64>(nameAt, 0x6c665f6563617274, 8); // trace_fl
    store<u32>(nameAt, 0x736761, 16); // ags
    if (!addKey(nameAt + 8, 11, 0) || !openParameter(nameAt + 8, 11) || !hasRoom(8)) return false;
    store<u8>(to, hexDigit(traceFlags >> 4));
    store<u8>(to, hexDigit(traceFlags & 15), 1);
    moveTo(to + 2);
    if (!closeParameter()) return false;
  }
  // Others are told by the severity alone.
  if (severityNumber == 0 || (severityNumber <= 17 && severityNumber % 4 == 1 && severityNumber != 1)) return true;
  store<u64>(nameAt, 0x7974697265766573, 24); // severity
  store<u64>(nameAt, 0x7265626d756e5f, 32); // _number
  if (!addKey(nameAt + 24, 15, 0) || !openParameter(nameAt + 24, 15) || !hasRoom(8)) return false;
  if (severityNumber > 9) {
    store<u8>(to, 0x30 + severityNumber / 10);
    moveTo(to + 1);
  }
  store<u8>(to, 0x30 + severityNumber % 10);
  moveTo(to + 1);
  return closeParameter();
}

export function hexDigit(value: u32): u32 {
  return value < 10 ? 0x30 + value : 0x57 + value;
}

/** Opens the parameter of an identifier, whose name isn't in the input; false when there is no room. */
export function openId(name: u64, nameLength: u32): bool {
  store<u64>(nameAt, name);
  return addKey(nameAt, nameLength, 0) && openParameter(nameAt, nameLength);
}
