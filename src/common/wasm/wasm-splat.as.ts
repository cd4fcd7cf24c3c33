/** Constants of 16 equal bytes for the WebAssembly fast paths (`wasm-*.as.ts`): it is compiled into those that import it. */

/** Each byte, from 0 to 255. */
const BYTES = memory.data(256);
for (let byte: u32 = 0; byte < 256; byte++) store<u8>(<u32>BYTES + byte, byte);

/**
 * 16 times the same byte, as `i8x16.splat` makes them. V8 makes what that gives of a constant with three instructions, anew in each round of
 * a loop; this is one instruction, and what was loaded in front of a loop stays in its register.
 */
// @ts-ignore: decorator of AssemblyScript
@inline
export function splat(byte: u32): v128 {
  return v128.load_splat<u8>(<u32>BYTES + byte);
}
