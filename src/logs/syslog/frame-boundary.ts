/**
 * Where frames may begin and end in a byte stream: what the framing of RFC 6587 goes by when a sender's counts can't be right.
 * Functions on bytes, without state.
 */
import { SyslogHeader, scanHeader } from './header.ts';

const NUL = 0x00;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const PLUS = 0x2b;
const DASH = 0x2d;
const ZERO = 0x30;
const ONE = 0x31;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
/** The first byte of a byte order mark in UTF-8, EF BB BF. */
const MARK = 0xef;
export const MARK_BYTES = 3;

/** Bytes of a frame that are taken: what a longer one has beyond them is skipped, and it is counted. */
export const FRAME_BYTES_MAX = 1_048_576;
/** `1048576`: a count with more digits is over the limit. */
const COUNT_DIGITS_MAX = 7;
/** A count of any length will do. */
const ANY_DIGITS = -1;
/** Digits that may still be a count, of a sender that counts wrong. */
const DIGITS_MAX = 10;
/** So many frames without a PRI, one behind the other, are no accident. */
const BARE_FRAMES_MAX = 3;
/** Places that are tried for the beginning of a run of frames: those nearest to its end. */
const PLACES_MAX = 16_384;
/** A count that is so many bytes too small is recognized: off by one, a line end, a byte order mark. */
const SHORTFALL_MAX = 3;
/** A count that is so many bytes too large may have taken digits of the next one. */
const EXCESS_MAX = 8;

/** `0` to `9` in ASCII; false for undefined, as behind the end of bytes. */
export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

/** Line ends and NULs between frames are separators (RFC 6587 section 3.4.2 knows senders of both). */
export function isSeparator(byte: number): boolean {
  return byte === NEWLINE || byte === RETURN || byte === NUL;
}

/** Does a byte order mark begin at `at`? Undefined when there are too few bytes to say. */
export function hasByteOrderMark(bytes: Uint8Array, at: number): boolean | undefined {
  if (bytes[at] !== MARK) return at < bytes.length ? false : undefined;
  if (at + 1 < bytes.length && bytes[at + 1] !== 0xbb) return false;
  if (at + 2 < bytes.length) return bytes[at + 2] === 0xbf;
  return undefined;
}

/** Does a PRI (`<13>`) begin at `at`, maybe behind a byte order mark? Undefined when there are too few bytes to say. */
export function hasPriority(bytes: Uint8Array, at: number): boolean | undefined {
  if (at + 5 <= bytes.length && isPriorityAt(bytes, at)) return true;
  let i = at;
  if (bytes[i] === MARK) {
    const isMark = hasByteOrderMark(bytes, i);
    if (!isMark) return isMark;
    i += MARK_BYTES;
  }
  const { length } = bytes;
  if (i >= length) return undefined;
  if (bytes[i++] !== LESS_THAN) return false;
  const first = i;
  while (i < length && i - first < 3 && isDigit(bytes[i])) i++;
  if (i === length) return undefined;
  return i > first && bytes[i] === GREATER_THAN;
}

/** What is behind a counted frame, by {@link lookBehind}. */
export const Behind = {
  /** Nothing that can begin there: the frame's count is wrong, or what follows is no frame. */
  nothing: 0,
  /** A frame, what separates frames, or too few bytes to say. */
  frame: 1,
  /** A number that may be the count of a frame without a PRI, which isn't there to its end. */
  number: 2,
} as const;
export type Behind = (typeof Behind)[keyof typeof Behind];

/**
 * Is what is at `at`, behind a counted frame, beyond doubt: the end of the bytes, or another counted frame with a PRI? Nearly always; it
 * is asked for every frame. With a count of another length than `digits` the same has to be behind that one as well.
 *
 * @param digits the frame's own count has; 0: that isn't known; {@link ANY_DIGITS}
 */
export function isBeyondDoubt(bytes: Uint8Array, at: number, digits: number): boolean {
  const { length } = bytes;
  if (at >= length) return true;
  let i = at;
  let byte = bytes[i];
  if (byte === ZERO) return false;
  let count = 0;
  while (byte >= ZERO && byte <= 0x39) {
    count = count * 10 + (byte - ZERO);
    if (++i >= length) return false;
    byte = bytes[i];
  }
  const found = i - at;
  if (byte !== SPACE || found === 0 || ++i >= length || bytes[i] !== LESS_THAN) return false;
  if (found === digits || digits === ANY_DIGITS) return true;
  return found < COUNT_DIGITS_MAX && isBeyondDoubt(bytes, i + count, ANY_DIGITS);
}

