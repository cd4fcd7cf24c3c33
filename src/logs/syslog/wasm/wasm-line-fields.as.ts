/**
 * The header of a line behind its time, from HOSTNAME to the message. It is kept for the next line, whose header is mostly the same
 * there, or the same but for its token.
 */
import { DASH, SPACE } from '../../../common/wasm/wasm-ascii.as';
import { findSpace, isClean, skipField, skipStructuredData } from './wasm-header.as';
import { isEqual, sameToken, tokenLength } from './wasm-owners.as';
import { MSGID_BYTES_MAX, PROCID_BYTES_MAX } from './wasm-record.as';
import {
  oldHost,
  oldHostLength,
  oldMessage,
  oldPid,
  oldPidLength,
  oldTag,
  oldTagLength,
  scanOldFields,
} from './wasm-rfc3164.as';

const HOSTNAME_BYTES_MAX: u32 = 255;
/** `[tailrace@32473 token="` */
const TOKEN_ELEMENT_BYTES: u32 = 23;
const TOKEN_BYTES_MIN: u32 = 3;
const TOKEN_BYTES_MAX: u32 = 66;

/** Where each field is, behind the header's beginning, and its bytes; without any, it isn't there. */
export let host: u32 = 0;
export let hostBytes: u32 = 0;
/** APP-NAME, or the tag of RFC 3164. */
export let tag: u32 = 0;
export let tagBytes: u32 = 0;
export let pid: u32 = 0;
export let pidBytes: u32 = 0;
export let msgid: u32 = 0;
export let msgidBytes: u32 = 0;
export let data: u32 = 0;
export let dataBytes: u32 = 0;
/** The token in structured data, and the element that holds it, which isn't stored. */
export let token: u32 = 0;
export let tokenBytes: u32 = 0;
export let elementBytes: u32 = 0;
export let message: u32 = 0;
/** The slot of the token in APP-NAME, when it is that of the last line; or 0. */
export let tokenSlot: u32 = 0;

/** Where the header was that is known; nothing is while it has no length. */
let known: u32 = 0;
let knownBytes: u32 = 0;
let isKnownOld = false;
/** Its APP-NAME is a token. */
let hasToken = false;

/** What is known of a header: nothing; all of it; or all but its token. */
export const NEW: u32 = 0;
export const REPEATED: u32 = 1;
export const OTHER_TOKEN: u32 = 2;

/** Nothing is known of the header that was read last. */
export function forgetFields(): void {
  knownBytes = 0;
  isKnownOld = false;
  hasToken = false;
}

/** The APP-NAME of the header that was read last is a token, in a header of RFC 5424. */
export function noteToken(): void {
  hasToken = !isKnownOld;
}

/** Is the header at `at` the one that was read last? Then that one's fields are its own. */
export function recallFields(at: u32, limit: u32, isOld: bool): u32 {
  if (isOld != isKnownOld || at + knownBytes > limit) return NEW;
  if (!isSameHeader(known, at, knownBytes)) {
    // Tokens of many apps alternate in headers that are otherwise the same.
    if (!hasToken || !isSameBesidesToken(known, at, knownBytes, tag, tagBytes)) return NEW;
    known = at;
    tokenSlot = 0;
    return OTHER_TOKEN;
  }
  known = at;
  return REPEATED;
}

/** Reads the fields of RFC 3164 at `at`; false when they aren't supported. */
export function readOldFields(at: u32, limit: u32): bool {
  if (!scanOldFields(at, limit)) return false;
  clearFields();
  host = oldHost - at;
  hostBytes = oldHostLength;
  if (hostBytes > 0 && !isClean(oldHost, oldHost + hostBytes, HOSTNAME_BYTES_MAX)) return false;
  tag = oldTag - at;
  tagBytes = oldTagLength;
  pid = oldPid - at;
  pidBytes = oldPidLength;
  message = oldMessage - at;
  keepFields(at, true);
  return true;
}

