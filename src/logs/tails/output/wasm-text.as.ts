/**
 * The WebAssembly fast path for text lines. Compiled by `npm run build:wasm` (AssemblyScript) into `wasm-text-binary.ts`; what it does
 * is defined by `line-writer.ts`, and a line with anything but ASCII to be shown is left to that.
 *
 * Memory is laid out by the caller (`wasm-text.ts`). Reads and writes may run over the end of a region by up to 15 bytes.
 */
import { BACKSLASH, QUOTE, SPACE, TAB } from '../../../common/wasm/wasm-ascii.as';
import { copy } from '../../../common/wasm/wasm-common.as';
import { splat } from '../../../common/wasm/wasm-splat.as';
import {
  hostOffset,
  messageOffset,
  msgidOffset,
  RECORD_HEADER,
  sourceOffset,
  textLength,
} from '../../syslog/wasm/wasm-record.as';

/** Where the records that were written end, where the text ends, and how many lines it has. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

/** All lines were written. */
const DONE: u32 = 0;
/** The line at `position` is not supported. */
const UNUSUAL: u32 = 1;
/** There is no space for the line at `position`. */
const FULL: u32 = 2;

/**
 * Writes `count` records from `from` on as `TIME SOURCE[DYNO]: MESSAGE` from `out` on, the bytes at `front` before each and those
 * at `back` after it; with `quoted` escaped for within a JSON string.
 */
export function show(
  from: u32,
  count: u32,
  out: u32,
  outEnd: u32,
  quoted: bool,
  front: u32,
  frontLength: u32,
  back: u32,
  backLength: u32,
): u32 {
  let i = from;
  let at = out;
  let why = DONE;
  let line: u32 = 0;
  for (; line < count; line++) {
    const length = textLength(i);
    const text = i + RECORD_HEADER;
    const host = text + hostOffset(i);
    const source = text + sourceOffset(i);
    const msgid = text + msgidOffset(i);
    const message = text + messageOffset(i);
    const end = text + length;
    if (at + length * 2 + frontLength + backLength + 64 > outEnd) {
      why = FULL;
      break;
    }
    // The time comes after "<PRI>1 ".
    let time = text + 3;
    while (time < host && load<u8>(time) != SPACE) time++;
    time++;
    let sourceEnd = source;
    while (sourceEnd < msgid && load<u8>(sourceEnd) != SPACE) sourceEnd++;
    let o = at;
    copy(o, front, frontLength);
    o = put(o + frontLength, time, host, quoted);
    if (o) o = put(o, source, sourceEnd, quoted);
    if (o) {
      store<u8>(o, 0x5b);
      o = put(o + 1, sourceEnd + 1, msgid - 1, quoted);
    }
    if (o) {
      // "]: "
      store<u32>(o, 0x203a5d);
      o = put(o + 3, message, end, quoted);
    }
    if (o == 0) {
      why = UNUSUAL;
      break;
    }
    copy(o, back, backLength);
    at = o + backLength;
    i = end;
  }
  position = i;
  produced = at;
  lines = line;
  return why;
}

/** Writes `[start, end)`, escaped when `quoted`; returns the new end, or 0 when something in it can't be shown as it is. */
function put(to: u32, start: u32, end: u32, quoted: bool): u32 {
  const space = splat(SPACE);
  const del = splat(0x7f);
  const quote = splat(QUOTE);
  const backslash = splat(BACKSLASH);
  let i = start;
  let o = to;
  while (i < end) {
    const bytes = v128.load(i);
    v128.store(o, bytes);
    // Compared as signed numbers, what is beyond ASCII is below a space as well.
    let odd = v128.or(i8x16.lt_s(bytes, space), i8x16.eq(bytes, del));
    if (quoted)
      odd = v128.or(odd, v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash)));
    const mask = i8x16.bitmask(odd);
    const here: u32 = mask == 0 ? 16 : <u32>ctz<i32>(mask);
    if (here >= end - i) return o + (end - i);
    i += here;
    o += here;
    if (here == 16) continue;
    const byte: u32 = load<u8>(i);
    if (quoted && (byte == QUOTE || byte == BACKSLASH)) store<u16>(o, (byte << 8) | BACKSLASH);
    // "\t"
    else if (quoted && byte == TAB) store<u16>(o, 0x745c);
    else if (byte == TAB) {
      store<u8>(o, TAB);
      o--;
    } else return 0;
    o += 2;
    i++;
  }
  return o;
}
