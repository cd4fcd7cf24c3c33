/**
 * The WebAssembly fast path for a dyno's output: the same frames as `line-batch.ts` writes, many lines at a time. A line that has to
 * be split it leaves to that; `test/fuzz/pairs/dyno-output.ts` compares the two.
 */
import { layOutRegions, loadWasmModule, type WasmExports } from '../../common/wasm/wasm-module.ts';
import { FRAMER_WASM } from './wasm-framer-binary.ts';

interface FramerExports extends WasmExports {
  frame(
    from: number,
    end: number,
    out: number,
    outEnd: number,
    head: number,
    headLength: number,
    linesMax: number,
  ): void;
}

const HEADER_BYTES_MAX = 2_048;
const INPUT_BYTES = 131_072;
const {
  header: HEADER,
  input: INPUT,
  output: OUTPUT,
  outputEnd: OUTPUT_END,
} = layOutRegions({ header: HEADER_BYTES_MAX, input: INPUT_BYTES });

/** What {@link frameLines} has written: to be read before the next call. */
export const frameResult = {
  /** Where it stopped in the chunk. */
  position: 0,
  lines: 0,
  /** Where the frames end in `out`. */
  end: 0,
};

/** Loaded by the first output of a dyno. */
let framer: { readonly wasm: FramerExports; readonly memory: Buffer } | undefined;

/**
 * Writes lines `chunk[start, …)`, each with its newline, as frames to `out` from `outStart` on: at most `linesMax`, as many as fit,
 * and up to one that is longer than a line may be. The result is in {@link frameResult}.
 *
 * @param header what is written before each message: ASCII
 */
export function frameLines(
  chunk: Uint8Array,
  start: number,
  header: string,
  linesMax: number,
  out: Uint8Array,
  outStart: number,
): void {
  frameResult.position = start;
  frameResult.lines = 0;
  frameResult.end = outStart;
  if (header.length > HEADER_BYTES_MAX) return;
  framer ??= loadFramer();
  const { wasm, memory } = framer;
  const end = Math.min(chunk.length, start + INPUT_BYTES);
  const outEnd = Math.min(OUTPUT_END, OUTPUT + out.length - outStart);
  memory.write(header, HEADER, 'latin1');
  memory.set(new Uint8Array(chunk.buffer, chunk.byteOffset + start, end - start), INPUT);
  wasm.frame(INPUT, INPUT + end - start, OUTPUT, outEnd, HEADER, header.length, linesMax);
  const produced = wasm.produced.value;
  out.set(memory.subarray(OUTPUT, produced), outStart);
  frameResult.position = start + wasm.position.value - INPUT;
  frameResult.lines = wasm.lines.value;
  frameResult.end = outStart + produced - OUTPUT;
}

function loadFramer(): NonNullable<typeof framer> {
  const { wasm, memory } = loadWasmModule<FramerExports>(FRAMER_WASM);
  return { wasm, memory: Buffer.from(memory.buffer) };
}
