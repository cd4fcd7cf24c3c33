/**
 * Makes lines of the records of a body: JSON, OTLP, plain text. Compiled by `npm run build:wasm` (AssemblyScript) into
 * `wasm-records-binary.ts`; what it does is defined by `json-lines.ts`, `json-fields.ts`, `otlp.ts`, `structured-line.ts` and
 * `plain-text-body.ts`. All records that it doesn't understand are left to them. What a record of each form is, is in
 * the `wasm-*.as.ts` beside it; here are the calls, which read many.
 *
 * The lines are octet-counted frames, without a token; or records of a batch, when the source is known: then a record is as the codec makes it
 * of the frame (`syslog/wasm`), and what the codec would leave alone isn't written. Memory is laid out by the caller (`wasm-records.ts`); there is no allocator. Reads
 * and writes may run over the end of a region by up to 63 bytes, and behind the input are as many zeros.
 */
import {
  CLOSE_BRACKET,
  COMMA,
  NEWLINE,
  OPEN_BRACE,
  RETURN,
  SPACE,
} from '../../../../common/wasm/wasm-ascii.as';
import { copy } from '../../../../common/wasm/wasm-common.as';
import { setDateMax as setHeaderDateMax } from '../../../syslog/wasm/wasm-header.as';
import { RECORD_HEADER } from '../../../syslog/wasm/wasm-record.as';
import {
  beginJson,
  hasNewline,
  containers as jsonContainers,
  setUpJson,
  skipMark,
  skipSpace,
  stop,
  stoppedAt,
} from './wasm-json.as';
import { readObject, setShapeRegion } from './wasm-json-record.as';
import { closeFrame, FRAME_BYTES_MAX, FRAME_HEAD, forgetDay, setUpLine } from './wasm-line.as';
import { setNameRegion } from './wasm-otlp.as';
import { readOtlp } from './wasm-otlp-json.as';
import { beginProtobuf, readProtobuf } from './wasm-otlp-protobuf.as';
import {
  beginLine,
  beginLines,
  closeRecord,
  headAt,
  headHost,
  headLength,
  headMsgid,
  headSource,
  isDirect,
  LINE_HEAD_BYTES,
  lineBytes,
  NO_ROOM,
  NOT_DIRECT,
  NOT_UNDERSTOOD,
  recordHeadAt,
  recordHeadLength,
  setElement,
  setHead,
  setRecordForm,
  setRecordHead,
  setUpRecord,
  setUpRecords,
  writeLineOf,
} from './wasm-record-line.as';

export { lineBytes, setElement, setHead, setNameRegion, setRecordHead, setShapeRegion, setUpRecords };

/** Where a call stopped in the input, where the frames end in the output, how many there are; and the objects and arrays that were read. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;
export let containers: u32 = 0;

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

/** Behind what may be the end of the input, so many bytes are looked at. */
const LOOKAHEAD: u32 = 40;

/** Lines of a call. */
let linesMax: u32 = 0;

/** Where everything is: regions of the caller. `data` begins with the name of the element. */
export function setUp(data: u32, keys: u32, time: u32, head: u32): void {
  setUpRecord(data, time, head);
  setUpJson(keys);
  setUpLine(time);
}

export function setDateMax(date: u32): void {
  setHeaderDateMax(date);
  forgetDay();
}

/** What the next calls write, and how many lines at the most. */
export function setForm(direct: bool, max: u32, sourceBytes: u32, hostBytes: u32): void {
  linesMax = max;
  setRecordForm(direct, sourceBytes, hostBytes);
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
  beginLines();
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
    beginLine();
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
    const lineEnd = writeLineOf(at, outEnd, kind == OTLP_ELEMENTS);
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

function reasonOf(returned: u32): u32 {
  if (returned == NO_ROOM) return FULL;
  return returned == NOT_UNDERSTOOD ? ODD : INDIRECT;
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
  beginLines();
  while (i < end && load<u8>(i) == 0x12) {
    before = jsonContainers;
    if (count == linesMax) {
      why = FULL;
      break;
    }
    beginLine();
    const recordEnd = beginProtobuf(i, end);
    if (recordEnd == 0) {
      why = CUT;
      break;
    }
    if (!readProtobuf(recordEnd)) {
      why = ODD;
      break;
    }
    const lineEnd = writeLineOf(at, outEnd, true);
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

/** Makes lines of the plain text in `[from, end)`, one of each of its lines, the empty ones too, behind the header in the region of `head`. */
export function textLines(from: u32, end: u32, out: u32, outEnd: u32, isLast: bool): u32 {
  let i = from;
  let at = out;
  let count: u32 = 0;
  let why = DONE;
  const newlines = i8x16.splat(0x0a);
  beginLines();
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
