/**
 * The level that a message names, as `syslog/level.ts` says it: the common cases. Whatever may be another form than these is asked for. For
 * what fills drains and for what searches.
 */
import { APOSTROPHE, COLON, DASH, EQUALS, QUOTE, SPACE } from '../../../common/wasm/wasm-ascii.as';
import { isDigit, isLargeLetter, isSmallLetter } from '../../../common/wasm/wasm-common.as';
import { splat } from '../../../common/wasm/wasm-splat.as';

/** Levels, in the order of `LOG_LEVELS`. */
const ERROR: u32 = 0;
const WARN: u32 = 1;
const INFO: u32 = 2;
const DEBUG: u32 = 3;
/** It has to be found by `messageLevel`. */
export const ASK: u32 = 255;
/** No level. */
const NONE: u32 = 254;

/** LEVEL_SEARCHED_MAX: of stored lines it counts bytes. */
const SEARCHED_MAX: u32 = 2_000;
const WORDS_MAX: u32 = 6;

/** `thread '` */
const THREAD: u64 = 0x2720646165726874;

/** The level of the message `[start, end)` of a line whose severity says nothing. */
export function levelOf(start: u32, end: u32): u32 {
  if (start == end) return INFO;
  const isLong = end - start > SEARCHED_MAX;
  const searched = isLong ? start + SEARCHED_MAX : end;
  let at = leadingHint(start, searched);
  if (at == searched) at = hint(start, searched);
  if (at == searched) {
    const level = plainLevel(start, searched);
    if (level != NONE) return level;
    if (isLong) return ASK;
  } else {
    const obvious = hintedLevel(start, at, searched);
    if (obvious != ASK || isLong) return obvious;
    const field = fieldLevel(start, at, end);
    if (field != NONE) return field;
  }
  if (mayBeForm(start, end)) return ASK;
  const level = leadingWordLevel(start, end);
  return level == NONE ? INFO : level;
}

/** What {@link hint} finds in messages that begin with `at=`, `level=` or `{"level"`, as lines of Heroku's router, of logfmt and of pino do; else `end`. */
function leadingHint(start: u32, end: u32): u32 {
  if (end - start < 16) return end;
  const eight = load<u64>(start);
  if ((eight & 0xffffff) == 0x3d7461) return start;
  if (eight == 0x226c6576656c227b) return start + 3;
  return (eight & 0xffffffffffff) == 0x3d6c6576656c ? start + 1 : end;
}

/** The level of messages with a hint at `at` that name it as most do (`"level":"info"`, `level=warn`, `at=error`). */
function hintedLevel(start: u32, at: u32, end: u32): u32 {
  let value: u32 = 0;
  let isNumberTaken = false;
  // "leve"
  if (at > start && load<u32>(at - 1) == 0x6576656c && load<u8>(at, 3) == 0x6c) {
    if (!isPrefixed(start, at - 1)) return ASK;
    value = at + 4;
    if (load<u8>(value) == QUOTE) value++;
    const separator: u32 = load<u8>(value);
    if (separator != COLON && separator != EQUALS) return ASK;
    value++;
    if (load<u8>(value) == SPACE) value++;
    if (load<u8>(value) == QUOTE) value++;
    isNumberTaken = true;
  } else if ((load<u32>(at) & 0xffffff) == 0x3d7461 && isPrefixed(start, at)) value = at + 3;
  // A value's end is only where it is seen.
  if (value == 0 || value + 16 > end) return ASK;
  const obvious = obviousValue(value, isNumberTaken);
  if (obvious != NONE) return obvious;
  const level = valueAt(value, end, isNumberTaken);
  return level == NONE ? ASK : level;
}

/** The level of `info`, `warn`, `error`, `debug` or a number of two digits at `at`, with a space, a quote or a comma behind; NONE for what has to be looked at closely. */
function obviousValue(at: u32, isNumberTaken: bool): u32 {
  const word = load<u64>(at);
  let behind: u32 = <u32>(word >> 32) & 0xff;
  let level = NONE;
  switch (<u32>word) {
    case 0x6f666e69:
      level = INFO;
      break;
    case 0x6e726177:
      level = WARN;
      break;
    case 0x6f727265: // erro
      level = behind == 0x72 ? ERROR : NONE;
      behind = <u32>(word >> 40) & 0xff;
      break;
    case 0x75626564: // debu
      level = behind == 0x67 ? DEBUG : NONE;
      behind = <u32>(word >> 40) & 0xff;
      break;
    default: {
      const tens: u32 = (<u32>word & 0xff) - 0x30;
      const ones: u32 = ((<u32>word >> 8) & 0xff) - 0x30;
      if (!isNumberTaken || tens - 1 > 8 || ones > 9) return NONE;
      level = numberLevel(tens * 10 + ones);
      behind = (<u32>word >> 16) & 0xff;
    }
  }
  return behind == SPACE || behind == QUOTE || behind == 0x2c ? level : NONE;
}

