/**
 * The express lane of text lines: the same bytes as `line-writer.ts` gives, in WebAssembly, many times as fast. A line that it
 * doesn't know how to show it leaves alone; `test/logs/tails/wire.unit.test.ts` holds it to the other.
 */
import { TEXT_WASM } from './wasm-text-binary.ts';

interface TextWasmExports {
  readonly memory: WebAssembly.Memory;
  readonly position: WebAssembly.Global;
  readonly produced: WebAssembly.Global;
  readonly lines: WebAssembly.Global;
  show(
    from: number,
    count: number,
    out: number,
    outEnd: number,
    quoted: number,
    front: number,
    frontLength: number,
    back: number,
    backLength: number,
  ): number;
}

/** Where things are in the 2 MiB of memory. Between regions there is slack. */
const PREFIX = 2_048;
const SUFFIX = 2_176;
const AFFIX_BYTES_MAX = 64;
const INPUT = 4_096;
const INPUT_BYTES = 524_288;
const OUTPUT = INPUT + INPUT_BYTES + 64;
const OUTPUT_END = 2_097_152 - 64;
const FULL = 2;

let instance: { readonly wasm: TextWasmExports; readonly memory: Uint8Array } | undefined;

/** What stands in front of each line and behind it: Latin-1, 64 characters at the most. */
export interface LineAffixes {
  readonly prefix: string;
  readonly suffix: string;
  /** Lines stand within JSON strings. */
  readonly quoted: boolean;
}

/** Gets what was written: copy it before the next call. */
export type OnText = (text: Uint8Array, lines: number) => void;

/**
 * Writes the first `count` records of `bytes[start, end)` as they are displayed; returns where it stopped: at the end of them,
 * or at one that is not usual.
 */
export function writeTextLinesWasm(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  affixes: LineAffixes,
  onText: OnText,
): number {
  if (end - start > INPUT_BYTES) return start;
  instance ??= load();
  const { wasm, memory } = instance;
  memory.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), INPUT);
  writeAffix(memory, affixes.prefix, PREFIX);
  writeAffix(memory, affixes.suffix, SUFFIX);
  let from = INPUT;
  for (let remaining = count; remaining > 0; ) {
    const status = wasm.show(
      from,
      remaining,
      OUTPUT,
      OUTPUT_END,
      affixes.quoted ? 1 : 0,
      PREFIX,
      affixes.prefix.length,
      SUFFIX,
      affixes.suffix.length,
    );
    const lines = wasm.lines.value;
    if (lines > 0) onText(memory.subarray(OUTPUT, wasm.produced.value), lines);
    from = wasm.position.value;
    remaining -= lines;
    if (status !== FULL || lines === 0) break;
  }
  return start + from - INPUT;
}

function load(): NonNullable<typeof instance> {
  const module = new WebAssembly.Module(Buffer.from(TEXT_WASM, 'base64'));
  const wasm = new WebAssembly.Instance(module).exports as unknown as TextWasmExports;
  return { wasm, memory: new Uint8Array(wasm.memory.buffer) };
}

function writeAffix(memory: Uint8Array, text: string, at: number): void {
  if (text.length > AFFIX_BYTES_MAX) throw new RangeError('a mark of that length has no room');
  for (let i = 0; i < text.length; i++) memory[at + i] = text.charCodeAt(i);
}
