/**
 * The WebAssembly fast path: reads common lines, and writes them (`wasm-frames.as.ts`). Compiled by `npm run build:wasm` (AssemblyScript) into
 * `wasm-codec-binary.ts`; what it does is defined by `framing.ts`, `header.ts`, `rfc3164.ts`, `batch-builder.ts`, `encode.ts`, and for
 * lines that don't have their token as APP-NAME by `sources/rewrite-header.ts`. All lines that it doesn't support are left to them.
 *
 * Memory is laid out by the caller (`wasm-codec.ts`); there is no allocator. Reads and writes may run over the end of a
 * region by up to 15 bytes, so regions have slack between them.
 */
import { DASH, LESS_THAN, NEWLINE, RETURN, SPACE } from '../../../common/wasm/wasm-ascii.as';
import { copy } from '../../../common/wasm/wasm-common.as';
import { write } from './wasm-frames.as';
import {
  findLineEnd,
  findSpace,
  isClean,
  mayHoldToken,
  setDateMax,
  skipField,
  skipPriority,
  skipStructuredData,
  skipTime,
} from './wasm-header.as';
import {
  appOf,
  dynoOf,
  findOwner,
  findWord,
  forgetOwners,
  formOf,
  isEqual,
  isKeyTooLong,
  nameSource,
  numberOf,
  remember,
  rememberToken,
  sameToken,
  setUpOwners,
  sourceLengthOf,
  sourceOf,
  tokenLength,
} from './wasm-owners.as';
import {
  MESSAGE_BYTES_MAX,
  MSGID_BYTES_MAX,
  PROCID_BYTES_MAX,
  RECORD_HEADER,
  storeHeader,
  TIME_BYTES,
  TOKEN_TEXT_BYTES_MIN,
} from './wasm-record.as';
import {
  forgetMinutes,
  OLD_FOUND,
  OLD_UNKNOWN_TIME,
  oldFields,
  oldHost,
  oldHostLength,
  oldLimit,
  oldMessage,
  oldPid,
  oldPidLength,
  oldTag,
  oldTagLength,
  oldTime,
  oldTimeLength,
  rememberMinute,
  scanOldFields,
  scanOldTime,
  setUpTimes,
} from './wasm-rfc3164.as';
import {
  NO_SLOT,
  RUN_BYTES,
  scatter,
  scatteredBytes,
  scatteredEnd,
  scatteredLines,
  setUpScatter,
} from './wasm-scatter.as';

export { forgetMinutes, forgetOwners, nameSource, remember, rememberMinute, scatter, scatteredBytes, scatteredEnd, scatteredLines, setDateMax, setUpScatter, write };

/** Where `take` stopped in the input, where the records end in the output, how many there are, and how many runs of one owner. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;
export let runs: u32 = 0;
/** Where the last frame that `take` decoded begins, its record, and its bytes; and those of the one before it. */
export let lastFrame: u32 = 0;
export let lastRecord: u32 = 0;
export let lastBytes: u32 = 0;
export let frameBefore: u32 = 0;
export let recordBefore: u32 = 0;
export let bytesBefore: u32 = 0;
/** Whether their host was stamped. */
export let lastStamped: u32 = 0;
export let stampedBefore: u32 = 0;
/** Whose the last lines are: slots' numbers of the last one, the one before, and the one before that. */
export let lastOwner: u32 = 0;
export let ownerBefore: u32 = 0;
export let ownerTwoBefore: u32 = 0;
/** Whose owner isn't known, when `take` stopped at such a line: which kind of key, and the fields that it depends on. */
export let unknownKey: u32 = 0;
export let unknownTag: u32 = 0;
export let unknownTagLength: u32 = 0;
export let unknownHost: u32 = 0;
export let unknownHostLength: u32 = 0;
export let unknownToken: u32 = 0;
export let unknownTokenLength: u32 = 0;
/** The minute that isn't known, `Oct 11 22:14`, when `take` stopped at such a line. */
export let unknownMinute: u32 = 0;