/**
 * What hints begin with: `"@`, `rr`, `xc`, `ev` and `lv`, a color code, `t=`; by the low half of the second byte, the bits of the first that
 * {@link FIRST_BITS} has, and two of the second's ({@link SECOND_BITS}) in the place of others. Some other pairs have the same.
 */
const PAIRS = memory.data<u8>([0x22, 1, 0x7a, 0x70, 1, 1, 0x6c, 1, 1, 1, 1, 0x3a, 1, 0x5c, 1, 1]);
/** Not the bit of small letters, nor those that differ between `e` and `l`. */
const FIRST_BITS: u32 = 0xd6;
/** Behind a shift by one: all of the high half but the bit of small letters, and that of what is beyond ASCII. */
const SECOND_BITS: u32 = 0x28;

/** The first place from which on there may be a name of a level's field, of an error, or a color code: all that begins with `eve`, `at=` …; else `end`. */
function hint(start: u32, end: u32): u32 {
  const lowHalf = splat(0x0f);
  const firstBits = splat(FIRST_BITS);
  const secondBits = splat(SECOND_BITS);
  const pairs = v128.load(<u32>PAIRS);
  for (let i = start; i < end; i += 32) {
    // Two letters of each, to begin with: few messages have them.
    const second = v128.load(i, 1);
    const later = v128.load(i, 17);
    const pair = v128.or(v128.and(v128.load(i), firstBits), v128.and(i16x8.shr_u(second, 1), secondBits));
    const laterPair = v128.or(v128.and(v128.load(i, 16), firstBits), v128.and(i16x8.shr_u(later, 1), secondBits));
    const isPair = i8x16.eq(pair, i8x16.swizzle(pairs, v128.and(second, lowHalf)));
    const isLaterPair = i8x16.eq(laterPair, i8x16.swizzle(pairs, v128.and(later, lowHalf)));
    if (i8x16.bitmask(v128.or(isPair, isLaterPair)) == 0) continue;
    const hits = hintsAt(i, start) | (hintsAt(i + 16, start) << 16);
    if (hits != 0) {
      const found = i + <u32>ctz<u64>(hits) - 1;
      return found < end ? serilogName(start, found) : end;
    }
  }
  return end;
}

/** The first `@l` in `[start, end)`, else `end`: without quotes it is a name only where there is another hint. */
function serilogName(start: u32, end: u32): u32 {
  for (let i = start; i < end; i += 16) {
    const letters = i8x16.eq(v128.or(v128.load(i, 1), splat(0x20)), splat(0x6c));
    const mask: u32 = i8x16.bitmask(v128.and(i8x16.eq(v128.load(i), splat(0x40)), letters));
    if (mask == 0) continue;
    const found = i + <u32>ctz<u32>(mask);
    return found < end ? found : end;
  }
  return end;
}

/** Where in the 16 bytes at `i` hints begin, one place further to the right: the lowest bit is for the byte in front of them. */
function hintsAt(i: u32, start: u32): u64 {
  const raw = v128.load(i);
  const caseBit = splat(0x20);
  const before = v128.or(v128.load(i - 1), caseBit);
  const first = v128.or(raw, caseBit);
  const second = v128.or(v128.load(i, 1), caseBit);
  const third = v128.or(v128.load(i, 2), caseBit);
  const endsE = i8x16.eq(third, splat(0x65));
  const endsL = i8x16.eq(third, splat(0x6c));
  const level = v128.and(
    i8x16.eq(second, splat(0x76)),
    v128.or(v128.and(i8x16.eq(first, splat(0x65)), endsE), v128.and(i8x16.eq(first, splat(0x6c)), endsL)),
  );
  const isR = v128.and(i8x16.eq(first, splat(0x72)), i8x16.eq(second, splat(0x72)));
  const isX = v128.and(i8x16.eq(first, splat(0x78)), i8x16.eq(second, splat(0x63)));
  const failure = v128.or(v128.and(isR, i8x16.eq(third, splat(0x6f))), v128.and(isX, endsE));
  // `"@l`
  const serilog = v128.and(v128.and(i8x16.eq(first, splat(QUOTE)), i8x16.eq(second, splat(0x60))), endsL);
  const color = v128.and(i8x16.eq(raw, splat(0x1b)), i8x16.eq(second, splat(0x7b)));
  // The t of `at=` is its second letter.
  const at = v128.and(v128.and(i8x16.eq(first, splat(0x74)), i8x16.eq(second, splat(EQUALS))), i8x16.eq(before, splat(0x61)));
  const others: u32 = i8x16.bitmask(v128.or(v128.or(level, failure), v128.or(serilog, color)));
  const ats: u32 = i8x16.bitmask(at);
  // In front of the message it isn't one.
  return (<u64>others << 1) | (i > start ? ats : ats & 0xfffe);
}

