/**
 * The WebAssembly fast path for records: what `json-lines.ts`, `otlp.ts` and `plain-text-body.ts` make of common ones, many times as fast. It
 * leaves alone what it doesn't understand; `test/fuzz/pairs/records.ts` compares the two.
 */

import {
  layOutRegions,
  loadWasmModule,
  type WasmExports,
  type WasmModule,
} from '../../../../common/wasm/wasm-module.ts';
import { latestDate, timestampBytes } from '../../../syslog/timestamp.ts';
import { recordImports } from './wasm-host.ts';
import { RECORDS_WASM } from './wasm-records-binary.ts';

interface RecordsExports extends WasmExports {
  readonly containers: WebAssembly.Global;
  readonly lineBytes: WebAssembly.Global;
  setUp(data: number, keys: number, time: number, head: number): void;
  setNameRegion(at: number): void;
  setShapeRegion(at: number): void;
  setDateMax(date: number): void;
  setHead(length: number): void;
  setElement(length: number): void;
  setRecordHead(length: number, host: number, source: number, msgid: number): void;
  setUpRecords(head: number, source: number, host: number, time: number): void;
  setForm(direct: number, max: number, sourceBytes: number, hostBytes: number): void;
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

/** Gets lines: octet-counted frames, each an RFC 5424 line without a token; and records of a batch, when they are wanted. */
export interface FrameTaker {
  /** @param frames are overwritten later: copy them. */
  addFrames(frames: Uint8Array, count: number): void;
  /**
   * @param records are overwritten later, too.
   * @param lineBytes that their lines have, as they are counted
   * @returns what to call before they are overwritten, be it for another body; undefined when they are copied
   */
  addRecords?(records: Uint8Array, count: number, lineBytes: number): (() => void) | undefined;
}

/** What records have that frames don't: the name of the source of all lines, and the host that is stamped. */
export interface RecordForm {
  readonly source: Uint8Array;
  readonly host: Uint8Array;
}

const HEAD_BYTES_MAX = 2_048;
const DATA_BYTES = 8_192;
const KEYS_BYTES = 64 * 8;
const TEXT_BYTES = 64;
const SHAPE_BYTES = 32 * 48;
/** Bytes of a body that are read in one call, and behind them as many zeros as may be looked at. */
const WINDOW_BYTES = 262_144;
const ZEROS = new Uint8Array(64);
/** What `records` returns, and the others. */
const DONE = 0;
const FULL = 2;
const CUT = 3;
const INDIRECT = 4;
/** A time, three fields, and what is between them. */
const RECORD_HEAD_BYTES_MAX = 640;
const ALL_LINES = 0xffffffff;
const SOURCE_BYTES_MAX = 64;
const HOST_BYTES_MAX = 255;
/** Of HOSTNAME and PROCID (RFC 5424 section 6), and what may be the beginning of a token in one. */
const PROCID_BYTES_MAX = 128;
const MAY_BE_TOKEN = /t\..{8}-.{5}/is;
/** A header that ends in front of the message, as `default-header.ts` makes it. */
const TEXT_HEADER = /^(<\d+>1) - - app ([\x21-\x7e]+) - - $/;
const {
  data: DATA,
  keys: KEYS,
  time: TIME,
  name: NAME,
  shape: SHAPE,
  head: HEAD,
  recordHead: RECORD_HEAD,
  source: SOURCE,
  host: HOST,
  stamp: STAMP,
  input: INPUT,
  output: OUTPUT,
  outputEnd: OUTPUT_END,
} = layOutRegions({
  data: DATA_BYTES,
  keys: KEYS_BYTES,
  time: TEXT_BYTES,
  name: TEXT_BYTES,
  shape: SHAPE_BYTES,
  head: HEAD_BYTES_MAX,
  recordHead: RECORD_HEAD_BYTES_MAX,
  source: SOURCE_BYTES_MAX,
  host: HOST_BYTES_MAX,
  stamp: TEXT_BYTES,
  input: WINDOW_BYTES + ZEROS.length,
});

const { wasm, memory }: WasmModule<RecordsExports> = loadWasmModule(
  RECORDS_WASM,
  undefined,
  recordImports(() => memoryBuffer),
);
const memoryBuffer: Buffer = Buffer.from(memory.buffer);
wasm.setUp(DATA, KEYS, TIME, HEAD);
wasm.setNameRegion(NAME);
wasm.setShapeRegion(SHAPE);
wasm.setUpRecords(RECORD_HEAD, SOURCE, HOST, STAMP);
const jsonElement = Buffer.from('[json@32473');
const OTLP_ELEMENT = '[otlp@32473';
const otlpElement = Buffer.from(OTLP_ELEMENT);
/** Of the data that all records have, in front of their own. */
const COMMON_DATA_BYTES_MAX = 2_000;
let date = 0;
/** To be called before the output is overwritten. */
let keepOutput: (() => void) | undefined;

/**
 * Reads the records of one body.
 *
 * A body's records are read with one of these, before those of another one are.
 */
export class RecordScanner {
  private readonly body: Uint8Array;
  private readonly taker: FrameTaker;
  private readonly form: RecordForm | undefined;
  /** Its head is one that records may have. */
  private isDirect = false;
  /** How structured data of OTLP begins. */
  private element: Uint8Array = otlpElement;
  private loadedStart = 0;
  private loadedEnd = 0;
  /** Where it stopped. */
  position = 0;
  /** A record was read of the list that is read. */
  isBehind = false;
  /** Objects and arrays, or messages, that were read so far. */
  containers = 0;

