/**
 * The WebAssembly search for literals: where in some bytes a text may stand, in any case. Compiled by `npm run build:wasm` (AssemblyScript)
 * into `wasm-search-binary.ts`; what it finds is defined by `literal-pattern.ts`.
 *
 * Memory is laid out by the caller (`wasm-search.ts`). Reads may run over the end of a region by up to 63 bytes.
 */

import { levelOf } from '../../syslog/wasm/wasm-level.as';

/** What every module has; this one gives its results back. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

/** See `levelOf`. */
export function level(start: u32, end: u32): u32 {
  return levelOf(start, end);
}

/**
 * The first place in `[from, end)` where a pattern stands as a whole; `end` when there is none.
 *
 * @param pattern of each of its bytes a mask and a value: a byte fits that, with the mask's bits set, is the value
 * @param probeA of its bytes the one that is in the fewest lines, and (`probeB`) the next: both are looked for, 16 places at a time
 * @param operator what the number behind it is compared with by, see {@link refutes}; 0 for nothing
 * @param limit where the bytes end that are known
 */
export function find(
  pattern: u32,
  length: u32,
  probeA: u32,
  probeB: u32,
  from: u32,
  end: u32,
  operator: u32,
  operand: f64,
  limit: u32,
): u32 {
  if (from + length > end) return end;
  const last = end - length;
  const maskA = i8x16.splat(load<u8>(pattern + 2 * probeA));
  const valueA = i8x16.splat(load<u8>(pattern + 2 * probeA, 1));
  const maskB = i8x16.splat(load<u8>(pattern + 2 * probeB));
  const valueB = i8x16.splat(load<u8>(pattern + 2 * probeB, 1));
  for (let i = from; i <= last; ) {
    const a = i + probeA;
    const a0 = i8x16.eq(v128.or(v128.load(a), maskA), valueA);
    const a1 = i8x16.eq(v128.or(v128.load(a, 16), maskA), valueA);
    const a2 = i8x16.eq(v128.or(v128.load(a, 32), maskA), valueA);
    const a3 = i8x16.eq(v128.or(v128.load(a, 48), maskA), valueA);
    if (!v128.any_true(v128.or(v128.or(a0, a1), v128.or(a2, a3)))) {
      i += 64;
      continue;
    }
    const b = i + probeB;
    const hits0 = v128.and(a0, i8x16.eq(v128.or(v128.load(b), maskB), valueB));
    const hits1 = v128.and(a1, i8x16.eq(v128.or(v128.load(b, 16), maskB), valueB));
    const hits2 = v128.and(a2, i8x16.eq(v128.or(v128.load(b, 32), maskB), valueB));
    const hits3 = v128.and(a3, i8x16.eq(v128.or(v128.load(b, 48), maskB), valueB));
    if (v128.any_true(v128.or(v128.or(hits0, hits1), v128.or(hits2, hits3)))) {
      let hits: u64 =
        <u64>i8x16.bitmask(hits0) |
        (<u64>i8x16.bitmask(hits1) << 16) |
        (<u64>i8x16.bitmask(hits2) << 32) |
        (<u64>i8x16.bitmask(hits3) << 48);
      while (hits != 0) {
        const at = i + <u32>ctz<u64>(hits);
        if (at > last) return end;
        if (
          standsAt(pattern, length, at) &&
          (operator == 0 || !refutes(at + length, limit, operator, operand))
        )
          return at;
        hits &= hits - 1;
      }
    }
    i += 64;
  }
  return end;
}

function standsAt(pattern: u32, length: u32, at: u32): bool {
  for (let k: u32 = 0; k < length; k++) {
    const fits = load<u8>(pattern + 2 * k);
    if ((load<u8>(at + k) | fits) != load<u8>(pattern + 2 * k, 1)) return false;
  }
  return true;
}

/** Digits with which a number is exact. */
const DIGITS_MAX: u32 = 15;

/**
 * Is what stands behind the name of a field its value, and surely a number for which a comparison doesn't hold? As it is written in logfmt and
 * structured data (`=200 `, `="200"`) and in JSON (`":200,`, `": "200"`).
 */
function refutes(from: u32, limit: u32, operator: u32, operand: f64): bool {
  if (from + 3 + 2 * DIGITS_MAX > limit) return false;
  let i = from;
  if (load<u8>(i) == 0x3d) i++;
  else if (load<u16>(i) == 0x3a22) {
    i += 2;
    if (load<u8>(i) == 0x20) i++;
  } else return false;
  const isQuoted = load<u8>(i) == 0x22;
  if (isQuoted) i++;
  let number: f64 = 0;
  let scale: f64 = 0;
  let digits: u32 = 0;
  let behind: u32 = load<u8>(i);
  const start = i;
  while (digits <= DIGITS_MAX) {
    if (behind >= 0x30 && behind <= 0x39) {
      number = number * 10 + <f64>(behind - 0x30);
      scale *= 10;
      digits++;
    } else if (behind == 0x2e && scale == 0 && i > start) scale = 1;
    else break;
    behind = load<u8>(++i);
  }
  if (digits == 0 || digits > DIGITS_MAX || load<u8>(i - 1) == 0x2e) return false;
  if (isQuoted ? behind != 0x22 : !endsValue(behind)) return false;
  if (scale > 1) number /= scale;
  if (operator == 1) return !(number >= operand);
  if (operator == 2) return !(number <= operand);
  if (operator == 3) return !(number > operand);
  if (operator == 4) return !(number < operand);
  return number != operand;
}

/** A space, or what is cut off behind a value. */
function endsValue(byte: u32): bool {
  if (byte == 0x20 || (byte >= 9 && byte <= 13)) return true;
  return byte == 0x2c || byte == 0x3b || byte == 0x29 || byte == 0x5d || byte == 0x7d;
}
