/**
 * The WebAssembly search for literals: where in some bytes a text may stand, in any case. Compiled by `npm run build:wasm` (AssemblyScript)
 * into `wasm-search-binary.ts`; what it finds is defined by `literal-pattern.ts`.
 *
 * Memory is laid out by the caller (`wasm-search.ts`). Reads may run over the end of a region by up to 63 bytes.
 */

export { level } from './wasm-levels.as';

/** What every module has; this one gives its results back. */
export let position: u32 = 0;
export let produced: u32 = 0;
export let lines: u32 = 0;

/**
 * The first place in `[from, end)` where a pattern stands as a whole; `end` when there is none.
 *
 * @param pattern of each of its bytes a mask and a value: a byte fits that, with the mask's bits set, is the value
 * @param probeA of its bytes the one that is in the fewest lines, and (`probeB`) the next: both are looked for, 16 places at a time
 */
export function find(
  pattern: u32,
  length: u32,
  probeA: u32,
  probeB: u32,
  from: u32,
  end: u32,
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
        if (standsAt(pattern, length, at)) return at;
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
