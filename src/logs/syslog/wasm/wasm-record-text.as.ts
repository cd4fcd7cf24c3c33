/** Writes the record of a line: what `batch-builder.ts` and, for lines that don't have their token as APP-NAME, `rewrite-header.ts` do. */
import { DASH, SPACE } from '../../../common/wasm/wasm-ascii.as';
import { copy } from '../../../common/wasm/wasm-common.as';
import { mayHoldToken } from './wasm-header.as';
import {
  data,
  dataBytes,
  elementBytes,
  host,
  hostBytes,
  message,
  msgid,
  msgidBytes,
  pid,
  pidBytes,
  tag,
  tagBytes,
} from './wasm-line-fields.as';
import { AS_SENT, form, slot, source, sourceBytes, WITH_DYNO, WITH_PROGRAM } from './wasm-line-owner.as';
import { dynoOf, isEqual } from './wasm-owners.as';
import { PROCID_BYTES_MAX, RECORD_HEADER, storeHeader, TOKEN_TEXT_BYTES_MIN } from './wasm-record.as';

/** Bytes of the line that was written last, as they are counted. */
export let lineBytes: u32 = 0;

/** The host that lines without one get. */
let stampedHost: u32 = 0;
let stampedHostBytes: u32 = 0;

export function setStampedHost(at: u32, length: u32): void {
  stampedHost = at;
  stampedHostBytes = length;
}

/**
 * Writes the record of the line `[start, stop)`, in which only APP-NAME becomes another; returns its end.
 * @param fields where its header begins, behind the time
 * @param tail bytes of the line end that belongs to its frame
 */
export function writeAsSent(record: u32, start: u32, fields: u32, stop: u32, tail: u32): u32 {
  const text = record + RECORD_HEADER;
  const sourceAt = fields + tag - start;
  copy(text, start, sourceAt);
  let o = text + sourceAt;
  copy(o, source, sourceBytes);
  o += sourceBytes;
  const rest = fields + tag + tagBytes;
  const restBytes = stop - tail - rest;
  copy(o, rest, restBytes);
  const msgidAt = o + (fields + msgid - rest) - text;
  o += restBytes;
  storeHeader(record, o - text, fields + host - start, sourceAt, msgidAt, o - (stop - tail - fields - message) - text);
  lineBytes = stop - start;
  return o;
}

/** The same of a line of Heroku's drains, which has no structured data: the dash of what isn't there goes in front of its message. */
export function writeDataless(record: u32, start: u32, fields: u32, stop: u32, tail: u32): u32 {
  const text = record + RECORD_HEADER;
  const sourceAt = fields + tag - start;
  copy(text, start, sourceAt);
  let o = text + sourceAt;
  copy(o, source, sourceBytes);
  o += sourceBytes;
  const rest = fields + tag + tagBytes;
  const msgidAt = o + (fields + msgid - rest) - text;
  const messageFrom = fields + message;
  copy(o, rest, messageFrom - rest);
  o += messageFrom - rest;
  store<u16>(o, 0x202d);
  o += 2;
  copy(o, messageFrom, stop - tail - messageFrom);
  const messageAt = o - text;
  o += stop - tail - messageFrom;
  storeHeader(record, o - text, fields + host - start, sourceAt, msgidAt, messageAt);
  lineBytes = stop - start;
  return o;
}

/**
 * Writes it field by field; 0 when that is left to the JavaScript path.
 * @param priorityEnd where its PRI ends
 * @param timeBytes with any, `time` is written in the place of the time that was sent
 */
