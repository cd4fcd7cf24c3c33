/**
 * The WebAssembly fast path for text lines: the same bytes as `line-writer.ts` gives, many times as fast. A line that it doesn't
 * support it leaves to that; `test/logs/tails/encodings.test.ts` compares the two.
 */
import {
  layOutRegions,
  loadWasmModule,
  type WasmExports,
  type WasmModule,
} from '../../../common/wasm/wasm-module.ts';
import { TEXT_WASM } from './wasm-text-binary.ts';

interface TextWasmExports extends WasmExports {
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

const AFFIX_BYTES_MAX = 64;
const INPUT_BYTES = 524_288;
const {
  prefix: PREFIX,
  suffix: SUFFIX,
  input: INPUT,
  output: OUTPUT,
  outputEnd: OUTPUT_END,
} = layOutRegions({ prefix: AFFIX_BYTES_MAX, suffix: AFFIX_BYTES_MAX, input: INPUT_BYTES });
/** `show` stopped since the output is full. */
const FULL = 2;

/** Loaded by the first text that is written. */
let textModule: WasmModule<TextWasmExports> | undefined;

/** What is written before and after each line: Latin-1, 64 characters at the most. */
export interface LineAffixes {
  readonly prefix: string;
  readonly suffix: string;
  /** Lines are escaped, for within a JSON string. */
  readonly quoted: boolean;
}

/** Gets what was written: copy it before the next call. */
export type OnText = (text: Uint8Array, lines: number) => void;

/**
 * Writes the first `count` records of `bytes[start, end)` as text lines; returns where it stopped: at the end of them, or at one
 * that is not supported.
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
  textModule ??= loadWasmModule<TextWasmExports>(TEXT_WASM);
  const { wasm, memory } = textModule;
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

function writeAffix(memory: Uint8Array, text: string, at: number): void {
  if (text.length > AFFIX_BYTES_MAX)
    throw new RangeError(`an affix may have ${AFFIX_BYTES_MAX} characters at the most`);
  for (let i = 0; i < text.length; i++) memory[at + i] = text.charCodeAt(i);
}
