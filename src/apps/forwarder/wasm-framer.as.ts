/**
 * The WebAssembly fast path for a dyno's output: writes the lines of its pipe as frames. Compiled by `npm run build:wasm`
 * (AssemblyScript) into `wasm-framer-binary.ts`; what it does is defined by `line-batch.ts`, and lines that have to be split are left
 * to that.
 *
 * Memory is laid out by the caller (`wasm-framer.ts`). Reads and writes may run over the end of a region by up to 15 bytes.
 */
import { NEWLINE, RETURN } from '../../common/wasm/wasm-ascii.as';
import { copy, writeCount } from '../../common/wasm/wasm-common.as';

/** Where the lines that were written end, where their frames end, and how many there are. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

const LINE_BYTES_MAX: u32 = 10_000;
/** The digits and the space of octet counting. */
const COUNT_BYTES_MAX: u32 = 6;

/**
 * Writes lines `[from, end)`, each with its newline, as octet-counted frames from `out` on, with the head before each: up to
 * `linesMax` of them, up to one that is too long or not complete, and as many as fit.
 */
export function frame(
  from: u32,
  end: u32,
  out: u32,
  outEnd: u32,
  head: u32,
  headLength: u32,
  linesMax: u32,
): void {
  let i = from;
  let at = out;
  let count: u32 = 0;
  while (count < linesMax) {
    const stop = findNewline(i, end);
    if (stop >= end) break;
    let length = stop - i;
    if (length > 0 && load<u8>(stop - 1) == RETURN) length--;
    if (length > LINE_BYTES_MAX) break;
    const counted = headLength + length + 1;
    if (at + COUNT_BYTES_MAX + counted > outEnd) break;
    at = writeCount(counted, at);
    copy(at, head, headLength);
    at += headLength;
    copy(at, i, length);
    at += length;
    store<u8>(at, NEWLINE);
    at++;
    i = stop + 1;
    count++;
  }
  position = i;
  produced = at;
  lines = count;
}

/** Where the next newline is; at `end` or after it when there is none. */
function findNewline(from: u32, end: u32): u32 {
  const wanted = i8x16.splat(<i8>NEWLINE);
  for (let i = from; i < end; i += 16) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(i), wanted));
    if (found != 0) return i + <u32>ctz(found);
  }
  return end;
}