// @ts-ignore: decorator of AssemblyScript
@inline
export function writeFields(
  record: u32,
  start: u32,
  priorityEnd: u32,
  time: u32,
  timeBytes: u32,
  fields: u32,
  stop: u32,
  tail: u32,
  isOld: bool,
): u32 {
  const text = record + RECORD_HEADER;
  let o = text;
  if (timeBytes != 0) {
    copy(o, start, priorityEnd - start);
    o += priorityEnd - start;
    store<u16>(o, 0x2031);
    copy(o + 2, time, timeBytes);
    o += 2 + timeBytes;
    store<u8>(o++, SPACE);
  } else {
    copy(o, start, fields + host - start);
    o += fields + host - start;
  }
  const hostAt = o - text;
  const storedHostBytes = hostBytes == 0 ? stampedHostBytes : hostBytes;
  copy(o, hostBytes == 0 ? stampedHost : fields + host, storedHostBytes);
  o += storedHostBytes;
  store<u8>(o++, SPACE);
  const sourceAt = o - text;
  copy(o, source, sourceBytes);
  o += sourceBytes;
  store<u8>(o++, SPACE);
  o = writeDyno(o, fields);
  if (o == 0) return 0;
  store<u8>(o++, SPACE);
  const msgidAt = o - text;
  const isTag = form == WITH_DYNO && msgidBytes == tagBytes && isEqual(fields + msgid, fields + tag, tagBytes);
  o = writeField(o, fields + msgid, isTag ? 0 : msgidBytes);
  o = writeField(o, fields + data, dataBytes);
  const messageAt = o - text;
  const messageBytes = stop - tail - fields - message;
  copy(o, fields + message, messageBytes);
  o += messageBytes;
  let bytes = stop - start;
  if (form != AS_SENT) {
    // The line that the JavaScript path writes has no host when none was sent, and still the element with the token.
    bytes = o - text + tail;
    if (hostBytes == 0) bytes -= storedHostBytes - 1;
    if (!isOld && timeBytes != 0) bytes -= timeBytes - 1;
    if (elementBytes != 0) bytes += dataBytes == 0 ? elementBytes - 1 : elementBytes;
  } else if (isOld) {
    bytes = priorityEnd - start + 2 + timeBytes + 1 + (hostBytes == 0 ? 1 : hostBytes) + 1;
    bytes += tagBytes + 1 + (pidBytes == 0 ? 1 : pidBytes) + 5 + messageBytes + tail;
  }
  lineBytes = bytes;
  storeHeader(record, o - text, hostAt, sourceAt, msgidAt, messageAt);
  return o;
}

/** What stands in the place of PROCID; 0 when that is left to the JavaScript path. */
// @ts-ignore: decorator of AssemblyScript
@inline
function writeDyno(start: u32, fields: u32): u32 {
  const tagAt = fields + tag;
  let o = start;
  if (form == WITH_DYNO) {
    const from = dynoOf(slot);
    copy(o, tagAt + from, tagBytes - from);
    return o + tagBytes - from;
  }
  const pidAt = fields + pid;
  let hasPid = pidBytes > 0;
  if (form != AS_SENT) {
    if (pidBytes == 1 && load<u8>(pidAt) == DASH) hasPid = false;
    if (pidBytes == sourceBytes && isEqual(pidAt, source, sourceBytes)) hasPid = false;
    if (form == WITH_PROGRAM) {
      copy(o, tagAt, tagBytes);
      o += tagBytes;
      if (hasPid) store<u8>(o++, 0x2e);
    }
  }
  if (hasPid) {
    copy(o, pidAt, pidBytes);
    o += pidBytes;
  } else if (o == start) store<u8>(o++, DASH);
  // Two words may make a token of one.
  if (form == WITH_PROGRAM && o - start >= TOKEN_TEXT_BYTES_MIN && mayHoldToken(start, o)) return 0;
  return o - start > PROCID_BYTES_MAX ? 0 : o;
}

/** A field, or the dash of one that isn't there, and a space. */
// @ts-ignore: decorator of AssemblyScript
@inline
function writeField(at: u32, from: u32, length: u32): u32 {
  let o = at;
  if (length == 0) store<u8>(o++, DASH);
  else {
    copy(o, from, length);
    o += length;
  }
  store<u8>(o++, SPACE);
  return o;
}
