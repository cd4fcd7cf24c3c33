/**
 * The express lane for usual lines: the same results as `header.ts`, `batch-builder.ts` and `wire.ts` give, in
 * WebAssembly, several times as fast. What it doesn't know it leaves alone; `test/logs/syslog/wasm-codec.unit.test.ts` holds it to the others.
 */

import { latestDate } from '../timestamp.ts';
import { CODEC_WASM } from './wasm-codec-binary.ts';

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly position: WebAssembly.Global;
  readonly produced: WebAssembly.Global;
  readonly lines: WebAssembly.Global;
  readonly dateMax: WebAssembly.Global;
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
  ): number;
}

/** Where things are in the 2 MiB of memory. Below 1 KiB nothing is written; between regions there is slack. */
const TOKEN = 2_048;
const SOURCE = 4_096;
const HEAD = 6_144;
const NAME_BYTES_MAX = 1_024;
const INPUT = 8_192;
const INPUT_BYTES = 524_288;
const OUTPUT = INPUT + INPUT_BYTES + 64;
const OUTPUT_BYTES = 2_097_152 - OUTPUT - 64;
/** Bytes of a connection that are looked at in one go, and of the records made of them: less than a batch. */
const WINDOW_BYTES = 131_072;
const RECORDS_BYTES = 200_000;
/** What `take` says: the window ends in the middle of a frame; what comes is unusual; the records are full. */
const UNSUPPORTED = 1;
const FULL = 2;

const wasm = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(CODEC_WASM, 'base64')))
  .exports as unknown as Exports;
const memory = new Uint8Array(wasm.memory.buffer);

/** Gets the records of lines that were taken: copy them before the next call. */
export interface RecordSink {
  addRecords(records: Uint8Array, count: number, lineBytes: number): void;
}

/** What is in the input region: the same bytes needn't be copied there again. */
let loaded: Uint8Array | undefined;
let loadedStart = 0;
let loadedEnd = 0;
let loadedToken: Uint8Array | undefined;
let loadedSource: Uint8Array | undefined;

/**
 * Takes octet-counted frames from `bytes[pos, …)` as long as they are usual lines with the given token (an empty one: with any
 * APP-NAME); returns where it stopped: at a frame that is not usual, or not whole.
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
    const why = wasm.take(
      pos + shift,
      loadedEnd + shift,
      OUTPUT,
      OUTPUT + RECORDS_BYTES,
      TOKEN,
      token.length,
      SOURCE,
      source.length,
    );
    const reached = wasm.position.value - shift;
    const count = wasm.lines.value;
    if (count > 0) sink.addRecords(memory.subarray(OUTPUT, wasm.produced.value), count, reached - pos);
    const moved = reached > pos;
    pos = reached;
    if (why === UNSUPPORTED || (!moved && loadedStart === pos) || pos >= bytes.length) return pos;
    if (why === FULL) continue;
    // The window ended within a frame: the next one starts there, unless these were the last bytes.
    if (loadedEnd === bytes.length) return pos;
    loadInput(bytes, pos);
  }
}

/**
 * Writes `count` records of `bytes[start, end)` as frames to `out` from `at` on; returns the new end, or -1 when there is
 * too much for this lane. See `wire.ts` for the forms.
 */
export function encodeFrames(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  form: { readonly head: Uint8Array; readonly heroku: boolean; readonly keepHost: boolean },
  out: Uint8Array,
  at: number,
): number {
  const { head } = form;
  if (end - start > INPUT_BYTES || head.length > NAME_BYTES_MAX) return -1;
  if (end - start + count * (head.length + 10) > OUTPUT_BYTES) return -1;
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
  );
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