const HEADER_BYTES_MAX: u32 = 8_192;
const HOSTNAME_BYTES_MAX: u32 = 255;
/** By more a record isn't longer than its line: a stamped host, a source's name, a time in its long form, what separates them. */
const GROWTH_BYTES_MAX: u32 = 512;
/** `[tailrace@32473 token="` */
const TOKEN_ELEMENT_BYTES: u32 = 23;
const TOKEN_BYTES_MIN: u32 = 3;
const TOKEN_BYTES_MAX: u32 = 66;

/** Framings: what is at the beginning of a frame, or at its end. */
const COUNTED: u32 = 0;
const NEWLINES: u32 = 1;

/** The input ends in the middle of a frame. */
const PARTIAL: u32 = 0;
/** The frame at `position` is not supported here. */
const UNSUPPORTED: u32 = 1;
/** The record of the frame at `position` doesn't fit into the output. */
const FULL: u32 = 2;
/** The owner of the line at `position` isn't known. */
const UNKNOWN_OWNER: u32 = 3;
/** The minute of the line at `position` isn't known. */
const UNKNOWN_TIME: u32 = 4;

/** What a line's owner depends on. */
const TOKEN_KEY: u32 = 1;
const NAME_KEY: u32 = 2;
const DATA_KEY: u32 = 3;
const RULE_KEY: u32 = 4;

/** How a line is stored, of an owner that is known. */
/** With the source's name in the place of APP-NAME. */
const AS_SENT: u32 = 0;
/** The same, and APP-NAME goes in front of PROCID. */
const WITH_PROGRAM: u32 = 1;
/** The same, but APP-NAME is the source's name, or none: PROCID stays as it is, unless it repeats that. */
const WITHOUT_PROGRAM: u32 = 2;
/** APP-NAME holds the name of the dyno, behind the token. */
const WITH_DYNO: u32 = 3;
/** Lines with this key are left to the JavaScript path. */
const LEFT_ALONE: u32 = 4;

let fixedSource: u32 = 0;
let stampedHost: u32 = 0;
let stampedTime: u32 = 0;
let runsAt: u32 = 0;
let runsMax: u32 = 0;

/** Where everything is: regions of the caller. */
export function setUp(
  source: u32,
  host: u32,
  time: u32,
  sets: u32,
  slots: u32,
  sources: u32,
  key: u32,
  times: u32,
  runsRegion: u32,
  runsCount: u32,
): void {
  fixedSource = source;
  stampedHost = host;
  stampedTime = time;
  setUpOwners(sets, slots, sources, key);
  setUpTimes(times);
  runsAt = runsRegion;
  runsMax = runsCount;
}

/**
 * Decodes frames `[from, end)` into records from `out` on, with the source's name in place of the token.
 *
 * @param framing counted, lines that end with newlines, or with NULs
 * @param sourceLength all lines are of one source, whose name has so many bytes, whatever their APP-NAME; or 0
 * @param hostLength bytes of the host that is stamped
 * @param tokens,names,rules numbers of the scopes in which owners are known: of tokens, of the names that lines of a wildcard token
 *   have, of a sender's rules; 0: there are none of this kind
 * @param perSource a run has lines of one source, rather than of one app
 * @param dataless behind MSGID comes the message, as in Heroku's drains: all lines are of one source then
 */