/** The level of a message without a hint that begins as none does that names a level, or with a level in capitals (`WARN …`); NONE for what has to be looked at closely. */
function plainLevel(start: u32, end: u32): u32 {
  const first: u32 = load<u8>(start);
  if (isSmallLetter(first)) {
    const three: u32 = load<u32>(start) & 0xffffff;
    // "npm", "thread '"
    if (three == 0x6d706e || load<u64>(start) == THREAD) return NONE;
    const bytes = v128.load(start);
    let i = start + ctz<u32>(~i8x16.bitmask(v128.and(i8x16.gt_s(bytes, splat(0x60)), i8x16.lt_s(bytes, splat(0x7b)))));
    while (i < end && isSmallLetter(load<u8>(i))) i++;
    return i < end && (isSpace(load<u8>(i)) || load<u8>(i) == EQUALS) ? INFO : NONE;
  }
  let i = start;
  // {"key":
  if (first == 0x7b && end - start > 5 && load<u8>(start, 1) == QUOTE) {
    i = start + 2;
    while (i < end && (isSmallLetter(load<u8>(i)) || load<u8>(i) == 0x5f)) i++;
    // Two letters and more: `{"t":` begins lines of MongoDB's.
    return i - start > 3 && i + 1 < end && load<u8>(i) == QUOTE && load<u8>(i, 1) == COLON ? INFO : NONE;
  }
  if (isDigit(first)) return beginsAccessLog(start, end) ? INFO : NONE;
  // A word behind spaces.
  if (first == SPACE) {
    while (i < end && load<u8>(i) == SPACE) i++;
    return i < end && beginsPlainly(i, end, false) ? INFO : NONE;
  }
  return isLargeLetter(first) ? capitalLevel(start, end) : NONE;
}

/** The same of one that begins with a capital letter. */
function capitalLevel(start: u32, end: u32): u32 {
  if (end - start < 8) return NONE;
  const four = load<u32>(start);
  // "GET ", "PUT "
  if (four == 0x20544547 || four == 0x20545550) return INFO;
  const bytes = v128.load(start);
  const small = v128.or(bytes, splat(0x20));
  const letters: u32 = i8x16.bitmask(v128.and(i8x16.gt_s(small, splat(0x60)), i8x16.lt_s(small, splat(0x7b))));
  const length = ctz<u32>(~letters);
  // Three letters may be a month of java.util.logging or "PHP".
  if (length == 3 || length >= 16 || start + length >= end || !isSpace(load<u8>(start + length))) return NONE;
  const isShouted = (i8x16.bitmask(i8x16.gt_s(bytes, splat(0x60))) & ((1 << length) - 1)) == 0;
  const level = isShouted ? wordLevel(start, length) : NONE;
  if (level != NONE) return load<u8>(start + length) == SPACE ? level : NONE;
  // "Traceback" begins one.
  return (four & 0xff) != 0x54 ? INFO : NONE;
}

/** Does a message begin as lines of access logs do (Common Log Format): `203.0.113.7 - - [01/Jan/2026:00:00:00 +0000] "`? No word of that may be a level. */
function beginsAccessLog(start: u32, end: u32): bool {
  // Digits and dots (and slashes) of an address.
  const length = ctz<u32>(i8x16.bitmask(i8x16.gt_u(i8x16.sub(v128.load(start), splat(0x2e)), splat(11))) | 0x10000);
  const day = start + length + 6;
  if (length > 15 || end < day + 30) return false;
  // ` - - [`, and the first slash
  if ((load<u64>(day - 6) & 0xffffffffffff) != 0x5b202d202d20 || load<u8>(day, 2) != 0x2f) return false;
  // Nothing ends a word up to the zone: `01/Jan/2026:00:00:00 +0000] "`.
  if (v128.any_true(v128.or(endsWord(v128.load(day)), endsWord(v128.load(day, 4))))) return false;
  const sign: u32 = load<u8>(day, 21);
  return (
    load<u8>(day, 20) == SPACE &&
    (sign == 0x2b || sign == DASH) &&
    (load<u32>(day, 22) & 0xf0f0f0f0) == 0x30303030 &&
    (load<u32>(day, 26) & 0xffffff) == 0x22205d
  );
}