/** Does a PRI begin at `at`? There have to be five bytes; a byte order mark isn't read over. */
export function isPriorityAt(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== LESS_THAN || !isDigit(bytes[at + 1])) return false;
  const second = bytes[at + 2];
  if (second === GREATER_THAN) return true;
  if (!isDigit(second)) return false;
  const third = bytes[at + 3];
  return third === GREATER_THAN || (isDigit(third) && bytes[at + 4] === GREATER_THAN);
}

/** What is at `at`, behind a counted frame. */
export function lookBehind(bytes: Uint8Array, at: number): Behind {
  const { length } = bytes;
  if (at >= length) return Behind.frame;
  const byte = bytes[at];
  if (isDigit(byte)) return lookAtCounts(bytes, at);
  if (isSeparator(byte)) return Behind.frame;
  if (byte === LESS_THAN) return hasPriority(bytes, at) === false ? Behind.nothing : Behind.frame;
  return byte === MARK && hasByteOrderMark(bytes, at) !== false ? Behind.frame : Behind.nothing;
}

/** Is there a count at `at`, and a frame, or the end of the bytes, where it says that its own frame ends? */
export function fitsCount(bytes: Uint8Array, at: number): boolean {
  const countEnd = digitsEnd(bytes, at);
  if (countEnd === at || countEnd - at > COUNT_DIGITS_MAX || bytes[countEnd] !== SPACE) return false;
  const end = countEnd + 1 + readCount(bytes, at, countEnd);
  return end <= bytes.length && lookBehind(bytes, end) === Behind.frame;
}

/** What is at the digits at `from`: behind a frame without a PRI another one has to begin, or what separates frames. */
function lookAtCounts(bytes: Uint8Array, from: number): Behind {
  const { length } = bytes;
  let at = from;
  for (let frames = 0; frames < BARE_FRAMES_MAX; frames++) {
    if (frames > 0 && (at === length || isSeparator(bytes[at]) || hasPriority(bytes, at)))
      return Behind.frame;
    const countEnd = digitsEnd(bytes, at);
    if (countEnd === at || countEnd - at > DIGITS_MAX) return Behind.nothing;
    if (countEnd === length) return Behind.frame;
    if (bytes[countEnd] !== SPACE) return Behind.nothing;
    const content = countEnd + 1;
    if (hasPriority(bytes, content) !== false) return Behind.frame;
    const count = readCount(bytes, at, countEnd);
    const isEmpty = count === 0 && countEnd - at === 1;
    if (!isEmpty && (bytes[at] === ZERO || count > FRAME_BYTES_MAX)) return Behind.nothing;
    at = content + count;
    if (at > length) return Behind.number;
  }
  return Behind.frame;
}

/** Is there a frame with a PRI at `at`, counted or not? */
export function beginsWithPriority(bytes: Uint8Array, at: number): boolean {
  const countEnd = digitsEnd(bytes, at);
  if (countEnd === at) return hasPriority(bytes, at) === true;
  if (countEnd - at > DIGITS_MAX || bytes[countEnd] !== SPACE) return false;
  return hasPriority(bytes, countEnd + 1) === true;
}

/**
 * How many of the counted frames that end one behind the other at `at` may have a wrong end, by what is there: 0, 1 or 2. The frame
 * before the last one has, when its count and the last one's were cut apart in the wrong place.
 */
export function framesInDoubt(bytes: Uint8Array, at: number): number {
  if (isBeyondDoubt(bytes, at, 0)) return 0;
  const behind = lookBehind(bytes, at);
  if (behind === Behind.nothing) return 2;
  return behind === Behind.number || isContradicted(bytes, at) || isBehindCount(bytes, at) ? 1 : 0;
}

/** Does a PRI begin at `at` that the end of the frame before may be the count of? */
export function isBehindCount(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === LESS_THAN && bytes[at - 1] === SPACE && isDigit(bytes[at - 2]);
}

/** Is there a counted frame at `at` with a PRI and a count that can't be right, as far as can be seen? */
export function isContradicted(bytes: Uint8Array, at: number): boolean {
  const countEnd = digitsEnd(bytes, at);
  if (countEnd === at || countEnd - at > DIGITS_MAX || bytes[countEnd] !== SPACE) return false;
  const content = countEnd + 1;
  if (hasPriority(bytes, content) !== true) return false;
  const count = readCount(bytes, at, countEnd);
  return count === 0 || count > FRAME_BYTES_MAX || lookBehind(bytes, content + count) === Behind.nothing;
}

