/**
 * The WebAssembly fast path for records: what `json-lines.ts`, `otlp.ts` and `plain-text-body.ts` make of common ones, many times as fast. It
 * leaves alone what it doesn't understand; `test/logs/sources/formats/records.unit.test.ts` compares the two.
 */

import { layOutRegions, loadWasmModule, type WasmExports } from '../../../../common/wasm/wasm-module.ts';
import { latestDate } from '../../../syslog/timestamp.ts';
import { RECORDS_WASM } from './wasm-records-binary.ts';

interface RecordsExports extends WasmExports {
  readonly containers: WebAssembly.Global;
  setUp(data: number, keys: number, time: number, head: number): void;
  setNameRegion(at: number): void;
  setDateMax(date: number): void;
  setHead(length: number): void;
  records(
    kind: number,
    from: number,
    end: number,
    out: number,
    outEnd: number,
    isLast: number,
    isBehind: number,
  ): number;
  otlpRecords(from: number, end: number, out: number, outEnd: number): number;
  textLines(from: number, end: number, out: number, outEnd: number, isLast: number): number;
}

/** What is read. */
export const RecordKind = {
  /** JSON, an object a line. */
  lines: 0,
  /** JSON objects with newlines between them, and maybe in them. */
  objects: 1,
  /** Elements of a JSON array, behind its bracket or, with `isBehind`, behind one of them; up to the bracket that closes it. */
  elements: 2,
  /** The same, of `logRecords` of OTLP in JSON. */
  otlpElements: 3,
  /** The fields `logRecords` of a `ScopeLogs` of OTLP in protobuf, up to the first other one. */
  otlp: 4,
  /** Lines of plain text. */
  text: 5,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Gets octet-counted frames, each an RFC 5424 line without a token. */
export interface FrameTaker {
  /** @param frames are overwritten later: copy them. */
  addFrames(frames: Uint8Array, count: number): void;
}

const HEAD_BYTES_MAX = 2_048;
const DATA_BYTES = 8_192;
const KEYS_BYTES = 64 * 8;
const TEXT_BYTES = 64;
/** Bytes of a body that are read in one call, and behind them as many zeros as may be looked at. */
const WINDOW_BYTES = 262_144;
const ZEROS = new Uint8Array(64);
/** What `records` returns, and the others. */
const DONE = 0;
const FULL = 2;
const CUT = 3;
const {
  data: DATA,
  keys: KEYS,
  time: TIME,
  name: NAME,
  head: HEAD,
  input: INPUT,
  output: OUTPUT,
  outputEnd: OUTPUT_END,
} = layOutRegions({
  data: DATA_BYTES,
  keys: KEYS_BYTES,
  time: TEXT_BYTES,
  name: TEXT_BYTES,
  head: HEAD_BYTES_MAX,
  input: WINDOW_BYTES + ZEROS.length,
});

const { wasm, memory } = loadWasmModule<RecordsExports>(RECORDS_WASM);
wasm.setUp(DATA, KEYS, TIME, HEAD);
wasm.setNameRegion(NAME);
const jsonElement = Buffer.from('[json@32473');
const otlpElement = Buffer.from('[otlp@32473');
let date = 0;

/**
 * Reads the records of one body.
 *
 * A body's records are read with one of these, before those of another one are.
 */
export class RecordScanner {
  private readonly body: Uint8Array;
  private readonly taker: FrameTaker;
  private loadedStart = 0;
  private loadedEnd = 0;
  /** Where it stopped. */
  position = 0;
  /** A record was read of the list that is read. */
  isBehind = false;
  /** Objects and arrays, or messages, that were read so far. */
  containers = 0;

  constructor(body: Uint8Array, taker: FrameTaker) {
    this.body = body;
    this.taker = taker;
    const latest = latestDate();
    if (latest === date) return;
    date = latest;
    wasm.setDateMax(latest);
  }

  /** The dyno of records without one; of OTLP, HOSTNAME to PROCID; of text, the header. False when it is too long. */
  setHead(head: string): boolean {
    if (head.length > HEAD_BYTES_MAX) return false;
    memory.set(Buffer.from(head, 'latin1'), HEAD);
    wasm.setHead(head.length);
    return true;
  }

  /**
   * Makes lines of what is in `[from, end)`; returns whether all of it, or of the list in it, was read. Else the record at `position` isn't
   * understood.
   */
  scan(kind: RecordKind, from: number, end: number): boolean {
    memory.set(
      kind === RecordKind.otlp || kind === RecordKind.otlpElements ? otlpElement : jsonElement,
      DATA,
    );
    let at = from;
    if (at < this.loadedStart || at >= this.loadedEnd) this.load(at);
    for (;;) {
      const status = this.scanWindow(kind, at, end);
      const lines = wasm.lines.value;
      at = wasm.position.value - INPUT + this.loadedStart;
      this.position = at;
      this.containers += wasm.containers.value;
      if (lines > 0) {
        this.isBehind = true;
        this.taker.addFrames(memory.subarray(OUTPUT, wasm.produced.value), lines);
      }
      const isWhole = this.loadedEnd >= end;
      if (status === DONE) {
        if (isWhole || (kind !== RecordKind.lines && kind !== RecordKind.objects && kind !== RecordKind.text))
          return true;
      } else if (status === FULL) {
        if (lines === 0) return false;
        continue;
      } else if (status !== CUT || isWhole || at === this.loadedStart) return false;
      this.load(at);
    }
  }

  private scanWindow(kind: RecordKind, at: number, end: number): number {
    const shift = INPUT - this.loadedStart;
    const isLast = this.loadedEnd >= end ? 1 : 0;
    const from = at + shift;
    const to = Math.min(end, this.loadedEnd) + shift;
    const outEnd = OUTPUT_END - ZEROS.length;
    if (kind === RecordKind.otlp) return wasm.otlpRecords(from, to, OUTPUT, outEnd);
    if (kind === RecordKind.text) return wasm.textLines(from, to, OUTPUT, outEnd, isLast);
    return wasm.records(kind, from, to, OUTPUT, outEnd, isLast, this.isBehind ? 1 : 0);
  }

  private load(at: number): void {
    const { body } = this;
    this.loadedStart = at;
    this.loadedEnd = Math.min(body.length, at + WINDOW_BYTES);
    memory.set(body.subarray(at, this.loadedEnd), INPUT);
    memory.set(ZEROS, INPUT + this.loadedEnd - at);
  }
}
