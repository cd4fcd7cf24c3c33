/**
 * Loads the WebAssembly fast paths (`wasm-*.as.ts`, compiled by scripts/build-wasm.mjs) and lays out their memory: none of them
 * allocates, so whoever calls one says where its input is and where its output goes.
 */

/** What each of them exports besides its functions; the numbers are results of the last call. */
export interface WasmExports {
  readonly memory: WebAssembly.Memory;
  /** Where it stopped in the input. */
  readonly position: WebAssembly.Global;
  /** Where the output ends. */
  readonly produced: WebAssembly.Global;
  readonly lines: WebAssembly.Global;
}

export interface WasmModule<T extends WasmExports> {
  readonly wasm: T;
  readonly memory: Uint8Array;
}

/** The memory of most modules (scripts/build-wasm.mjs): 32 pages. What isn't written to isn't there. */
const MEMORY_BYTES = 32 * 65_536;
/** Static data are behind the first KiB (`--memoryBase` of scripts/build-wasm.mjs, which reads this number and refuses more of them than fit). */
const FIRST_REGION = 2_048;
/** Behind each region: reads and writes may run over its end by up to 15 bytes. */
const SLACK_BYTES = 64;

/** Where the regions of a module's memory start, and the output, which has what remains. */
export type WasmRegions<Name extends string> = { readonly [name in Name | 'output' | 'outputEnd']: number };

/**
 * Lays out the memory of a module.
 * @param sizes bytes of each region, in their order
 * @param memoryBytes that the module has
 */
export function layOutRegions<Name extends string>(
  sizes: Readonly<Record<Name, number>>,
  memoryBytes = MEMORY_BYTES,
): WasmRegions<Name> {
  const regions: Record<string, number> = {};
  let at = FIRST_REGION;
  for (const [name, bytes] of Object.entries<number>(sizes)) {
    regions[name] = at;
    at += Math.ceil(bytes / SLACK_BYTES) * SLACK_BYTES + SLACK_BYTES;
  }
  const outputEnd = memoryBytes - SLACK_BYTES;
  if (at >= outputEnd) throw new RangeError('the regions leave no memory for the output');
  return { ...regions, output: at, outputEnd } as WasmRegions<Name>;
}

/**
 * Compiles a module and makes the one instance of it.
 * @param base64 the module, as its `wasm-*-binary.ts` has it
 * @param memoryBytes that it has
 * @param imports functions of JavaScript that it calls
 */
export function loadWasmModule<T extends WasmExports>(
  base64: string,
  memoryBytes = MEMORY_BYTES,
  imports?: WebAssembly.Imports,
): WasmModule<T> {
  const module = new WebAssembly.Module(Buffer.from(base64, 'base64'));
  const wasm = new WebAssembly.Instance(module, imports).exports as unknown as T;
  const memory = new Uint8Array(wasm.memory.buffer);
  if (memory.length !== memoryBytes)
    throw new RangeError(`the module has ${memory.length} bytes of memory, not ${memoryBytes}`);
  return { wasm, memory };
}
