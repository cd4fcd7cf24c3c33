/** What JavaScript does for the fast path, where it says itself what is right: `wasm-records.ts` has these. Each takes a part of a microsecond. */

/** The double that the number `[start, end)` of JSON is. */
export declare function numberOf(start: u32, end: u32): f64;

/**
 * Writes the number `[start, end)` to `out`, as `JSON.stringify` does, within an object or an array or as the value of a parameter; returns its
 * bytes, {@link NUMBER_BYTES_MAX} at the most, or 0 for what is no number, or a longer one.
 */
export declare function writeNumber(start: u32, end: u32, out: u32, isNested: bool): u32;

/** Writes the time that the text or number of JSON `[start, end)` is to `out`, as it is stored; returns its bytes, 32 at the most, or 0 for none. */
export declare function writeTime(start: u32, end: u32, out: u32): u32;

export const NUMBER_BYTES_MAX: u32 = 64;