/**
 * Where the next frame with a PRI begins, behind `from` and before `limit`: a counted one, or a header of RFC 5424 without a count. -1
 * when there is none, or `~at` when from `at` on more bytes are needed to say.
 *
 * @param digits its count is likely to have; 0: that isn't known
 * @param search what is before it was searched already
 */
export function findFrame(
  bytes: Uint8Array,
  from: number,
  limit: number,
  digits: number,
  search = from,
): number {
  // A count, a space and a byte order mark may be before the PRI.
  const end = Math.min(bytes.length, limit + DIGITS_MAX + 1 + MARK_BYTES + 1);
  for (
    let at = bytes.indexOf(LESS_THAN, search);
    at !== -1 && at < end;
    at = bytes.indexOf(LESS_THAN, at + 1)
  ) {
    const hasMark = at - MARK_BYTES > from && hasByteOrderMark(bytes, at - MARK_BYTES) === true;
    const space = at - 1 - (hasMark ? MARK_BYTES : 0);
    const isBehindDigit = space > from + 1 && bytes[space] === SPACE && isDigit(bytes[space - 1]);
    let start = at;
    let isFrame: boolean | undefined = false;
    if (isBehindDigit && !isAllDigits(bytes, from, space)) {
      start = chooseCount(bytes, from + 1, space, digits);
      isFrame = start !== -1 && hasPriority(bytes, at);
    } else if (at > from) isFrame = beginsHeader(bytes, at);
    if (isFrame === false || start >= limit) continue;
    return isFrame ? start : ~at;
  }
  return -1;
}

/** Does a header of RFC 5424 begin at `at`, as far as its time? Undefined when there are too few bytes to say. */
function beginsHeader(bytes: Uint8Array, at: number): boolean | undefined {
  const isPriority = hasPriority(bytes, at);
  if (!isPriority) return isPriority;
  const { length } = bytes;
  const version = bytes.indexOf(GREATER_THAN, at) + 1;
  if (version + 3 >= length) return undefined;
  if (bytes[version] !== ONE || bytes[version + 1] !== SPACE) return false;
  const time = version + 2;
  if (bytes[time] === DASH) return bytes[time + 1] === SPACE;
  for (let i = 0; i < 4; i++) if (!isDigit(bytes[time + i])) return time + i < length ? false : undefined;
  return time + 4 < length ? bytes[time + 4] === DASH : undefined;
}

/** How well a count fits what is there, by {@link rankCount}. */
const CountRank = { impossible: 0, notThere: 1, possible: 2, fitting: 3 } as const;

/** @param digits counts have, as far as is known; 0: it isn't */
function rankCount(bytes: Uint8Array, start: number, space: number, digits: number): number {
  const count = readCount(bytes, start, space);
  if (count > FRAME_BYTES_MAX || count === 0) return CountRank.impossible;
  const end = space + 1 + count;
  if (end > bytes.length) return CountRank.notThere;
  if (lookBehind(bytes, end) === Behind.nothing) return CountRank.impossible;
  const isFitting = lands(bytes, end, digits) && !isContradicted(bytes, end);
  return isFitting ? CountRank.fitting : CountRank.possible;
}

/**
 * Where a count begins whose last digit is before `space`, and not before `from`: the digits in front of it may be the end of the
 * message before. One whose frame's end fits, or one that has so many `digits`, or the likeliest, or the longest.
 */
function chooseCount(bytes: Uint8Array, from: number, space: number, digits: number): number {
  const fitting = findFittingCount(bytes, from, space, digits);
  if (fitting !== -1) return fitting;
  let start = space;
  while (start > from && isDigit(bytes[start - 1])) start--;
  // All of it may be a count, if a wrong one.
  if (space - start > COUNT_DIGITS_MAX || readCount(bytes, start, space) > FRAME_BYTES_MAX) return start;
  let best = -1;
  let bestRank = -1;
  for (; start < space; start++) {
    if (bytes[start] === ZERO && start < space - 1) continue;
    const rank = space - start === digits ? CountRank.fitting : rankCount(bytes, start, space, digits);
    if (rank <= bestRank) continue;
    best = start;
    bestRank = rank;
  }
  return best;
}