export function take(
  from: u32,
  end: u32,
  out: u32,
  outEnd: u32,
  framing: u32,
  sourceLength: u32,
  hostLength: u32,
  tokens: u32,
  names: u32,
  rules: u32,
  perSource: bool,
  dataless: bool,
): u32 {
  let i = from;
  let at = out;
  let count: u32 = 0;
  let why: u32 = PARTIAL;
  let last = from;
  let lastOut = out;
  let lastLength: u32 = 0;
  let before = from;
  let beforeOut = out;
  let beforeLength: u32 = 0;
  let isLastStamped: u32 = 0;
  let isBeforeStamped: u32 = 0;
  let lastSlot = NO_SLOT;
  let slotBefore = NO_SLOT;
  let slotTwoBefore = NO_SLOT;
  let run = runsAt - RUN_BYTES;
  const runsEnd = runsAt + runsMax * RUN_BYTES;
  let runOwner: u32 = 0;
  let runLines: u32 = 0;
  let runBytes: u32 = 0;
  const trailer: u32 = framing == NEWLINES ? NEWLINE : 0;
  // Fields of a line, and whose it is. They are kept for the next one, whose header is mostly the same behind its time.
  let host: u32 = 0;
  let hostSize: u32 = 0;
  let tag: u32 = 0;
  let tagLength: u32 = 0;
  let pid: u32 = 0;
  let pidLength: u32 = 0;
  let msgid: u32 = 0;
  let msgidLength: u32 = 0;
  let data: u32 = 0;
  let dataLength: u32 = 0;
  let token: u32 = 0;
  let tokenBytes: u32 = 0;
  let elementBytes: u32 = 0;
  let message: u32 = 0;
  let slot: u32 = 0;
  let form = AS_SENT;
  let source = fixedSource;
  let sourceSize = sourceLength;
  let owner = NO_SLOT;
  /** Where that header was, from HOSTNAME to the message; nothing is known of it while it has no length. */
  let known: u32 = 0;
  let knownLength: u32 = 0;
  let isKnownOld = false;
  /** Its APP-NAME is a token. */
  let hasToken = false;
  while (i < end) {
    const frame = i;
    let start: u32;
    let stop: u32;
    let next: u32;
    if (framing == COUNTED) {
      let byte: u32 = load<u8>(i);
      if (byte < 0x31 || byte > 0x39) {
        why = UNSUPPORTED;
        break;
      }
      let length = byte - 0x30;
      let digits: u32 = 1;
      i++;
      while (i < end) {
        byte = load<u8>(i);
        if (byte < 0x30 || byte > 0x39 || digits > 5) break;
        length = length * 10 + (byte - 0x30);
        digits++;
        i++;
      }
      const spaceAt = i;
      i = frame;
      if (spaceAt >= end) break;
      if (byte != SPACE || length > MESSAGE_BYTES_MAX + HEADER_BYTES_MAX) {
        why = UNSUPPORTED;
        break;
      }
      start = spaceAt + 1;
      stop = start + length;
      if (stop > end) {
        // The header may already show that this is no frame at all; the JavaScript path decides that.
        if (start < end && load<u8>(start) != LESS_THAN) why = UNSUPPORTED;
        break;
      }
      next = stop;
    } else {
      if (load<u8>(i) != LESS_THAN) {
        why = UNSUPPORTED;
        break;
      }
      start = i;
      stop = findLineEnd(i, end);
      if (stop >= end) break;
      // Whether the other trailer ends this line depends on what is behind it.
      if (load<u8>(stop) != trailer) {
        why = UNSUPPORTED;
        break;
      }
      next = stop + 1;
      if (framing == NEWLINES && load<u8>(stop - 1) == RETURN) stop--;
    }
    if (at + RECORD_HEADER + (stop - start) + GROWTH_BYTES_MAX > outEnd || run + RUN_BYTES >= runsEnd) {
      why = FULL;
      break;
    }
    const end5424 = stop - start > HEADER_BYTES_MAX ? start + HEADER_BYTES_MAX : stop;
    why = UNSUPPORTED;
    const priorityEnd = skipPriority(start, stop);
    if (priorityEnd == 0) break;

    // The time, and where the fields behind it begin.
    let time: u32 = 0;
    let timeLength: u32 = 0;
    let fields: u32;
    let limit = end5424;
    const isOld = load<u16>(priorityEnd) != 0x2031;
    if (isOld) {
      // What is read as RFC 3164 isn't in Heroku's form.
      if (dataless) break;
      const found = scanOldTime(start, priorityEnd, stop);
      if (found != OLD_FOUND) {
        if (found == OLD_UNKNOWN_TIME) {
          unknownMinute = oldTime;
          why = UNKNOWN_TIME;
        }
        break;
      }
      time = oldTime;
      timeLength = oldTimeLength;
      fields = oldFields;
      limit = oldLimit;
    } else if (load<u16>(priorityEnd, 2) == 0x202d) {
      time = stampedTime;
      timeLength = TIME_BYTES;
      fields = priorityEnd + 4;
      if (fields >= limit) break;
    } else {
      fields = skipTime(priorityEnd + 2, limit);
      if (fields == 0) break;
    }

    // The others. Those of structured data and MSGID, `- -` when there are none, are one piece behind PROCID.
    const isInLimit = isOld == isKnownOld && fields + knownLength <= limit;
    const isRepeated = isInLimit && isSameHeader(known, fields, knownLength);
    // Tokens of many apps alternate in headers that are otherwise the same.
    const isTokenNew = !isRepeated && isInLimit && hasToken && isSameBesidesToken(known, fields, knownLength, tag - known, tagLength);
    if (isRepeated || isTokenNew) {
      if (isTokenNew) slot = 0;
      const by = fields - known;
      host += by;
      tag += by;
      pid += by;
      msgid += by;
      data += by;
      message += by;
      known = fields;
    } else {
      knownLength = 0;
      hasToken = false;
      pid = 0;
      pidLength = 0;
      msgid = 0;
      msgidLength = 0;
      data = 0;
      dataLength = 0;
      token = 0;
      tokenBytes = 0;
      elementBytes = 0;
      slot = 0;
      if (isOld) {
        if (!scanOldFields(fields, limit)) break;
        host = oldHost;
        hostSize = oldHostLength;
        if (hostSize > 0 && !isClean(host, host + hostSize, HOSTNAME_BYTES_MAX)) break;
        tag = oldTag;
        tagLength = oldTagLength;
        pid = oldPid;
        pidLength = oldPidLength;
        message = oldMessage;
      } else {
        host = fields;
        const hostEnd = skipField(host, end5424);
        hostSize = hostEnd - host;
        if (!isClean(host, hostEnd, HOSTNAME_BYTES_MAX) || load<u8>(hostEnd) != SPACE) break;
        if (hostSize == 1 && load<u8>(host) == DASH) hostSize = 0;
        tag = hostEnd + 1;
        if (sourceLength == 0 && names == 0) slot = sameToken(tokens, tag, end5424);
        hasToken = slot != 0;
        tagLength = slot != 0 ? tokenLength(slot) : findSpace(tag, end5424) - tag;
        pid = tag + tagLength + 1;
        if (pid > end5424) break;
        const pidEnd = skipField(pid, end5424);
        pidLength = pidEnd - pid;
        msgid = pidEnd + 1;
        if (load<u8>(pidEnd) != SPACE || !isClean(pid, pidEnd, PROCID_BYTES_MAX)) break;
        // "- - ": neither MSGID nor structured data, which is most lines.
        if (dataless) {
          const msgidEnd = skipField(msgid, end5424);
          if (load<u8>(msgidEnd) != SPACE || msgidEnd >= end5424 || !isClean(msgid, msgidEnd, MSGID_BYTES_MAX)) break;
          msgidLength = msgidEnd - msgid;
          message = msgidEnd + 1;
        } else if (load<u32>(msgid) == 0x202d202d && msgid + 4 <= end5424) {
          msgidLength = 1;
          data = msgid + 2;
          dataLength = 1;
          message = msgid + 4;
        } else {
          const msgidEnd = skipField(msgid, end5424);
          if (load<u8>(msgidEnd) != SPACE || !isClean(msgid, msgidEnd, MSGID_BYTES_MAX)) break;
          msgidLength = msgidEnd - msgid;
          data = msgidEnd + 1;
          token = tokenOf(data, end5424);
          if (token != 0) {
            tokenBytes = skipToken(token, end5424);
            const elementEnd = token + tokenBytes + 2;
            if (tokenBytes == 0 || elementEnd >= end5424) break;
            elementBytes = elementEnd - data;
            data = elementEnd;
            message = load<u8>(data) == SPACE ? data + 1 : skipStructuredData(data, stop, end5424);
            // Behind an element with parameters a dash isn't structured data.
            if (data + 1 < message && load<u8>(data) != 0x5b) break;
          } else message = skipStructuredData(data, stop, end5424);
          if (message == 0) break;
          dataLength = message - 1 - data;
        }
      }
    }
    // A byte order mark (RFC 5424 section 6.4) is removed by the JavaScript path; an element of its own for the token in front of the
    // message, "[tailrac", is read by it.
    if (load<u8>(message) == 0xef && load<u16>(message, 1) == 0xbfbb && message + 3 <= stop) break;
    if (load<u64>(message) == 0x6361726c6961745b) break;
    let tail: u32 = 0;
    if (stop > message && load<u8>(stop - 1) == NEWLINE) {
      tail = stop > message + 1 && load<u8>(stop - 2) == RETURN ? 2 : 1;
    }
    const messageLength = stop - tail - message;
    if (messageLength > MESSAGE_BYTES_MAX) break;

    // Whose line it is.
    if (!isRepeated && sourceLength == 0) {
      if (slot == 0) {
        let key = RULE_KEY;
        const isToken = load<u16>(tag) == 0x2e74 && tagLength > 1;
        if (names != 0) {
          key = NAME_KEY;
          slot = isOld ? findOwner(names, tag, tagLength, 0, 0) : findWord(names, tag, tagLength);
        } else if (isToken) {
          key = TOKEN_KEY;
          slot = isOld ? findOwner(tokens, tag, tagLength, 0, 0) : findWord(tokens, tag, tagLength);
        } else {
          // A host may be a token, too.
          if (rules == 0 || (hostSize > 1 && load<u16>(host) == 0x2e74)) break;
          if (token != 0) {
            key = DATA_KEY;
            slot = findOwner(tokens, tag, tagLength, token, tokenBytes);
          } else slot = findOwner(rules, tag, tagLength, host, hostSize);
        }
        if (slot == 0) {
          if (isKeyTooLong()) break;
          unknownKey = key;
          unknownTag = tag;
          unknownTagLength = tagLength;
          unknownHost = host;
          unknownHostLength = hostSize;
          unknownToken = token;
          unknownTokenLength = tokenBytes;
          why = UNKNOWN_OWNER;
          break;
        }
        if (key == TOKEN_KEY && formOf(slot) == AS_SENT) {
          rememberToken(slot);
          hasToken = !isOld;
        }
      }
      form = formOf(slot);
      if (form == LEFT_ALONE) break;
      source = sourceOf(slot);
      sourceSize = sourceLengthOf(slot);
      owner = perSource ? numberOf(slot) : appOf(slot);
    }
    if (!isRepeated) {
      known = fields;
      knownLength = message - fields;
      isKnownOld = isOld;
    }

    // The record.
    const text = at + RECORD_HEADER;
    let o = text;
    let hostAt: u32;
    let sourceAt: u32;
    let msgidAt: u32;
    let lineBytes: u32 = stop - start;
    if (!isOld && form == AS_SENT && hostSize != 0 && elementBytes == 0 && timeLength == 0 && !dataless) {
      hostAt = host - start;
      sourceAt = tag - start;
      copy(o, start, sourceAt);
      o += sourceAt;
      copy(o, source, sourceSize);
      o += sourceSize;
      const rest = tag + tagLength;
      const restLength = stop - tail - rest;
      copy(o, rest, restLength);
      msgidAt = o + (msgid - rest) - text;
      o += restLength;
    } else {
      if (timeLength != 0) {
        copy(o, start, priorityEnd - start);
        o += priorityEnd - start;
        store<u16>(o, 0x2031);
        copy(o + 2, time, timeLength);
        o += 2 + timeLength;
        store<u8>(o++, SPACE);
      } else {
        copy(o, start, host - start);
        o += host - start;
      }
      hostAt = o - text;
      const hostBytes = hostSize == 0 ? hostLength : hostSize;
      copy(o, hostSize == 0 ? stampedHost : host, hostBytes);
      o += hostBytes;
      store<u8>(o++, SPACE);
      sourceAt = o - text;
      copy(o, source, sourceSize);
      o += sourceSize;
      store<u8>(o++, SPACE);
      const dyno = o;
      if (form == WITH_DYNO) {
        const from = dynoOf(slot);
        copy(o, tag + from, tagLength - from);
        o += tagLength - from;
      } else {
        let hasPid = pidLength > 0;
        if (form != AS_SENT) {
          if (pidLength == 1 && load<u8>(pid) == DASH) hasPid = false;
          if (pidLength == sourceSize && isEqual(pid, source, sourceSize)) hasPid = false;
          if (form == WITH_PROGRAM) {
            copy(o, tag, tagLength);
            o += tagLength;
            if (hasPid) store<u8>(o++, 0x2e);
          }
        }
        if (hasPid) {
          copy(o, pid, pidLength);
          o += pidLength;
        } else if (o == dyno) store<u8>(o++, DASH);
        // Two words may make a token of one.
        if (form == WITH_PROGRAM && o - dyno >= TOKEN_TEXT_BYTES_MIN && mayHoldToken(dyno, o)) break;
        if (o - dyno > PROCID_BYTES_MAX) break;
      }
      store<u8>(o++, SPACE);
      msgidAt = o - text;
      if (msgidLength == 0 || (form == WITH_DYNO && msgidLength == tagLength && isEqual(msgid, tag, tagLength))) store<u8>(o++, DASH);
      else {
        copy(o, msgid, msgidLength);
        o += msgidLength;
      }
      store<u8>(o++, SPACE);
      if (dataLength == 0) store<u8>(o++, DASH);
      else {
        copy(o, data, dataLength);
        o += dataLength;
      }
      store<u8>(o++, SPACE);
      copy(o, message, messageLength);
      o += messageLength;
      if (form != AS_SENT) {
        // The line that the JavaScript path writes has no host when none was sent, and still the element with the token.
        lineBytes = o - text + tail;
        if (hostSize == 0) lineBytes -= hostBytes - 1;
        if (!isOld && timeLength != 0) lineBytes -= timeLength - 1;
        if (elementBytes != 0) lineBytes += dataLength == 0 ? elementBytes - 1 : elementBytes;
      } else if (isOld) {
        lineBytes = priorityEnd - start + 2 + timeLength + 1 + (hostSize == 0 ? 1 : hostSize) + 1;
        lineBytes += tagLength + 1 + (pidLength == 0 ? 1 : pidLength) + 5 + messageLength + tail;
      }
    }
    storeHeader(at, o - text, hostAt, sourceAt, msgidAt, o - messageLength - text);
    if (count == 0 || owner != runOwner) {
      if (count > 0) endRun(run, lastSlot, runLines, at, runBytes);
      run += RUN_BYTES;
      runOwner = owner;
      runLines = 0;
      runBytes = 0;
    }
    runLines++;
    runBytes += lineBytes;
    slotTwoBefore = slotBefore;
    slotBefore = lastSlot;
    lastSlot = slot == 0 ? NO_SLOT : numberOf(slot);
    before = last;
    beforeOut = lastOut;
    beforeLength = lastLength;
    isBeforeStamped = isLastStamped;
    isLastStamped = hostSize == 0 ? 1 : 0;
    last = frame;
    lastOut = at;
    lastLength = lineBytes;
    at = o;
    count++;
    i = next;
    why = PARTIAL;
  }
  if (count > 0) endRun(run, lastSlot, runLines, at, runBytes);
  position = i;
  produced = at;
  lines = count;
  runs = (run + RUN_BYTES - runsAt) / RUN_BYTES;
  lastFrame = last;
  lastRecord = lastOut;
  lastBytes = lastLength;
  frameBefore = before;
  recordBefore = beforeOut;
  bytesBefore = beforeLength;
  lastStamped = isLastStamped;
  stampedBefore = isBeforeStamped;
  lastOwner = lastSlot;
  ownerBefore = slotBefore;
  ownerTwoBefore = slotTwoBefore;
  return why;
}