/** The level of the first field of that name from `from` on, where the first hint is; asks for color codes, and for what may be the name of a failure. */
function fieldLevel(start: u32, from: u32, end: u32): u32 {
  const r = splat(0x72);
  const x = splat(0x78);
  const c = splat(0x63);
  const escape = splat(0x1b);
  const equals = splat(EQUALS);
  const colon = splat(COLON);
  for (let i = from; i < end; i += 16) {
    const bytes = v128.load(i);
    const next = v128.load(i, 1);
    // `rr` of an error, `xc` of an exception, and what begins a color.
    const doubtful = v128.or(
      v128.or(
        v128.and(i8x16.eq(bytes, r), i8x16.eq(next, r)),
        v128.and(i8x16.eq(bytes, x), i8x16.eq(next, c)),
      ),
      i8x16.eq(bytes, escape),
    );
    const separators = v128.or(i8x16.eq(bytes, equals), i8x16.eq(bytes, colon));
    if (!v128.any_true(v128.or(doubtful, separators))) continue;
    const inside: u32 = end - i >= 16 ? 0xffff : (1 << (end - i)) - 1;
    let doubts: u32 = i8x16.bitmask(doubtful) & inside;
    while (doubts) {
      if (isDoubtful(start, i + <u32>ctz<u32>(doubts))) return ASK;
      doubts &= doubts - 1;
    }
    let mask: u32 = i8x16.bitmask(separators) & inside;
    // Most names end with another letter than those of levels do.
    if (mask) mask &= i8x16.bitmask(mayEndName(v128.load(i - 1)));
    while (mask) {
      const level = fieldAt(start, i + <u32>ctz<u32>(mask), end);
      // An exception, or a color, may be behind it: it doesn't matter, but that a color may be in it does.
      if (level != NONE) return hasColor(i, end) ? ASK : level;
      mask &= mask - 1;
    }
  }
  return NONE;
}

/** Which bytes may be in front of a field's separator: the last letters of `fieldAt`, spaces, quotes, and what is beyond ASCII. */
function mayEndName(bytes: v128): v128 {
  const small = v128.or(bytes, splat(0x20));
  const letters = v128.or(
    v128.or(i8x16.eq(small, splat(0x6c)), i8x16.eq(small, splat(0x79))),
    v128.or(i8x16.eq(small, splat(0x65)), i8x16.eq(small, splat(0x74))),
  );
  const quotes = v128.or(
    i8x16.eq(bytes, splat(QUOTE)),
    i8x16.eq(bytes, splat(APOSTROPHE)),
  );
  // Compared as signed numbers, what is beyond ASCII is below a space as well.
  return v128.or(v128.or(letters, quotes), i8x16.lt_s(bytes, splat(0x21)));
}

function hasColor(start: u32, end: u32): bool {
  const escape = splat(0x1b);
  for (let i = start; i < end; i += 16)
    if (v128.any_true(i8x16.eq(v128.load(i), escape))) return true;
  return false;
}

/** Is there what begins a color, or `rror` or `xception` in the first word, or in the one behind `Uncaught `? What failed isn't named later. */
function isDoubtful(start: u32, at: u32): bool {
  const byte: u32 = load<u8>(at);
  if (byte == 0x72) {
    if (load<u32>(at) != 0x726f7272) return false;
  } else if (byte != 0x78) return true;
  else if (load<u64>(at) != 0x6e6f697470656378) return false;
  // "Uncaught"
  return find(start, at, SPACE) == at || load<u64>(start) == 0x7468677561636e55;
}

/** The level of a field whose name ends at the separator `at`. */
function fieldAt(start: u32, at: u32, end: u32): u32 {
  let nameEnd = at;
  let spaces: u32 = 0;
  while (nameEnd > start && isSpace(load<u8>(nameEnd - 1)) && spaces < 2) {
    nameEnd--;
    spaces++;
  }
  const isQuoted = nameEnd > start && isQuote(load<u8>(nameEnd - 1));
  if (isQuoted) nameEnd--;
  if (nameEnd > start && load<u8>(nameEnd - 1) >= 0x80) return ASK;
  if (nameEnd - start < 2) return NONE;
  const last: u32 = load<u8>(nameEnd - 1) | 0x20;
  // The last letters of level, lvl, @l, severity, level_name, severity_text, at.
  if (last != 0x6c && last != 0x79 && last != 0x65 && last != 0x74) return NONE;
  const before: u32 = load<u8>(nameEnd - 2) | 0x20;
  if (last == 0x74) {
    if (before == 0x61 && nameEnd == at && load<u8>(at) == EQUALS) {
      if (!isPrefixed(start, nameEnd - 2)) return load<u8>(nameEnd - 3) >= 0x80 ? ASK : NONE;
      return load<u16>(nameEnd - 2) == 0x7461 ? valueAt(at + 1, end, false) : ASK;
    }
    // severity_text, severitytext
    return before == 0x78 && nameEnd - start >= 12 && endsWith(nameEnd, 0x74786574, 0x79) ? ASK : NONE;
  }
  // level_name, levelname
  if (last == 0x65) return before == 0x6d && nameEnd - start >= 9 && endsWith(nameEnd, 0x656d616e, 0x6c) ? ASK : NONE;
  if (last == 0x79) {
    if (before != 0x74 || nameEnd - start < 8) return NONE;
    if ((load<u64>(nameEnd - 8) | 0x2020202020202020) != 0x7974697265766573) return NONE;
    if (load<u64>(nameEnd - 8) != 0x7974697265766573) return ASK;
    return isPrefixed(start, nameEnd - 8) ? namedValue(at, end) : mayHaveLog(start, nameEnd - 8);
  }
  // @l, ll and so on
  if (before == 0x60) return ASK;
  if (before == 0x76) {
    if (nameEnd - start < 3 || (load<u8>(nameEnd - 3) | 0x20) != 0x6c) return NONE;
    if (load<u16>(nameEnd - 3) != 0x766c || load<u8>(nameEnd - 1) != 0x6c) return ASK;
    return isPrefixed(start, nameEnd - 3) ? namedValue(at, end) : mayHaveLog(start, nameEnd - 3);
  }
  if (before != 0x65 || nameEnd - start < 5) return NONE;
  if ((load<u32>(nameEnd - 5) | 0x20202020) != 0x6576656c) return NONE;
  if (load<u32>(nameEnd - 5) != 0x6576656c || load<u8>(nameEnd - 1) != 0x6c) return ASK;
  return isPrefixed(start, nameEnd - 5) ? namedValue(at, end) : mayHaveLog(start, nameEnd - 5);
}

