/**
 * The WebAssembly fast path of drains' filters and redaction: what can be told of each line of a shipment from its bytes. Compiled by
 * `npm run build:wasm` (AssemblyScript) into `wasm-scan-binary.ts`. It may always say that it doesn't know, and must never be wrong:
 * levels are defined by `syslog/level.ts`, events by `syslog/event-lines.ts`, what is redacted by `redaction.ts`.
 *
 * Memory is laid out by the caller (`wasm-scan.ts`). Reads may run over the end of the input by up to 63 bytes.
 */
import { SPACE } from '../../../common/wasm/wasm-ascii.as';
import { isDigit, isLargeLetter, isSmallLetter } from '../../../common/wasm/wasm-common.as';
import { splat } from '../../../common/wasm/wasm-splat.as';
import { levelOf } from '../../syslog/wasm/wasm-level.as';
import {
  hostOffset,
  messageOffset,
  msgidOffset,
  RECORD_HEADER,
  textLength,
} from '../../syslog/wasm/wasm-record.as';

/** What every module has; only `position` is used here: where the records end. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

/** What is asked for. */
const LEVELS: u32 = 1;
const SENDERS: u32 = 2;
const EVENTS: u32 = 64;

/** What is told of a line; the last three are asked for, too. */
const BEGINS: u32 = 1;
const TAKES_ANY: u32 = 2;
const HAS_AT: u32 = 4;
const HAS_BEARER: u32 = 8;
const HAS_CARD: u32 = 16;
const SECRETS: u32 = HAS_AT | HAS_BEARER | HAS_CARD;

/** An entry of the table of senders: in which call it was used, the key's place and length, the first and the last line of it. */
const ENTRY_BYTES: u32 = 20;
const ENTRIES: u32 = 2_048;
/** With more of them than that, events are followed line by line. */
const SENDERS_MAX: u32 = 999;
/** Digits of the shortest card number. */
const CARD_DIGITS: u32 = 13;

let table: u32 = 0;
let levelList: u32 = 0;
let factList: u32 = 0;
let firstList: u32 = 0;
let previousList: u32 = 0;
let startList: u32 = 0;
let generation: u32 = 0;
let senders: u32 = 0;

/** Where the table of senders is, and what is told of each line: bytes for levels and facts, words for the others. */
export function setUp(entries: u32, levels: u32, facts: u32, firsts: u32, previous: u32, starts: u32): void {
  table = entries;
  levelList = levels;
  factList = facts;
  firstList = firsts;
  previousList = previous;
  startList = starts;
}

/** Forgets senders: a shipment begins. */
export function clear(): void {
  generation++;
  senders = 0;
}

/** Scans `count` records from `from` on, the first of which is line `index`; false when there are too many senders. */
export function scan(from: u32, count: u32, index: u32, asked: u32): bool {
  let i = from;
  for (let line = index; line < index + count; line++) {
    const text = i + RECORD_HEADER;
    const host = text + hostOffset(i);
    const msgid = text + msgidOffset(i);
    const message = text + messageOffset(i);
    const end = text + textLength(i);
    store<u32>(startList + 4 * line, i - from);
    if (asked & LEVELS) store<u8>(levelList + line, recordLevel(text, message, end));
    if (asked & SENDERS && !noteSender(host, msgid - host, line)) return false;
    let facts: u32 = 0;
    if (asked & EVENTS) facts = eventFacts(message, end);
    if (asked & SECRETS) facts |= secretFacts(msgid, end, asked);
    store<u8>(factList + line, facts);
    i = end;
  }
  position = i;
  return true;
}

function recordLevel(text: u32, message: u32, end: u32): u32 {
  let priority: u32 = 0;
  let at = text + 1;
  for (let byte: u32 = load<u8>(at); byte != 0x3e; byte = load<u8>(++at)) priority = priority * 10 + byte - 0x30;
  const severity = priority & 7;
  if (severity <= 3) return 0;
  if (severity == 4) return 1;
  if (severity == 7) return 3;
  return levelOf(message, end);
}