/** Where the token is in the structured data at `start`, when they begin with the element that holds one; or 0. */
function tokenOf(start: u32, limit: u32): u32 {
  if (start + TOKEN_ELEMENT_BYTES >= limit) return 0;
  // "[tailrac", "e@32473 ", and " token=" with a quote.
  if (load<u64>(start) != 0x6361726c6961745b || load<u64>(start, 8) != 0x2033373432334065) return 0;
  return load<u64>(start, 15) == 0x223d6e656b6f7420 ? start + TOKEN_ELEMENT_BYTES : 0;
}

/** Bytes of the token at `start`, which has to end with the element; or 0. No branch depends on what the token is. */
function skipToken(start: u32, limit: u32): u32 {
  if (load<u16>(start) != 0x2e74) return 0;
  let i = start + 2;
  for (; i < limit; i += 16) {
    const bytes = v128.load(i);
    const letters = i8x16.le_u(i8x16.sub(v128.or(bytes, i8x16.splat(0x20)), i8x16.splat(0x61)), i8x16.splat(25));
    const digits = i8x16.le_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(9));
    const others = v128.or(i8x16.eq(bytes, i8x16.splat(0x2d)), i8x16.eq(bytes, i8x16.splat(0x5f)));
    const found = ~i8x16.bitmask(v128.or(v128.or(letters, digits), others)) & 0xffff;
    if (found != 0) {
      i += ctz<i32>(found);
      break;
    }
  }
  const length = i - start;
  if (length < TOKEN_BYTES_MIN || length > TOKEN_BYTES_MAX || i + 2 > limit) return 0;
  return load<u16>(i) == 0x5d22 ? length : 0;
}

