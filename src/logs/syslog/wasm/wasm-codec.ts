/**
 * The WebAssembly fast path for common lines: the same results as those of `header.ts`, `batch-builder.ts` and `encode.ts`, several
 * times as fast. It leaves alone what it doesn't support; `test/logs/syslog/wasm-codec.test.ts` compares the two.
 */

import { layOutRegions, loadWasmModule, type WasmExports } from '../../../common/wasm/wasm-module.ts';
import { framesInDoubt } from '../frame-boundary.ts';
import { latestDate } from '../timestamp.ts';
import { CODEC_WASM } from './wasm-codec-binary.ts';

interface CodecExports extends WasmExports {
  readonly dateMax: WebAssembly.Global;
  readonly lastFrame: WebAssembly.Global;
  readonly lastRecord: WebAssembly.Global;
  readonly frameBefore: WebAssembly.Global;
  readonly recordBefore: WebAssembly.Global;
  take(
    from: number,
    end: number,
    out: number,
    outEnd: number,
    token: number,
    tokenLength: number,
    source: number,
    sourceLength: number,
  ): number;
  write(
    from: number,
    count: number,
    out: number,
    head: number,
    headLength: number,
    heroku: number,
    keepHost: number,
    singleLine: number,
  ): number;
}

const NAME_BYTES_MAX = 1_024;
const INPUT_BYTES = 524_288;
const {
  token: TOKEN,
  source: SOURCE,
  head: HEAD,
  input: INPUT,
  output: OUTPUT,
  outputEnd: OUTPUT_END,
} = layOutRegions({
  token: NAME_BYTES_MAX,
  source: NAME_BYTES_MAX,
  head: NAME_BYTES_MAX,
  input: INPUT_BYTES,
});
/** Bytes of a connection that are decoded in one call, and of the records made of them: less than a batch. */
const WINDOW_BYTES = 131_072;
const RECORDS_BYTES = 200_000;
/** Results of `take`: the window ends in the middle of a frame; the next frame isn't supported; the output is full. */
const PARTIAL = 0;
const UNSUPPORTED = 1;
const FULL = 2;

const { wasm, memory } = loadWasmModule<CodecExports>(CODEC_WASM);

/** Gets the records of decoded lines: copy them before the next call. */
export interface RecordSink {
  addRecords(records: Uint8Array, count: number, lineBytes: number): void;
}

/** How {@link encodeFrames} writes a line. */
export interface FrameForm {
  /** Written as HOSTNAME, with the space after it. */
  readonly head: Uint8Array;
  /** MSGID is `-`, structured data is left out, no frame is longer than 10,240 bytes. */
  readonly heroku: boolean;
  /** HOSTNAME stays the sender's. */
  readonly keepHost: boolean;
  /** In Heroku's form: no message has a newline in it. */
  readonly singleLine: boolean;
}

/** What the regions hold: the same bytes needn't be copied there again. */
let loaded: Uint8Array | undefined;
let loadedStart = 0;
let loadedEnd = 0;
let loadedToken: Uint8Array | undefined;
let loadedSource: Uint8Array | undefined;

/**
 * Decodes octet-counted frames from `bytes[pos, …)` as long as they are common lines with the given token (an empty one: with any
 * APP-NAME); returns where it stopped: at a frame that isn't supported, or isn't there in full.
 */
export function decodeFrames(
  bytes: Uint8Array,
  pos: number,
  token: Uint8Array,
  source: Uint8Array,
  sink: RecordSink,
): number {
  if (token.length > NAME_BYTES_MAX || source.length > NAME_BYTES_MAX) return pos;
  loadNames(token, source);
  wasm.dateMax.value = latestDate();
  for (;;) {
    if (loaded !== bytes || pos < loadedStart || pos >= loadedEnd) loadInput(bytes, pos);
    const shift = INPUT - loadedStart;
    const status = wasm.take(
      pos + shift,
      loadedEnd + shift,
      OUTPUT,
      OUTPUT + RECORDS_BYTES,
      TOKEN,
      token.length,
      SOURCE,
      source.length,
    );
    let reached = wasm.position.value - shift;
    let count = wasm.lines.value;
    if (count > 0) {
      let end = wasm.produced.value;
      const doubtful = countDoubtful(bytes, reached, status);
      if (doubtful > 0) {
        // The end of a frame may be wrong: see `framing.ts`, which takes it.
        reached = (doubtful === 1 ? wasm.lastFrame : wasm.frameBefore).value - shift;
        end = (doubtful === 1 ? wasm.lastRecord : wasm.recordBefore).value;
        count -= doubtful;
      }
      if (count > 0) sink.addRecords(memory.subarray(OUTPUT, end), count, reached - pos);
    }
    const moved = reached > pos;
    pos = reached;
    if (status === UNSUPPORTED || (!moved && loadedStart === pos) || pos >= bytes.length) return pos;
    if (status === FULL) continue;
    // The window ended within a frame: the next one starts there, unless these were the last bytes.
    if (loadedEnd === bytes.length) return pos;
    loadInput(bytes, pos);
  }
}

/** How many of the frames that were decoded before `reached` have to be looked at again, for what is behind them. */
function countDoubtful(bytes: Uint8Array, reached: number, status: number): number {
  if (reached === bytes.length) return 0;
  // The window's end, or the output's, says nothing of the frame behind it: the next call does.
  if (status === FULL || (status === PARTIAL && loadedEnd < bytes.length)) return 1;
  return framesInDoubt(bytes, reached);
}

/**
 * Writes `count` records of `bytes[start, end)` as frames to `out` from `at` on; returns the new end, or -1 when they don't fit
 * into WebAssembly's memory, or have to be split. See `encode.ts` and `heroku-frames.ts` for the formats.
 */
export function encodeFrames(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  form: FrameForm,
  out: Uint8Array,
  at: number,
): number {
  const { head } = form;
  if (end - start > INPUT_BYTES || head.length > NAME_BYTES_MAX) return -1;
  if (end - start + count * (head.length + 10) > OUTPUT_END - OUTPUT) return -1;
  loaded = undefined;
  memory.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), INPUT);
  memory.set(head, HEAD);
  const written = wasm.write(
    INPUT,
    count,
    OUTPUT,
    HEAD,
    head.length,
    form.heroku ? 1 : 0,
    form.keepHost ? 1 : 0,
    form.singleLine ? 1 : 0,
  );
  if (written === 0) return -1;
  out.set(memory.subarray(OUTPUT, written), at);
  return at + written - OUTPUT;
}

function loadNames(token: Uint8Array, source: Uint8Array): void {
  if (token !== loadedToken) {
    memory.set(token, TOKEN);
    loadedToken = token;
  }
  if (source !== loadedSource) {
    memory.set(source, SOURCE);
    loadedSource = source;
  }
}

function loadInput(bytes: Uint8Array, pos: number): void {
  loaded = bytes;
  loadedStart = pos;
  loadedEnd = Math.min(bytes.length, pos + WINDOW_BYTES);
  memory.set(new Uint8Array(bytes.buffer, bytes.byteOffset + pos, loadedEnd - pos), INPUT);
}