/** Does a name end with these four letters, and a letter or an underscore in front of them? */
function endsWith(nameEnd: u32, letters: u32, letter: u32): bool {
  const before: u32 = load<u8>(nameEnd - 5) | 0x20;
  return (load<u32>(nameEnd - 4) | 0x20202020) == letters && (before == letter || before == 0x7f);
}

/** Does the name that continues before `at` have `log`, `log.`, `log_` or `@` in front? */
function mayHaveLog(start: u32, at: u32): u32 {
  const last: u32 = load<u8>(at - 1) | 0x20;
  if (last >= 0x80 || last == 0x60) return ASK;
  return at - start >= 3 && (last == 0x67 || last == 0x2e || last == 0x7f) ? ASK : NONE;
}

/** Is what begins at `at` behind something that a field's name may be behind? */
function isPrefixed(start: u32, at: u32): bool {
  if (at == start) return true;
  const byte: u32 = load<u8>(at - 1);
  return isSpace(byte) || byte == 0x2c || byte == 0x7b || byte == 0x3b || byte == 0x7c || isQuote(byte);
}

/** The value of a field whose separator is at `at`. */
function namedValue(at: u32, end: u32): u32 {
  let i = at + 1;
  let spaces: u32 = 0;
  while (i < end && isSpace(load<u8>(i)) && spaces < 2) {
    i++;
    spaces++;
  }
  if (i < end && isQuote(load<u8>(i))) i++;
  return valueAt(i, end, true);
}

function valueAt(at: u32, end: u32, isNumberTaken: bool): u32 {
  let i = at;
  while (i < end && isLetter(load<u8>(i))) i++;
  if (i == at && isNumberTaken) {
    let number: u32 = 0;
    while (i < end && <u32>load<u8>(i) - 0x30 <= 9 && i - at < 4) number = number * 10 + load<u8>(i++) - 0x30;
    if (i == at) return i < end && load<u8>(i) >= 0x80 ? ASK : NONE;
    if (i - at > 3) return NONE;
    const isBounded = bounds(i, end);
    return isBounded == 2 ? ASK : isBounded == 0 ? NONE : numberLevel(number);
  }
  const level = wordLevel(at, i - at);
  if (level == NONE) return NONE;
  const isBounded = bounds(i, end);
  return isBounded == 2 ? ASK : isBounded == 0 ? NONE : level;
}

/** What is behind a value: 1 when it ends there, 2 for what isn't decided here. */
function bounds(i: u32, end: u32): u32 {
  if (i == end) return 1;
  const byte: u32 = load<u8>(i);
  if (byte == 0x2b || byte == 0x2d || byte >= 0x80) return 2;
  return isQuote(byte) || isSpace(byte) || byte == 0x2c || byte == 0x3b || byte == 0x7c || byte == 0x7d || byte == 0x5d || byte == 0x29
    ? 1
    : 0;
}

function numberLevel(number: u32): u32 {
  if (number >= 100) return number >= 400 ? ERROR : number >= 300 ? WARN : number >= 200 ? INFO : DEBUG;
  if (number < 8) return number <= 3 ? ERROR : number == 4 ? WARN : number == 7 ? DEBUG : INFO;
  return number >= 50 ? ERROR : number >= 40 ? WARN : number >= 30 ? INFO : DEBUG;
}

