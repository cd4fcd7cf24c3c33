/**
 * The level that a message names, as far as that is told at once: of lines that begin with plain words, a method of HTTP or JSON and name none,
 * and of those that name it as most do (`"level":"info"`, `level=warn`, `at=error`). Compiled into `wasm-search-binary.ts`; what a level is
 * defines `syslog/level.ts`, to which all others are left.
 */

const ERROR: u32 = 0;
const WARN: u32 = 1;
const INFO: u32 = 2;
const DEBUG: u32 = 3;
/** It has to be read. */
const UNSURE: u32 = 4;

const SPACE: u32 = 0x20;
const QUOTE: u32 = 0x22;

/** The level of the message `[start, end)`, by its index in LOG_LEVELS, or {@link UNSURE}; `end` is no more than LEVEL_SEARCHED_MAX behind. */
export function levelOf(start: u32, end: u32): u32 {
  if (start >= end) return INFO;
  const at = hint(start, end);
  if (at == end) return beginsPlain(start, end) ? INFO : UNSURE;
  // "leve"
  if (at > start && load<u32>(at - 1) == 0x6576656c && load<u8>(at, 3) == 0x6c) {
    const name = at - 1;
    if (name > start && !isBoundary(load<u8>(name - 1))) return UNSURE;
    let i = name + 5;
    if (load<u8>(i) == QUOTE) i++;
    const sign: u32 = load<u8>(i);
    if (sign != 0x3a && sign != 0x3d) return UNSURE;
    i++;
    if (load<u8>(i) == SPACE) i++;
    if (load<u8>(i) == QUOTE) i++;
    return named(i, end, true);
  }
  // "at="
  if ((load<u32>(at) & 0xffffff) == 0x3d7461 && (at == start || isBoundary(load<u8>(at - 1))))
    return named(at + 3, end, false);
  return UNSURE;
}

/** The first place from which on there may be a name of a level's field, of an error, or a color code: all that begins with `eve`, `at=` …; else `end`. */
function hint(start: u32, end: u32): u32 {
  for (let i = start; i < end; i += 16) {
    const raw = v128.load(i);
    const fold = i8x16.splat(0x20);
    const a = v128.or(raw, fold);
    const b = v128.or(v128.load(i, 1), fold);
    const c = v128.or(v128.load(i, 2), fold);
    const isE = i8x16.eq(a, i8x16.splat(0x65));
    const isL = i8x16.eq(a, i8x16.splat(0x6c));
    const endsE = i8x16.eq(c, i8x16.splat(0x65));
    const endsL = i8x16.eq(c, i8x16.splat(0x6c));
    const hasV = i8x16.eq(b, i8x16.splat(0x76));
    let found = v128.and(hasV, v128.or(v128.and(isE, endsE), v128.and(isL, endsL)));
    // at=
    found = v128.or(
      found,
      v128.and(
        v128.and(i8x16.eq(a, i8x16.splat(0x61)), i8x16.eq(b, i8x16.splat(0x74))),
        i8x16.eq(c, i8x16.splat(0x3d)),
      ),
    );
    // rro, and xce: of errors and exceptions
    found = v128.or(
      found,
      v128.and(
        v128.and(i8x16.eq(a, i8x16.splat(0x72)), i8x16.eq(b, i8x16.splat(0x72))),
        i8x16.eq(c, i8x16.splat(0x6f)),
      ),
    );
    found = v128.or(
      found,
      v128.and(v128.and(i8x16.eq(a, i8x16.splat(0x78)), i8x16.eq(b, i8x16.splat(0x63))), endsE),
    );
    // @l
    found = v128.or(found, v128.and(i8x16.eq(a, i8x16.splat(0x60)), i8x16.eq(b, i8x16.splat(0x6c))));
    found = v128.or(found, i8x16.eq(raw, i8x16.splat(0x1b)));
    const hits = i8x16.bitmask(found);
    if (hits != 0) {
      const at = i + <u32>ctz<i32>(hits);
      return at < end ? at : end;
    }
  }
  return end;
}