/** Where the longest count begins whose last digit is before `space`, that isn't before `from`, and whose frame's end fits; or -1. */
export function findFittingCount(bytes: Uint8Array, from: number, space: number, digits: number): number {
  for (let start = firstDigit(bytes, from, space); start < space; start++)
    if (bytes[start] !== ZERO && rankCount(bytes, start, space, digits) === CountRank.fitting) return start;
  return -1;
}

/**
 * Where the count begins that the end of a frame may be, when a PRI begins at `priorityAt`, behind the frame: its count is too large then.
 * -1 when it is the message's end, and what follows a line; `undefined` when more bytes are needed to say.
 *
 * @param from where the count may begin
 * @param digits the frame's own count has
 * @param mayWait more bytes may come
 */
export function findSwallowedCount(
  bytes: Uint8Array,
  from: number,
  priorityAt: number,
  digits: number,
  mayWait: boolean,
): number | undefined {
  const { length } = bytes;
  const space = priorityAt - 1;
  const priorityEnd = bytes.indexOf(GREATER_THAN, priorityAt);
  for (let start = firstDigit(bytes, from, space); start < space; start++) {
    if (bytes[start] === ZERO || rankCount(bytes, start, space, digits) !== CountRank.fitting) continue;
    const end = priorityAt + readCount(bytes, start, space);
    // A frame has at least its PRI.
    if (priorityEnd === -1 || priorityEnd >= end) continue;
    // A line, and maybe frames behind it, have just as many bytes as the number says.
    if (!isSeparator(bytes[start - 1]) && isLineWithin(bytes, priorityAt, end)) continue;
    // Maybe only because no more has come.
    return end === length && mayWait ? undefined : start;
  }
  return -1;
}

/** Does a line end in `bytes[start, end]` so that nothing, or a frame, is behind it? */
function isLineWithin(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at <= end && at < bytes.length && !isSeparator(bytes[at])) at++;
  if (at > end || at >= bytes.length) return false;
  while (at < end && isSeparator(bytes[at])) at++;
  return at >= end || beginsWithPriority(bytes, at);
}

/**
 * Where the next count begins behind a frame whose content begins at `content`, when the count at `end`, where the frame should end,
 * can't be right: digits of the message may have been taken for some of the count, or the other way round.
 *
 * @param digits the frame's own count has: the next one's will be as long
 * @returns -1 when there is no better place
 */
export function realignCount(bytes: Uint8Array, content: number, end: number, digits: number): number {
  const space = bytes.indexOf(SPACE, end);
  const start = space - digits;
  if (start <= content || start === end || firstDigit(bytes, start, space) !== start) return -1;
  if (bytes[start] === ZERO) return -1;
  const rank = rankCount(bytes, start, space, digits);
  if (rank === CountRank.fitting) return start;
  // The digits that a message ends with are its own, unless its count was too large, as the next one's may be as well.
  if (start > end || rank === CountRank.impossible) return -1;
  const missing = space + 1 + readCount(bytes, start, space) - bytes.length;
  return missing <= EXCESS_MAX ? start : -1;
}

/**
 * The end of the frame whose content begins at `content`, when its count can't be right: in characters instead of bytes, or a few
 * too small, and what follows then fits. -1 when that doesn't explain it, `undefined` when more bytes are needed to say.
 *
 * @param digits its count has
 */
export function explainShortCount(
  bytes: Uint8Array,
  content: number,
  count: number,
  digits: number,
): number | undefined {
  const end = content + count;
  const codePoints = charactersEnd(bytes, content, count, false);
  if (codePoints !== end) {
    const codeUnits = charactersEnd(bytes, content, count, true);
    const places = [codeUnits, codePoints].filter(
      (at) => at !== undefined && at !== end && lands(bytes, at, 0),
    );
    const whole = places.find((at) => !isContradicted(bytes, at!)) ?? places[0];
    if (whole !== undefined || codePoints === undefined) return whole;
  }
  for (let more = 1; more <= SHORTFALL_MAX; more++)
    if (isCountPrefix(bytes, end, more)) continue;
    else if (lands(bytes, end + more, digits)) return end + more;
  return -1;
}

/** Are these few bytes what stands in front of a count, or another count, rather than the end of a message? */
function isCountPrefix(bytes: Uint8Array, start: number, length: number): boolean {
  if (bytes[start + length - 1] === SPACE) return true;
  for (let i = start; i < start + length; i++) if (bytes[i] === PLUS || bytes[i] === DASH) return true;
  return false;
}