/** The level that `length` letters from `at` on name, in any case; NONE for another word. */
function wordLevel(at: u32, length: u32): u32 {
  if (length < 3 || length > 13) return NONE;
  const low = lower(at, length < 8 ? length : 8);
  if (length <= 8) {
    // err, warn, info, crit, emerg, alert, fatal, panic, error, debug, trace
    if (length == 3) return low == 0x727265 ? ERROR : NONE;
    if (length == 4)
      return low == 0x6e726177 ? WARN : low == 0x6f666e69 ? INFO : low == 0x74697263 ? ERROR : NONE;
    if (length == 5) {
      if (low == 0x6775626564 || low == 0x6563617274) return DEBUG;
      return low == 0x726f727265 || low == 0x7472656c61 || low == 0x6c61746166 || low == 0x63696e6170 || low == 0x6772656d65
        ? ERROR
        : NONE;
    }
    // dpanic, severe, notice
    if (length == 6)
      return low == 0x63696e617064 || low == 0x657265766573 ? ERROR : low == 0x656369746f6e ? INFO : NONE;
    // warning, verbose
    if (length == 7) return low == 0x676e696e726177 ? WARN : low == 0x65736f62726576 ? DEBUG : NONE;
    // critical
    return low == 0x6c61636974697263 ? ERROR : NONE;
  }
  // emergency, information, informational
  if (length == 9) return low == 0x636e656772656d65 && (load<u8>(at, 8) | 0x20) == 0x79 ? ERROR : NONE;
  if (low != 0x74616d726f666e69) return NONE;
  if (length == 11) return lower(at + 8, 3) == 0x6e6f69 ? INFO : NONE;
  return length == 13 && lower(at + 8, 5) == 0x6c616e6f69 ? INFO : NONE;
}

function lower(at: u32, length: u32): u64 {
  const word = load<u64>(at) | 0x2020202020202020;
  return length == 8 ? word : word & ((<u64>1 << (length * 8)) - 1);
}

/** May the message be one of `FORMS`, or one that is told by a colon in it? By its first bytes. */
function mayBeForm(start: u32, end: u32): bool {
  const first: u32 = load<u8>(start);
  if (first >= 0x80) return true;
  const second: u32 = start + 1 < end ? load<u8>(start, 1) : 0;
  const third: u32 = start + 2 < end ? load<u8>(start, 2) : 0;
  const fifth: u32 = start + 4 < end ? load<u8>(start, 4) : 0;
  if (isDigit(first)) {
    // Redis: up to ten digits, and two behind the colon is a space.
    const limit = end - start > 11 ? start + 11 : end;
    const colon = find(start, limit, COLON);
    return colon < limit && colon + 2 < end && load<u8>(colon, 2) == SPACE;
  }
  switch (first) {
    case 0x2a: // *
    case 0x28: // (
    case 0x3c: // <
    case 0x3d: // =
      return true;
    case 0x5b: // [
      if (mayBeBracketed(start, end)) return true;
      break;
    case 0x7b: // {"t"
      if (second == QUOTE && third == 0x74) return true;
      break;
    case 0x54: // Tra, TR: Traceback, TRAC[
      if ((second == 0x72 && third == 0x61) || second == 0x52) return true;
      break;
    case 0x70: // pani
      if (second == 0x61 && third == 0x6e) return true;
      break;
    case 0x66: // fata, fail:
      if (second == 0x61 && (third == 0x74 || (third == 0x69 && fifth == COLON))) return true;
      break;
    case 0x74: // thread ', trce
      if (load<u64>(start) == THREAD || (second == 0x72 && third == 0x63)) return true;
      break;
    case 0x43: // CONF
      if (second == 0x4f && third == 0x4e) return true;
      break;
    case 0x50: // PHP, PANI[
      if (second == 0x48 || fifth == 0x5b) return true;
      break;
    case 0x4e: // NOTI
      if (second == 0x4f && third == 0x54) return true;
      break;
    case 0x64: // dbug
      if (second == 0x62) return true;
      break;
    case 0x6e: // npm
      if (second == 0x70) return true;
      break;
    case 0x45: // Exce, and those below
      if (second == 0x78 && third == 0x63) return true;
      if (second == 0x2c || isDigit(second) || fifth == 0x5b) return true;
      break;
    case 0x57: // W,
    case 0x49: // I,
    case 0x44: // D,
      if (second == 0x2c || isDigit(second) || fifth == 0x5b) return true;
      break;
    case 0x46: // F, FINE
      if (second == 0x2c || isDigit(second) || fifth == 0x5b || second == 0x49) return true;
      break;
  }
  // A file and a line number, and Java's own logger.
  let i = start;
  while (i < end && load<u8>(i) != COLON && load<u8>(i) != SPACE) i++;
  if (i + 1 < end && load<u8>(i) == COLON && isDigit(load<u8>(i, 1))) return true;
  return end - start > 3 && load<u8>(start, 3) == SPACE && find(start, end, 0x0a) < end;
}

/** The forms of Apache, Nest, Elasticsearch, Celery, Monolog and PHP: not a word in brackets, nor a time before a word. */
function mayBeBracketed(start: u32, end: u32): bool {
  const first: u32 = load<u8>(start, 1);
  // `[Sat Nov`, `[Nest]`
  if (isLargeLetter(first) && isSmallLetter(load<u8>(start, 2))) return true;
  const closing = find(start, end, 0x5d);
  if (closing == end) return false;
  let i = closing + 1;
  // `[…] PHP`
  if (i + 4 <= end && load<u32>(i) == 0x50485020) return true;
  if (!isDigit(first) && first != DASH) return false;
  // `[…: ERROR/MainProcess]`, `[…][ERROR]`
  if (find(start, closing, 0x2f) < closing) return true;
  if (i == end || load<u8>(i) != SPACE) return i < end && load<u8>(i) == 0x5b;
  // `[…] local.ERROR:`
  for (i++; i < end; i++) {
    const byte: u32 = load<u8>(i);
    if (!isLetter(byte) && !isDigit(byte) && byte != DASH && byte != 0x5f) break;
  }
  return i < end && load<u8>(i) == 0x2e;
}

