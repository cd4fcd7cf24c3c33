/**
 * The express lane of a dyno's output: the same frames as `line-batch.ts` writes, many lines at a time, in WebAssembly. A line
 * that has to be split it leaves alone; `test/apps/forwarder/shipper.test.ts` holds it to the other.
 */
import { EXPRESS_WASM } from './express-wasm.ts';

interface Exports {
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
const HEAD = 2_048;
const HEAD_BYTES_MAX = 2_048;
const INPUT = 8_192;
const INPUT_BYTES = 131_072;
const OUTPUT = INPUT + INPUT_BYTES + 64;
const OUTPUT_BYTES = 2_097_152 - OUTPUT - 64;

/** What {@link frameLines} has written: to be looked at before the next call. */
export const framed = {
  /** Where it stopped in the run. */
  position: 0,
  lines: 0,
  /** Where the frames end in `out`. */
  end: 0,
};

let express: { readonly wasm: Exports; readonly memory: Buffer } | undefined;

/**
 * Writes lines `run[start, …)`, each with its newline, as frames to `out` from `at` on: at most `linesMax`, as many as have room, and
 * up to one that is longer than a line may be. Says in {@link framed} what became of it.
 *
 * @param head what stands in front of each message: ASCII
 */
export function frameLines(
  run: Uint8Array,
  start: number,
  head: string,
  linesMax: number,
  out: Uint8Array,
  at: number,
): void {
  framed.position = start;
  framed.lines = 0;
  framed.end = at;
  if (head.length > HEAD_BYTES_MAX) return;
  express ??= load();
  const { wasm, memory } = express;
  const end = Math.min(run.length, start + INPUT_BYTES);
  const outEnd = OUTPUT + Math.min(OUTPUT_BYTES, out.length - at);
  memory.write(head, HEAD, 'latin1');
  memory.set(new Uint8Array(run.buffer, run.byteOffset + start, end - start), INPUT);
  wasm.frame(INPUT, INPUT + end - start, OUTPUT, outEnd, HEAD, head.length, linesMax);
  const produced = wasm.produced.value;
  out.set(memory.subarray(OUTPUT, produced), at);
  framed.position = start + wasm.position.value - INPUT;
  framed.lines = wasm.lines.value;
  framed.end = at + produced - OUTPUT;
}

function load(): NonNullable<typeof express> {
  const module = new WebAssembly.Module(Buffer.from(EXPRESS_WASM, 'base64'));
  const wasm = new WebAssembly.Instance(module).exports as unknown as Exports;
  return { wasm, memory: Buffer.from(wasm.memory.buffer) };
}