/** Where lines follow that aren't counted: the first newline with a PRI behind it, from `from` on and before `limit`; or -1. */
export function findLineWithPriority(bytes: Uint8Array, from: number, limit: number): number {
  for (let at = bytes.indexOf(NEWLINE, from); at !== -1 && at < limit; at = bytes.indexOf(NEWLINE, at + 1))
    if (hasPriority(bytes, at + 1) === true) return at;
  return -1;
}

const scratch = new SyslogHeader();

/** Does the frame `bytes[start, end)` have the version of RFC 5424, and end before its message begins? */
export function endsInHeader(bytes: Uint8Array, start: number, end: number): boolean {
  const from = hasByteOrderMark(bytes, start) ? start + MARK_BYTES : start;
  let i = from + 1;
  while (i < end && isDigit(bytes[i])) i++;
  if (i >= end) return true;
  if (bytes[i] !== GREATER_THAN || (i + 1 < end && bytes[i + 1] !== ONE)) return false;
  if (i + 2 < end && bytes[i + 2] !== SPACE) return false;
  return !scanHeader(bytes, from, end, scratch) || scratch.sdStart >= end;
}

/**
 * Where a run of counted frames with PRIs begins that goes on, without a gap, exactly to the end of the bytes: the first such place
 * behind `from`, or -1.
 *
 * @param framesMin so many frames it has to have
 */
export function findFramesToEnd(bytes: Uint8Array, from: number, framesMin: number): number {
  const { length } = bytes;
  /** How many frames there are from a place on to the end. */
  const frames = new Map<number, number>([[length, 0]]);
  let found = -1;
  let left = PLACES_MAX;
  for (
    let at = bytes.lastIndexOf(LESS_THAN);
    at > from && left > 0;
    at = bytes.lastIndexOf(LESS_THAN, at - 1)
  ) {
    const space = at - 1;
    if (bytes[space] !== SPACE || !isDigit(bytes[space - 1]) || !hasPriority(bytes, at)) continue;
    left--;
    const first = Math.max(from + 1, firstDigit(bytes, from + 1, space));
    for (let start = space - 1; start >= first; start--) {
      if (bytes[start] === ZERO) continue;
      let end = at + readCount(bytes, start, space);
      while (end < length && isSeparator(bytes[end])) end++;
      const behind = frames.get(end);
      if (behind === undefined) continue;
      frames.set(start, behind + 1);
      if (behind + 1 >= framesMin) found = start;
    }
  }
  return found;
}

/** The number in `bytes[start, end)`, digits. */
export function readCount(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let i = start; i < end; i++) count = count * 10 + (bytes[i] - ZERO);
  return count;
}

/**
 * Does a frame that ends at `at` end where the bytes do, in front of a separator, or of a counted frame with a PRI?
 *
 * @param digits that one's count has to have; 0: any number of them
 */
function lands(bytes: Uint8Array, at: number, digits: number): boolean {
  const { length } = bytes;
  if (at >= length) return at === length;
  if (isSeparator(bytes[at])) return true;
  if (!isDigit(bytes[at]) || !beginsWithPriority(bytes, at)) return false;
  return digits === 0 || digitsEnd(bytes, at) - at === digits;
}

function isAllDigits(bytes: Uint8Array, start: number, end: number): boolean {
  let i = end;
  while (i > start && isDigit(bytes[i - 1])) i--;
  return i === start;
}

function digitsEnd(bytes: Uint8Array, at: number): number {
  let i = at;
  while (i < bytes.length && isDigit(bytes[i]) && i - at <= DIGITS_MAX) i++;
  return i;
}

/** The first of the digits before `space` that may begin a count, not before `from`. */
function firstDigit(bytes: Uint8Array, from: number, space: number): number {
  const least = Math.max(from, space - COUNT_DIGITS_MAX);
  let start = space;
  while (start > least && isDigit(bytes[start - 1])) start--;
  return start;
}

/** The end of so many characters: code points, or code units of UTF-16. Undefined when they aren't all there. */
function charactersEnd(
  bytes: Uint8Array,
  start: number,
  count: number,
  isUtf16: boolean,
): number | undefined {
  const { length } = bytes;
  let i = start;
  for (let left = count; left > 0; left--) {
    if (i >= length) return undefined;
    const byte = bytes[i];
    if (byte < 0xc0) i++;
    else if (byte < 0xe0) i += 2;
    else if (byte < 0xf0) i += 3;
    else {
      i += 4;
      if (isUtf16) left--;
    }
  }
  return i > length ? undefined : i;
}
