/**
 * The express lane of a dyno's output: the same frames as `line-batch.ts` writes, many lines at a time, in WebAssembly. A line
 * that has to be split it leaves alone; `test/apps/forwarder/shipper.test.ts` holds it to the other.
 */
import { FRAMER_WASM } from './wasm-framer-binary.ts';

interface FramerExports {
  readonly memory: WebAssembly.Memory;
  readonly position: WebAssembly.Global;
  readonly produced: WebAssembly.Global;
  readonly lines: WebAssembly.Global;
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

/** Where things are in the 2 MiB of memory. Between regions there is slack. */
const HEADER = 2_048;
const HEADER_BYTES_MAX = 2_048;
const INPUT = 8_192;
const INPUT_BYTES = 131_072;
const OUTPUT = INPUT + INPUT_BYTES + 64;
const OUTPUT_BYTES = 2_097_152 - OUTPUT - 64;

/** What {@link frameLines} has written: to be looked at before the next call. */
export const frameResult = {
  /** Where it stopped in the run. */
  position: 0,
  lines: 0,
  /** Where the frames end in `out`. */
  end: 0,
};

let framer: { readonly wasm: FramerExports; readonly memory: Buffer } | undefined;

/**
 * Writes lines `run[start, …)`, each with its newline, as frames to `out` from `at` on: at most `linesMax`, as many as have room, and
 * up to one that is longer than a line may be. Says in {@link frameResult} what became of it.
 *
 * @param header what stands in front of each message: ASCII
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
  const outEnd = OUTPUT + Math.min(OUTPUT_BYTES, out.length - outStart);
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
  const module = new WebAssembly.Module(Buffer.from(FRAMER_WASM, 'base64'));
  const wasm = new WebAssembly.Instance(module).exports as unknown as FramerExports;
  return { wasm, memory: Buffer.from(wasm.memory.buffer) };
}