/** @param slot number of its last line's: what follows that line is of the same source */
function endRun(run: u32, slot: u32, runLines: u32, end: u32, bytes: u32): void {
  store<u32>(run, slot);
  store<u32>(run, runLines, 4);
  store<u32>(run, end, 8);
  store<u32>(run, bytes, 12);
}

/** Are the `length` bytes of two headers the same? Those of short ones aren't compared. */
function isSameHeader(a: u32, b: u32, length: u32): bool {
  if (length < 16) return false;
  const last = length - 16;
  for (let i: u32 = 0; i < last; i += 16)
    if (v128.any_true(v128.xor(v128.load(a + i), v128.load(b + i)))) return false;
  return !v128.any_true(v128.xor(v128.load(a + last), v128.load(b + last)));
}

/** The same, besides a token at `at` in them, which has to be as long in the one at `b`. */
function isSameBesidesToken(a: u32, b: u32, length: u32, at: u32, wordLength: u32): bool {
  const behind = at + wordLength;
  // The space behind the word, too: there may be none in it. No other word than a token has another kind of owner.
  return (
    load<u16>(b + at) == 0x2e74 &&
    isEqual(a, b, at) &&
    isEqual(a + behind, b + behind, length - behind) &&
    findSpace(b + at, b + behind) == b + behind
  );
}