/** Writes down which line was the first of this sender, and which the one before, 0xffffffff for none. */
function noteSender(key: u32, length: u32, line: u32): bool {
  let hash: u64 = <u64>length * 0x9e3779b97f4a7c15;
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) {
    hash = (hash ^ load<u64>(key + i)) * 0xbf58476d1ce4e5b9;
    hash ^= hash >> 29;
  }
  const rest = length - i;
  if (rest > 0) hash ^= load<u64>(key + i) & ((<u64>1 << (rest * 8)) - 1);
  hash *= 0x94d049bb133111eb;
  for (let slot = <u32>(hash >> 40) & (ENTRIES - 1); ; slot = (slot + 1) & (ENTRIES - 1)) {
    const entry = table + slot * ENTRY_BYTES;
    if (load<u32>(entry) != generation) {
      if (++senders > SENDERS_MAX) return false;
      store<u32>(entry, generation);
      store<u32>(entry, key, 4);
      store<u32>(entry, length, 8);
      store<u32>(entry, line, 12);
      store<u32>(entry, line, 16);
      store<u32>(firstList + 4 * line, line);
      store<u32>(previousList + 4 * line, 0xffffffff);
      return true;
    }
    if (load<u32>(entry, 8) != length || !isEqual(load<u32>(entry, 4), key, length)) continue;
    store<u32>(firstList + 4 * line, load<u32>(entry, 12));
    store<u32>(previousList + 4 * line, load<u32>(entry, 16));
    store<u32>(entry, line, 16);
    return true;
  }
}

function isEqual(a: u32, b: u32, length: u32): bool {
  let i: u32 = 0;
  for (; i + 16 <= length; i += 16)
    if (i8x16.bitmask(i8x16.eq(v128.load(a + i), v128.load(b + i))) != 0xffff) return false;
  const rest = length - i;
  const mask: i32 = (1 << rest) - 1;
  return (i8x16.bitmask(i8x16.eq(v128.load(a + i), v128.load(b + i))) & mask) == mask;
}

function eventFacts(message: u32, end: u32): u32 {
  if (end - message < 8) return 0;
  const eight = load<u64>(message);
  // "thread '"
  if (eight == 0x2720646165726874) return TAKES_ANY;
  const first: u32 = <u32>eight & 0xff;
  // {
  if (first == 0x7b) return BEGINS;
  if (isDigit(first)) return isTimeWord(message, end) ? BEGINS : 0;
  if (isSmallLetter(first)) return beginsSmall(message, end, eight) ? BEGINS : 0;
  if (isLargeLetter(first)) return beginsLarge(message, end) ? BEGINS : 0;
  // [
  if (first == 0x5b) return beginsBracket(message, end) ? BEGINS : 0;
  return 0;
}

/** `2026-01-01T00:00:00.123Z …`, `203.0.113.7 …` */
function isTimeWord(start: u32, end: u32): bool {
  const limit = min<u32>(end, start + 40);
  let i = start + 1;
  while (i < limit && isOfTime(load<u8>(i))) i++;
  return i < limit && load<u8>(i) == SPACE;
}

/** A digit, or one of `TZ:.,+-`. */
function isOfTime(byte: u32): bool {
  return isDigit(byte) || byte == 0x54 || byte == 0x5a || byte == 0x3a || (byte >= 0x2b && byte <= 0x2e);
}

/** A word in small letters and a space, or a `=` and no file of Ruby's. */
function beginsSmall(start: u32, end: u32, eight: u64): bool {
  // goroutin(e), created by, exit status, stack backtrace
  if (eight == 0x6e6974756f726f67 || eight == 0x2064657461657263) return false;
  if (<u32>eight == 0x74697865 || eight == 0x6361622063617473 || (eight & 0xffffffffffff) == 0x206b63617473) return false;
  const limit = min<u32>(end, start + 60);
  let i = start + 1;
  while (i < limit && (isSmallLetter(load<u8>(i)) || isDigit(load<u8>(i)))) i++;
  if (i == limit) return false;
  const behind: u32 = load<u8>(i);
  if (behind == SPACE) return true;
  if (behind != 0x3d) return false;
  for (; i < end; i++) {
    const byte: u32 = load<u8>(i);
    if (byte == SPACE) return true;
    // .rb:
    if (byte == 0x2e && load<u32>(i) == 0x3a62722e) return false;
  }
  return true;
}

/** A word in capitals, or one that begins with one, and a space. */
function beginsLarge(start: u32, end: u32): bool {
  const limit = min<u32>(end, start + 20);
  let i = start + 1;
  if (isLargeLetter(load<u8>(i))) {
    while (i < limit && isLargeLetter(load<u8>(i))) i++;
    // "PHP "
    return i < limit && load<u8>(i) == SPACE && load<u32>(start) != 0x20504850;
  }
  while (i < limit && isSmallLetter(load<u8>(i))) i++;
  if (i == limit || load<u8>(i) != SPACE) return false;
  switch (load<u32>(start)) {
    case 0x73756143: // Caus(ed by)
    case 0x63617453: // Stac(k trace)
    case 0x63617254: // Trac(eback)
    case 0x65637845: // Exce(ption)
    case 0x69727544: // Duri(ng handling)
    case 0x20656854: // The
    case 0x7478654e: // Next
    case 0x6f727245: // Erro(r)
    case 0x6f726854: // Thro(wable)
    case 0x656a6552: // Reje(ction)
    case 0x61636e55: // Unca(ught)
    case 0x61686e55: // Unha(ndled)
      return false;
  }
  return true;
}