function leadingWordLevel(start: u32, end: u32): u32 {
  let i = start;
  while (i < end && (isSpace(load<u8>(i)) || load<u8>(i) == 0x7c)) i++;
  if (i < end && beginsPlainly(i, end, i == start)) return NONE;
  let isTimed = false;
  let strangers: u32 = 0;
  i = start;
  for (let count: u32 = 0; count < WORDS_MAX; count++) {
    while (i < end && (isSpace(load<u8>(i)) || load<u8>(i) == 0x7c)) i++;
    if (i == end) return NONE;
    const raw = i;
    const skipped = timeEnd(i, end);
    if (skipped != 0) {
      if (skipped - i > 1 || load<u8>(i) != DASH) isTimed = true;
      i = skipped;
      continue;
    }
    let colon: u32 = 0;
    let hasEquals = false;
    let hasDigit = false;
    // 16 bytes of the word at a time, up to what is behind it.
    for (;;) {
      const bytes = v128.load(i);
      const bounds: u32 = i8x16.bitmask(endsWord(bytes));
      const left = end - i;
      let length: u32 = bounds == 0 ? 16 : <u32>ctz<u32>(bounds);
      if (length > left) length = left;
      const within: u32 = (1 << length) - 1;
      if (colon == 0) {
        const colons: u32 = i8x16.bitmask(i8x16.eq(bytes, splat(COLON))) & within;
        if (colons) colon = i + <u32>ctz<u32>(colons);
      }
      if (i8x16.bitmask(i8x16.eq(bytes, splat(EQUALS))) & within) hasEquals = true;
      i += length;
      if (i == end) break;
      if (length == 16) continue;
      const byte: u32 = load<u8>(i);
      if (byte >= 0x80) return ASK;
      if (isSpace(byte) || byte == 0x7c) break;
      // Another control character.
      i++;
    }
    let from = raw;
    let to = colon > raw ? colon : i;
    for (let k: u32 = 0; k < 3 && from < to && isOpening(load<u8>(from)); k++) from++;
    for (let k: u32 = 0; k < 3 && to > from && isClosing(load<u8>(to - 1)); k++) to--;
    let isWord = true;
    let isShouted = true;
    for (let k = from; k < to; k += 16) {
      const bytes = v128.load(k);
      const within: u32 = to - k >= 16 ? 0xffff : (1 << (to - k)) - 1;
      const small = v128.or(bytes, splat(0x20));
      const letters = v128.and(
        i8x16.gt_s(small, splat(0x60)),
        i8x16.lt_s(small, splat(0x7b)),
      );
      if ((i8x16.bitmask(letters) & within) != within) isWord = false;
      if (i8x16.bitmask(v128.and(letters, i8x16.gt_s(bytes, splat(0x60)))) & within) isShouted = false;
      const digits = v128.and(i8x16.gt_s(bytes, splat(0x2f)), i8x16.lt_s(bytes, splat(0x3a)));
      if (i8x16.bitmask(digits) & within) hasDigit = true;
    }
    const level = isWord ? wordLevel(from, to - from) : NONE;
    if (level != NONE) {
      if (!isShouted) {
        // Behind a time it has to be marked: `isMarked`.
        if (isTimed) return ASK;
        if (from == raw && to == i) return NONE;
      }
      // Nothing failed?
      if (load<u8>(i - 1) == COLON && mayBeNothing(i, end)) return ASK;
      return level;
    }
    // Short words.
    if (isTimed && isWord && isShort(from, to - from)) return ASK;
    if (hasDigit) isTimed = true;
    else if (from < to && !isBracket(load<u8>(raw)) && !(isTimed && hasEquals) && ++strangers > (isTimed ? 3 : 0))
      return NONE;
  }
  return NONE;
}

/** May what is behind a level and its colon say that nothing failed: `0`, `none`, `null`, `nil`, `false`? */
function mayBeNothing(at: u32, end: u32): bool {
  let i = at;
  while (i < end && isSpace(load<u8>(i))) i++;
  if (i == end) return false;
  const byte: u32 = load<u8>(i);
  const small = byte | 0x20;
  return byte == 0x30 || small == 0x6e || small == 0x66 || byte >= 0x80;
}