/** Does a message without a hint begin as none does that names a level? */
function beginsPlain(start: u32, end: u32): bool {
  const first: u32 = load<u8>(start);
  let i = start;
  if (isSmall(first)) {
    const three: u32 = load<u32>(start) & 0xffffff;
    // "npm", "thr"
    if (three == 0x6d706e || three == 0x726874) return false;
    while (i < end && isSmall(load<u8>(i))) i++;
    if (i == end) return false;
    const behind: u32 = load<u8>(i);
    return behind == SPACE || behind == 0x3d || (behind >= 9 && behind <= 13);
  }
  // {"key":
  if (first == 0x7b && end - start > 5 && load<u8>(start, 1) == QUOTE) {
    i = start + 2;
    while (i < end && (isSmall(load<u8>(i)) || load<u8>(i) == 0x5f)) i++;
    // Two letters and more: `{"t":` begins lines of MongoDB's.
    return i - start > 3 && i + 1 < end && load<u8>(i) == QUOTE && load<u8>(i, 1) == 0x3a;
  }
  if (end - start < 8) return false;
  const four: u32 = load<u32>(start);
  // "GET ", "PUT "
  if (four == 0x20544547 || four == 0x20545550) return true;
  const next: u32 = load<u32>(start, 4);
  // "POST ", "HEAD "
  if ((four == 0x54534f50 || four == 0x44414548) && (next & 0xff) == SPACE) return true;
  // "PATCH ", "DELETE "
  if (four == 0x43544150) return (next & 0xffff) == 0x2048;
  return four == 0x454c4544 && (next & 0xffffff) == 0x204554;
}

function isSmall(byte: u32): bool {
  return byte >= 0x61 && byte <= 0x7a;
}

/** Before the name of a field: a space, or one of `,{;|"'`. */
function isBoundary(byte: u32): bool {
  if (byte == SPACE || (byte >= 9 && byte <= 13)) return true;
  return byte == 0x2c || byte == 0x7b || byte == 0x3b || byte == 0x7c || byte == QUOTE || byte == 0x27;
}

/** Behind a level's name: a space, or one of `"',;|}])`. */
function isEnd(byte: u32): bool {
  if (byte == SPACE || (byte >= 9 && byte <= 13)) return true;
  if (byte == QUOTE || byte == 0x27 || byte == 0x29) return true;
  return byte == 0x2c || byte == 0x3b || byte == 0x7c || byte == 0x7d || byte == 0x5d;
}

/** The level whose name is at `at`, or with `counts` its number (pino, bunyan). */
function named(at: u32, end: u32, counts: bool): u32 {
  let length: u32 = 5;
  let found: u32 = ERROR;
  const four: u32 = load<u32>(at);
  const next: u32 = load<u32>(at, 4);
  if (four == 0x6f666e69) {
    length = 4;
    found = INFO;
  } else if (four == 0x6e726177) {
    length = (next & 0xffffff) == 0x676e69 ? 7 : 4;
    found = WARN;
  } else if (four == 0x75626564 && (next & 0xff) == 0x67) found = DEBUG;
  else if (four == 0x63617274 && (next & 0xff) == 0x65) found = DEBUG;
  else if (four == 0x69746f6e && (next & 0xffff) == 0x6563) {
    length = 6;
    found = INFO;
  } else if (counts && (four & 0xff) >= 0x31 && (four & 0xff) <= 0x36 && ((four >> 8) & 0xff) == 0x30) {
    length = 2;
    const tens = (four & 0xff) - 0x30;
    found = tens >= 5 ? ERROR : tens == 4 ? WARN : tens == 3 ? INFO : DEBUG;
  } else if (!(four == 0x6f727265 && (next & 0xff) == 0x72) && !(four == 0x61746166 && (next & 0xff) == 0x6c))
    return UNSURE;
  const behind = at + length;
  if (behind > end) return UNSURE;
  return behind == end || isEnd(load<u8>(behind)) ? found : UNSURE;
}