/** `[info] …`, `[2026-01-01 …`: a word in small letters or digits, and behind it a space. */
function beginsBracket(start: u32, end: u32): bool {
  const limit = min<u32>(end, start + 40);
  let i = start + 1;
  // [stacktrace], [signal
  if (load<u8>(i) == 0x73) return false;
  while (i < limit && isOfBracket(load<u8>(i))) i++;
  if (i + 1 >= limit || i == start + 1) return false;
  if (load<u8>(i) == 0x5d) i++;
  return load<u8>(i) == SPACE;
}

function isOfBracket(byte: u32): bool {
  return isSmallLetter(byte) || isDigit(byte) || (byte >= 0x2b && byte <= 0x2f) || byte == 0x3a;
}

/** What of a line's structured data and message may have to be redacted. */
function secretFacts(start: u32, end: u32, asked: u32): u32 {
  let facts: u32 = 0;
  if (asked & HAS_AT && hasAt(start, end)) facts |= HAS_AT;
  if (asked & HAS_BEARER && hasBearer(start, end)) facts |= HAS_BEARER;
  if (asked & HAS_CARD && hasDigits(start, end) && hasCard(start, end)) facts |= HAS_CARD;
  return facts;
}

/** Of 16 bytes from `i` on those that are before `end`. */
function inside(i: u32, end: u32): u32 {
  return end - i >= 16 ? 0xffff : (1 << (end - i)) - 1;
}

function hasAt(start: u32, end: u32): bool {
  const at = splat(0x40);
  for (let i = start; i < end; i += 16)
    if (i8x16.bitmask(i8x16.eq(v128.load(i), at)) & inside(i, end)) return true;
  return false;
}

/** `bear…` and `utho…`, in any case. */
function hasBearer(start: u32, end: u32): bool {
  const caseBit = splat(0x20);
  const b = splat(0x62);
  const e = splat(0x65);
  const u = splat(0x75);
  const t = splat(0x74);
  for (let i = start; i < end; i += 16) {
    const bytes = v128.or(v128.load(i), caseBit);
    const next = v128.or(v128.load(i, 1), caseBit);
    let words: u32 =
      i8x16.bitmask(
        v128.or(
          v128.and(i8x16.eq(bytes, b), i8x16.eq(next, e)),
          v128.and(i8x16.eq(bytes, u), i8x16.eq(next, t)),
        ),
      ) & inside(i, end);
    for (; words; words &= words - 1) {
      const four = load<u32>(i + <u32>ctz<u32>(words)) | 0x20202020;
      if (four == 0x72616562 || four == 0x6f687475) return true;
    }
  }
  return false;
}

/** As many digits, spaces and hyphens behind each other as a card has digits. */
function hasDigits(start: u32, end: u32): bool {
  const beforeDigits = splat(0x2f);
  const behindDigits = splat(0x3a);
  const space = splat(0x20);
  const hyphen = splat(0x2d);
  let run: u32 = 0;
  for (let i = start; i < end; i += 16) {
    const bytes = v128.load(i);
    const are = v128.or(
      v128.and(i8x16.gt_s(bytes, beforeDigits), i8x16.lt_s(bytes, behindDigits)),
      v128.or(i8x16.eq(bytes, space), i8x16.eq(bytes, hyphen)),
    );
    const mask = <u32>i8x16.bitmask(are) & inside(i, end);
    if (mask == 0xffff) {
      run += 16;
      continue;
    }
    if (run + <u32>ctz<u32>(~mask) >= CARD_DIGITS) return true;
    // Each bit stays that has twelve more behind it.
    let runs = mask & (mask >> 1);
    runs &= runs >> 2;
    runs &= runs >> 4;
    runs &= runs >> 5;
    if (runs) return true;
    run = <u32>clz<u32>(~(mask << 16));
  }
  return run >= CARD_DIGITS;
}

/** So many digits from a 2 to a 6 on, a space or a hyphen between some. */
function hasCard(start: u32, end: u32): bool {
  let count: u32 = 0;
  let before: u32 = SPACE;
  for (let i = start; i < end; i++) {
    const byte: u32 = load<u8>(i);
    if (isDigit(byte)) {
      if (count > 0) {
        if (++count == CARD_DIGITS) return true;
      } else if (byte >= 0x32 && byte <= 0x36 && !isDigit(before) && before != 0x2d && before != 0x2e) count = 1;
    } else if ((byte != SPACE && byte != 0x2d) || !isDigit(before)) count = 0;
    before = byte;
  }
  return false;
}