/**
 * Reads the fields of RFC 5424 at `at`; false when they aren't supported.
 * @param stop where the line ends, and `limit`, where its header does at the latest
 * @param tokens in which scope a token in APP-NAME is looked for, or 0
 * @param dataless behind MSGID comes the message
 */
// @ts-ignore: decorator of AssemblyScript
@inline
export function readFields(at: u32, stop: u32, limit: u32, tokens: u32, dataless: bool): bool {
  clearFields();
  host = 0;
  const hostEnd = skipField(at, limit);
  hostBytes = hostEnd - at;
  if (!isClean(at, hostEnd, HOSTNAME_BYTES_MAX) || load<u8>(hostEnd) != SPACE) return false;
  if (hostBytes == 1 && load<u8>(at) == DASH) hostBytes = 0;
  const tagAt = hostEnd + 1;
  tokenSlot = sameToken(tokens, tagAt, limit);
  tagBytes = tokenSlot != 0 ? tokenLength(tokenSlot) : findSpace(tagAt, limit) - tagAt;
  const pidAt = tagAt + tagBytes + 1;
  if (pidAt > limit) return false;
  const pidEnd = skipField(pidAt, limit);
  pidBytes = pidEnd - pidAt;
  if (load<u8>(pidEnd) != SPACE || !isClean(pidAt, pidEnd, PROCID_BYTES_MAX)) return false;
  tag = tagAt - at;
  pid = pidAt - at;
  if (!readRest(at, pidEnd + 1, stop, limit, dataless)) return false;
  keepFields(at, false);
  if (tokenSlot != 0) hasToken = true;
  return true;
}

/** MSGID and structured data, `- -` when there are none, are one piece behind PROCID. */
// @ts-ignore: decorator of AssemblyScript
@inline
function readRest(at: u32, msgidAt: u32, stop: u32, limit: u32, dataless: bool): bool {
  msgid = msgidAt - at;
  // "- - ": neither MSGID nor structured data, which is most lines.
  if (!dataless && load<u32>(msgidAt) == 0x202d202d && msgidAt + 4 <= limit) {
    msgidBytes = 1;
    data = msgid + 2;
    dataBytes = 1;
    message = msgid + 4;
    return true;
  }
  const msgidEnd = skipField(msgidAt, limit);
  if (load<u8>(msgidEnd) != SPACE || !isClean(msgidAt, msgidEnd, MSGID_BYTES_MAX)) return false;
  msgidBytes = msgidEnd - msgidAt;
  if (dataless) {
    message = msgidEnd + 1 - at;
    return msgidEnd < limit;
  }
  return readData(at, msgidEnd + 1, stop, limit);
}

/** Structured data, in front of which may be the element that holds the token. */
// @ts-ignore: decorator of AssemblyScript
@inline
function readData(at: u32, from: u32, stop: u32, limit: u32): bool {
  let dataAt = from;
  let messageAt: u32;
  const tokenAt = tokenOf(dataAt, limit);
  if (tokenAt != 0) {
    tokenBytes = skipToken(tokenAt, limit);
    const elementEnd = tokenAt + tokenBytes + 2;
    if (tokenBytes == 0 || elementEnd >= limit) return false;
    token = tokenAt - at;
    elementBytes = elementEnd - dataAt;
    dataAt = elementEnd;
    messageAt = load<u8>(dataAt) == SPACE ? dataAt + 1 : skipStructuredData(dataAt, stop, limit);
    // Behind an element with parameters a dash isn't structured data.
    if (dataAt + 1 < messageAt && load<u8>(dataAt) != 0x5b) return false;
  } else messageAt = skipStructuredData(dataAt, stop, limit);
  if (messageAt == 0) return false;
  data = dataAt - at;
  dataBytes = messageAt - 1 - dataAt;
  message = messageAt - at;
  return true;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function clearFields(): void {
  hasToken = false;
  pidBytes = 0;
  msgidBytes = 0;
  dataBytes = 0;
  tokenBytes = 0;
  elementBytes = 0;
  tokenSlot = 0;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function keepFields(at: u32, isOld: bool): void {
  known = at;
  knownBytes = message;
  isKnownOld = isOld;
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