  /** @param form makes records, of the lines that can be ones; the others are frames */
  constructor(body: Uint8Array, taker: FrameTaker, form?: RecordForm) {
    this.body = body;
    this.taker = taker;
    const latest = latestDate();
    if (latest !== date) {
      date = latest;
      wasm.setDateMax(latest);
    }
    if (!form || !taker.addRecords) return;
    const { source, host } = form;
    if (source.length === 0 || source.length > SOURCE_BYTES_MAX || host.length > HOST_BYTES_MAX) return;
    this.form = form;
    memory.set(source, SOURCE);
    memory.set(host, HOST);
    memory.set(timestampBytes(Date.now()), STAMP);
  }

  /** The dyno of records without one. False when it is too long. */
  setDyno(dyno: string): boolean {
    if (this.form && isShort(dyno, PROCID_BYTES_MAX)) this.putRecordHead(dyno, 0, 0, 0);
    return putHead(dyno);
  }

  /** Of OTLP: HOSTNAME, APP-NAME and PROCID. False when they are too long. */
  setSender(sender: string): boolean {
    const { form } = this;
    this.isDirect = false;
    const [host, app, dyno] = sender.split(' ', 3);
    if (form && app === 'app' && isShort(host, HOST_BYTES_MAX) && isShort(dyno, PROCID_BYTES_MAX)) {
      const stored = host === '-' ? latin1(form.host) : host;
      this.putRecordHead(`${stored} ${latin1(form.source)} ${dyno}`, 0, stored.length + 1, 0);
    }
    return putHead(sender);
  }

  /** Of OTLP: the parameters in front of a record's own. False when they are too many bytes. */
  setCommonData(params: string): boolean {
    this.element = params === '' ? otlpElement : Buffer.from(OTLP_ELEMENT + params);
    return this.element.length <= COMMON_DATA_BYTES_MAX;
  }

  /** Of text: all of a line in front of the message. False when it is too long. */
  setHeader(header: string): boolean {
    const { form } = this;
    const [, priority, dyno] = TEXT_HEADER.exec(header) ?? [];
    if (form && dyno !== undefined && isShort(dyno, PROCID_BYTES_MAX)) {
      const time = `${priority} ${latin1(timestampBytes(Date.now()))} `;
      const host = `${latin1(form.host)} `;
      const source = `${latin1(form.source)} ${dyno} `;
      const sourceAt = time.length + host.length;
      this.putRecordHead(`${time}${host}${source}- - `, time.length, sourceAt, sourceAt + source.length);
    }
    return putHead(header);
  }

  /**
   * Makes lines of what is in `[from, end)`; returns whether all of it, or of the list in it, was read. Else the record at `position` isn't
   * understood.
   */
  scan(kind: RecordKind, from: number, end: number): boolean {
    const isOtlp = kind === RecordKind.otlp || kind === RecordKind.otlpElements;
    const element = isOtlp ? this.element : jsonElement;
    memory.set(element, DATA);
    wasm.setElement(element.length);
    const { form, taker } = this;
    const isDirect = form !== undefined && this.isDirect;
    wasm.setForm(isDirect ? 1 : 0, ALL_LINES, form?.source.length ?? 0, form?.host.length ?? 0);
    /** One line that is no record. */
    let isFrame = !isDirect;
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
        const made = memory.subarray(OUTPUT, wasm.produced.value);
        if (isFrame) taker.addFrames(made, lines);
        else keepOutput = taker.addRecords?.(made, lines, wasm.lineBytes.value);
      }
      if (isDirect && (status === INDIRECT || isFrame)) {
        isFrame = status === INDIRECT;
        wasm.setForm(isFrame ? 0 : 1, isFrame ? 1 : ALL_LINES, form.source.length, form.host.length);
        if (isFrame) continue;
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
    keepOutput?.();
    keepOutput = undefined;
    const shift = INPUT - this.loadedStart;
    const isLast = this.loadedEnd >= end ? 1 : 0;
    const from = at + shift;
    const to = Math.min(end, this.loadedEnd) + shift;
    const outEnd = OUTPUT_END - ZEROS.length;
    if (kind === RecordKind.otlp) return wasm.otlpRecords(from, to, OUTPUT, outEnd);
    if (kind === RecordKind.text) return wasm.textLines(from, to, OUTPUT, outEnd, isLast);
    return wasm.records(kind, from, to, OUTPUT, outEnd, isLast, this.isBehind ? 1 : 0);
  }

  /** Records may have this head. */
  private putRecordHead(head: string, host: number, source: number, msgid: number): void {
    this.isDirect = true;
    memory.set(Buffer.from(head, 'latin1'), RECORD_HEAD);
    wasm.setRecordHead(head.length, host, source, msgid);
  }

  private load(at: number): void {
    const { body } = this;
    this.loadedStart = at;
    this.loadedEnd = Math.min(body.length, at + WINDOW_BYTES);
    memory.set(body.subarray(at, this.loadedEnd), INPUT);
    memory.set(ZEROS, INPUT + this.loadedEnd - at);
  }
}

function putHead(head: string): boolean {
  if (head.length > HEAD_BYTES_MAX) return false;
  memory.set(Buffer.from(head, 'latin1'), HEAD);
  wasm.setHead(head.length);
  return true;
}

/** Is a field as long as it may be, and without a token? */
function isShort(field: string, max: number): boolean {
  return field.length <= max && !MAY_BE_TOKEN.test(field);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