/** Which bytes may end a word: spaces, `|`, control characters, and what is beyond ASCII, which has to be looked at. */
// @ts-ignore: decorator of AssemblyScript
@inline
function endsWord(bytes: v128): v128 {
  // Compared as signed numbers, what is beyond ASCII is below a space as well.
  return v128.or(
    i8x16.lt_s(bytes, splat(0x21)),
    v128.or(i8x16.eq(bytes, splat(0x7c)), i8x16.eq(bytes, splat(0x7f))),
  );
}

/** The end of a word of up to 15 bytes with digits and without letters, as times and addresses are, or of a dash; 0 for another. */
function timeEnd(start: u32, end: u32): u32 {
  const bytes = v128.load(start);
  const small = v128.or(bytes, splat(0x20));
  const bounds: u32 = i8x16.bitmask(endsWord(bytes));
  const length = ctz<u32>(bounds);
  // No bound at all has 32 zeros.
  if (length > 15 || start + length >= end) return 0;
  const behind: u32 = load<u8>(start + length);
  if (!isSpace(behind) && behind != 0x7c) return 0;
  if (length == 1 && load<u8>(start) == DASH) return start + 1;
  const within: u32 = (1 << length) - 1;
  const letters: u32 = i8x16.bitmask(
    v128.and(i8x16.gt_s(small, splat(0x60)), i8x16.lt_s(small, splat(0x7b))),
  );
  if (letters & within) return 0;
  // A digit in front of the first colon, unless that is the first byte.
  const colons: u32 = i8x16.bitmask(i8x16.eq(bytes, splat(COLON))) & within & 0xfffe;
  const counted: u32 = colons == 0 ? within : (colons & (0 - colons)) - 1;
  const digits: u32 = i8x16.bitmask(
    v128.and(i8x16.gt_s(bytes, splat(0x2f)), i8x16.lt_s(bytes, splat(0x3a))),
  );
  return digits & counted ? start + length : 0;
}

/** Is the first word one of letters alone that names no level, however it is marked? Most messages begin with one. */
function beginsPlainly(start: u32, end: u32, mayBeName: bool): bool {
  const bytes = v128.load(start);
  const small = v128.or(bytes, splat(0x20));
  const letters: u32 = i8x16.bitmask(
    v128.and(i8x16.gt_s(small, splat(0x60)), i8x16.lt_s(small, splat(0x7b))),
  );
  const length = ctz<u32>(~letters);
  if (length >= 16) return mayBeName && isLongName(start, end);
  if (length == 0 || start + length >= end) return false;
  const behind: u32 = load<u8>(start + length);
  const isName = mayBeName && behind == EQUALS;
  if (!isSpace(behind) && !isName) return false;
  const within: u32 = (1 << length) - 1;
  const smallLetters: u32 = i8x16.bitmask(i8x16.gt_s(bytes, splat(0x60))) & within;
  // A word that isn't shouted has to be marked; a name with digits behind it may be a time.
  if (isName) return smallLetters == within;
  return smallLetters != 0 || wordLevel(start, length) == NONE;
}

/** Is what begins with 16 letters a name of small letters, as of a field? No level is looked for behind one. */
function isLongName(start: u32, end: u32): bool {
  let i = start;
  while (i < end && isSmallLetter(load<u8>(i))) i++;
  return i < end && load<u8>(i) == EQUALS;
}

/** ERR, WRN, INF, DBG, TRC, VRB, FTL, PNC, erro, noti, debu. */
function isShort(at: u32, length: u32): bool {
  const word = load<u32>(at);
  if (length == 4) return word == 0x6f727265 || word == 0x69746f6e || word == 0x75626564;
  if (length != 3) return false;
  switch (word & 0xffffff) {
    case 0x525245:
    case 0x4e5257:
    case 0x464e49:
    case 0x474244:
    case 0x435254:
    case 0x425256:
    case 0x4c5446:
    case 0x434e50:
      return true;
  }
  return false;
}

function isOpening(byte: u32): bool {
  return isBracket(byte) || byte == 0x2a || byte == 0x2d;
}

function isClosing(byte: u32): bool {
  return byte == 0x5d || byte == 0x29 || byte == 0x3e || byte == 0x2a || byte == 0x2c || byte == 0x2d;
}

function isBracket(byte: u32): bool {
  return byte == 0x5b || byte == 0x28 || byte == 0x3c;
}

function isSpace(byte: u32): bool {
  return byte == SPACE || byte - 0x09 <= 4;
}

function isQuote(byte: u32): bool {
  return byte == QUOTE || byte == APOSTROPHE;
}

function isLetter(byte: u32): bool {
  return (byte | 0x20) - 0x61 <= 25;
}

function find(start: u32, end: u32, wanted: u32): u32 {
  const all = splat(wanted);
  for (let i = start; i < end; i += 16) {
    const mask = i8x16.bitmask(i8x16.eq(v128.load(i), all));
    if (mask == 0) continue;
    const found = i + <u32>ctz<i32>(mask);
    return found < end ? found : end;
  }
  return end;
}
