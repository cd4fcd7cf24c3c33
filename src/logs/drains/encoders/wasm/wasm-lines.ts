/**
 * Encodes shipments by templates (`line-template.ts`), most lines in WebAssembly. Pieces that the template makes of a header are kept in
 * the module's memory, by the header's bytes, the level and whose template it is.
 */

import {
  layOutRegions,
  loadWasmModule,
  type WasmExports,
  type WasmModule,
} from '../../../../common/wasm/wasm-module.ts';
import { ENCODER_REGIONS, type EncoderMemory, encoderMemory } from '../../../../common/wasm/wasm-slots.ts';
import { RecordCursor } from '../../../syslog/batch.ts';
import { LOG_LEVELS, type LogLevel } from '../../../syslog/level.ts';
import { type LogRecord, readRecord, recordLevel } from '../../../syslog/record.ts';
import { formatTimestamp, isReadableTimestamp } from '../../../syslog/timestamp.ts';
import type { RequestBodyPool } from '../../http-format.ts';
import type { Shipment } from '../../shipment.ts';
import { encodeLine, type LineFrame, type LineTemplate, type TemplateLine } from '../line-template.ts';
import { LINES_WASM } from './wasm-lines-binary.ts';

interface LinesExports extends WasmExports {
  readonly groups: WebAssembly.Global;
  readonly askedAt: WebAssembly.Global;
  readonly askedLevel: WebAssembly.Global;
  setUp(slots: number, minutes: number, groups: number, runs: number, runsMax: number, order: number): void;
  begin(
    scope: number,
    time: number,
    isJson: number,
    prefix: number,
    flags: number,
    parts: number,
    head: number,
    head2: number,
    mid: number,
    tail: number,
  ): void;
  clear(): void;
  encode(from: number, count: number, out: number, outEnd: number, index: number, level: number): number;
  place(group: number, at: number, length: number): number;
  bytesOf(group: number): number;
  gather(group: number, to: number): void;
  headerSlot(): number;
  rememberHeader(group: number, c0: number, c1: number, c2: number, c3: number): void;
  rememberMinute(seconds: number): void;
}

const INPUT_BYTES = 524_288;
const GATHERED_BYTES = 3_145_728;
const PART_BYTES = 512;
/** A shipment has fewer lines than that beside those that are known. */
const GROUPS_MAX = 8_192;
const RUNS_MAX = 16_384;
/** 546 pages: scripts/build-wasm.mjs. */
const MEMORY_BYTES = 546 * 65_536;
const {
  parts: PARTS,
  minutes: MINUTES,
  groups: GROUPS,
  order: ORDER,
  runs: RUNS,
  input: INPUT,
  slots: SLOTS,
  lines: LINES,
  bodies: BODIES,
  gathered: GATHERED,
  output: OUTPUT,
  outputEnd: OUTPUT_END,
} = layOutRegions(
  {
    parts: 4 * PART_BYTES,
    minutes: 64 * 48,
    groups: GROUPS_MAX * 16,
    order: GROUPS_MAX * 4,
    runs: RUNS_MAX * 12,
    input: INPUT_BYTES,
    slots: 2_048 * 1_024,
    ...ENCODER_REGIONS,
    gathered: GATHERED_BYTES,
  },
  MEMORY_BYTES,
);
/** Results of `encode`. */
const DONE = 0;
const FULL = 2;
const UNKNOWN_HEADER = 3;
const UNKNOWN_MINUTE = 4;
const UNKNOWN_LEVEL = 5;
/** `level` of `encode`: the line's. */
const OWN_LEVEL = 255;
const PIECES_BYTES_MAX = 736;
/** Lines with such a header are left alone. */
const LEFT_ALONE = 0xffff;

const TIMES = { text: 0, nanoseconds: 1, 'six-digits': 3 } as const;
const COUNTED = 1;
const PROTOBUF = 2;

let linesModule:
  | (WasmModule<LinesExports> & {
      readonly buffer: Buffer;
      readonly order: Uint32Array;
      readonly slots: EncoderMemory;
    })
  | undefined;
let lastTemplateScope = 0;
/** What the module has been told of the lines to encode: by whom, as its scope says, and what is around each. */
let currentForm: { readonly scope: number; readonly frame: LineFrame } | undefined;

function load() {
  if (linesModule) return linesModule;
  const { wasm, memory } = loadWasmModule<LinesExports>(LINES_WASM, MEMORY_BYTES);
  wasm.setUp(SLOTS, MINUTES, GROUPS, RUNS, RUNS_MAX, ORDER);
  const buffer = Buffer.from(memory.buffer);
  linesModule = {
    wasm,
    memory,
    buffer,
    order: new Uint32Array(memory.buffer, ORDER, GROUPS_MAX),
    slots: encoderMemory(memory, { lines: LINES, bodies: BODIES }),
  };
  return linesModule;
}

/** Lines that are read there, and bodies that are written there, by a {@link TemplateEncoder} aren't copied. */
export function linesMemory(): EncoderMemory {
  return load().slots;
}

/** Lines of a group: what is in front of and behind them, for so many bytes of lines. */
export interface GroupFrame {
  head(first: LogRecord, level: LogLevel, byteLength: number): Buffer;
  readonly tail: Buffer;
}

/** What is around the lines of a request. */
export interface BodyFrame {
  readonly head?: string;
  /** Between groups, or lines when there are none: the last one's is replaced by {@link tail}. */
  readonly separated?: boolean;
  readonly tail?: string;
}

/** One encoder a drain: it knows the headers of its lines. */
export class TemplateEncoder {
  private readonly template: LineTemplate;
  private scope = ++lastTemplateScope;
  private readonly groupNumbers = new Map<string, number>();
  private readonly groupLines: { readonly line: LogRecord; readonly level: LogLevel }[] = [];
  /** Whole parts of the output, when it didn't fit into the module's memory; of groups, by their numbers. */
  private parts: Buffer[] = [];
  private groupParts = new Map<number, Buffer[]>();
  /** Where the output is, up to where it may go, and how far it has come: in a body's slot, or the module's output. */
  private outputStart = OUTPUT;
  private outputEnd = OUTPUT_END;
  private outputAt = OUTPUT;
  private slot: Buffer | undefined;

  constructor(template: LineTemplate) {
    this.template = template;
  }

  /**
   * The lines of a shipment, in a request's frame.
   * @param before lines in front of it, encoded as the template does
   */
  encode(
    shipment: Shipment,
    frame: LineFrame,
    body: BodyFrame,
    pool: RequestBodyPool,
    before: readonly TemplateLine[] = [],
    group?: GroupFrame,
  ): Buffer {
    const { wasm, memory } = load();
    if (this.groupNumbers.size > GROUPS_MAX / 4) this.forgetGroups();
    this.parts = [];
    this.groupParts.clear();
    this.startOutput(body, group ? undefined : pool.acquireSlot?.(linesMemory().bodies));
    wasm.clear();
    this.setForm(frame);
    for (const { line, level, frame: own } of before) this.placeLine(line, level, own ?? frame, 0);
    let index = 0;
    for (const { batch, start, end, count } of shipment.slices) {
      // A batch has less than that; a line may have more.
      if (end - start > INPUT_BYTES && batch.bytes.buffer !== memory.buffer)
        this.encodeSlowly(batch.bytes, start, end, batch.storedAtMs, frame, index);
      else this.encodeSlice(batch.bytes, start, end, count, batch.storedAtMs, frame, index);
      index += count;
    }
    return group ? this.finishGroups(body, group, pool) : this.finish(body, pool);
  }

  /** Lines go behind a body's head, into its slot, if there is one. */
  private startOutput({ head = '', tail = '' }: BodyFrame, slot: Buffer | undefined): void {
    this.slot = slot;
    this.outputStart = slot ? slot.byteOffset + slot.write(head, 'latin1') : OUTPUT;
    this.outputEnd = slot ? slot.byteOffset + slot.length - tail.length : OUTPUT_END;
    this.outputAt = this.outputStart;
  }

  private encodeSlice(
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
    storedAtMs: number,
    frame: LineFrame,
    index: number,
  ): void {
    const { wasm, memory, buffer } = load();
    const isInPlace = bytes.buffer === memory.buffer;
    let from = isInPlace ? bytes.byteOffset + start : INPUT;
    const sliceEnd = from + end - start;
    if (!isInPlace) memory.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), INPUT);
    let done = 0;
    let level = OWN_LEVEL;
    while (done < count) {
      const status = wasm.encode(from, count - done, this.outputAt, this.outputEnd, index + done, level);
      this.outputAt = wasm.produced.value;
      from = wasm.position.value;
      done += wasm.lines.value;
      level = OWN_LEVEL;
      if (status === DONE) return;
      if (status === FULL) {
        // A line alone always fits, unless it has too many bytes beside its message.
        if (this.outputAt > this.outputStart) {
          this.flush();
          continue;
        }
      } else if (status === UNKNOWN_MINUTE) {
        wasm.rememberMinute(minuteSeconds(buffer, wasm.askedAt.value));
        continue;
      }
      const cursor = new RecordCursor(buffer, from, sliceEnd);
      cursor.advance();
      const line = readRecord(cursor, buffer);
      if (status === UNKNOWN_LEVEL) {
        level = LOG_LEVELS.indexOf(recordLevel(line));
        continue;
      }
      if (status === UNKNOWN_HEADER) {
        this.rememberHeader(line, LOG_LEVELS[wasm.askedLevel.value]);
        level = wasm.askedLevel.value;
        continue;
      }
      this.placeRecord(line, storedAtMs, frame, index + done);
      from = cursor.nextStart;
      done++;
    }
  }

  /** Line by line: the definition. */
  private encodeSlowly(
    bytes: Uint8Array,
    start: number,
    end: number,
    storedAtMs: number,
    frame: LineFrame,
    index: number,
  ): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const cursor = new RecordCursor(buffer, start, end);
    for (let i = index; cursor.advance(); i++)
      this.placeRecord(readRecord(cursor, buffer), storedAtMs, frame, i);
  }

  private placeRecord(record: LogRecord, storedAtMs: number, frame: LineFrame, index: number): void {
    const time = Buffer.from(record.timestamp, 'latin1');
    // Of an older version's line: destinations would refuse it.
    const line = isReadableTimestamp(time, 0, time.length)
      ? record
      : { ...record, timestamp: formatTimestamp(storedAtMs) };
    this.placeLine(line, recordLevel(line), frame, index);
  }

  private placeLine(line: LogRecord, level: LogLevel, frame: LineFrame, index: number): void {
    const { wasm, memory } = load();
    const bytes = encodeLine(this.template, line, level, frame, index);
    const group = this.groupNumber(line, level);
    if (this.outputAt + bytes.length > this.outputEnd) this.flush();
    if (bytes.length > this.outputEnd - this.outputStart) {
      this.keepPart(group, bytes);
      return;
    }
    memory.set(bytes, this.outputAt);
    if (!wasm.place(group, this.outputAt, bytes.length)) {
      this.flush();
      memory.set(bytes, this.outputAt);
      wasm.place(group, this.outputAt, bytes.length);
    }
    this.outputAt += bytes.length;
  }

  private rememberHeader(line: LogRecord, level: LogLevel): void {
    const { wasm, memory } = load();
    const { c0 = '', c1, c2, c3 = '' } = this.template.pieces(line, level);
    const pieces = [c0, c1, c2, c3].map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece));
    const all = Buffer.concat(pieces);
    const isKept = all.length <= PIECES_BYTES_MAX;
    if (isKept) memory.set(all, wasm.headerSlot());
    wasm.rememberHeader(
      this.groupNumber(line, level),
      isKept ? pieces[0].length : LEFT_ALONE,
      pieces[1].length,
      pieces[2].length,
      pieces[3].length,
    );
  }

  private groupNumber(line: LogRecord, level: LogLevel): number {
    const key = this.template.group?.(line, level);
    if (key === undefined) return 0;
    let number = this.groupNumbers.get(key);
    if (number === undefined) {
      number = this.groupNumbers.size;
      this.groupNumbers.set(key, number);
      this.groupLines[number] = { line: { ...line, message: '' }, level };
    }
    return number;
  }

  private forgetGroups(): void {
    this.groupNumbers.clear();
    this.groupLines.length = 0;
    this.scope = ++lastTemplateScope;
  }

  private setForm(frame: LineFrame): void {
    const { scope, template } = this;
    if (currentForm?.scope === scope && currentForm.frame === frame) return;
    currentForm = undefined;
    const { wasm } = load();
    const { head = '', head2 = '', mid = '', tail = '' } = frame;
    const flags =
      (template.isNumbered ? 1 : 0) |
      (template.messageFirst ? 2 : 0) |
      (template.withoutData ? 4 : 0) |
      (template.keepsNewlines ? 8 : 0) |
      (template.group ? 16 : 0) |
      (template.withoutLevel ? 0 : 32) |
      (template.restoresOtlp ? 64 : 0);
    wasm.begin(
      scope,
      TIMES[template.time],
      template.isJson ? 1 : 0,
      template.isProtobuf ? PROTOBUF : template.isCounted ? COUNTED : 0,
      flags,
      PARTS,
      putPart(0, head),
      putPart(1, head2),
      putPart(2, mid),
      putPart(3, tail),
    );
    currentForm = { scope, frame };
  }

  /** Takes what was written out of the module's memory: it is full. */
  private flush(): void {
    const { wasm, memory, order } = load();
    if (!this.template.group) this.keepPart(0, memory.subarray(this.outputStart, this.outputAt));
    else
      for (let i = 0; i < wasm.groups.value; i++) {
        const group = order[i];
        const length = wasm.bytesOf(group);
        wasm.gather(group, GATHERED);
        this.keepPart(group, memory.subarray(GATHERED, GATHERED + length));
      }
    wasm.clear();
    this.outputAt = this.outputStart;
  }

  private keepPart(group: number, bytes: Uint8Array): void {
    const part = Buffer.from(bytes);
    if (!this.template.group) return void this.parts.push(part);
    const parts = this.groupParts.get(group);
    if (parts) parts.push(part);
    else this.groupParts.set(group, [part]);
  }

  private finish({ head = '', separated = false, tail = '' }: BodyFrame, pool: RequestBodyPool): Buffer {
    const { memory } = load();
    const { slot } = this;
    const last = memory.subarray(this.outputStart, this.outputAt);
    const size = this.parts.reduce((sum, { length }) => sum + length, last.length);
    const isInSlot = slot !== undefined && this.parts.length === 0;
    const out = isInSlot ? slot : pool.acquire(head.length + size + tail.length);
    let at = head.length;
    if (isInSlot) at += size;
    else {
      out.write(head, 0, 'latin1');
      for (const part of [...this.parts, last]) {
        out.set(part, at);
        at += part.length;
      }
      if (slot) pool.release(slot);
    }
    if (separated && size > 0) at--;
    at += out.write(tail, at, 'latin1');
    this.parts = [];
    return out.subarray(0, at);
  }

  private finishGroups(
    { head = '', tail = '', separated }: BodyFrame,
    frame: GroupFrame,
    pool: RequestBodyPool,
  ): Buffer {
    const { wasm, memory, order } = load();
    if (this.groupParts.size > 0) this.flush();
    const groups: { readonly group: number; readonly head: Buffer; readonly length: number }[] = [];
    const add = (group: number, bytes: number): void => {
      const length = separated ? bytes - 1 : bytes;
      const { line, level } = this.groupLines[group];
      groups.push({ group, head: frame.head(line, level, length), length });
    };
    const isSplit = this.groupParts.size > 0;
    if (isSplit)
      for (const [group, parts] of this.groupParts)
        add(
          group,
          parts.reduce((sum, { length }) => sum + length, 0),
        );
    else for (let i = 0; i < wasm.groups.value; i++) add(order[i], wasm.bytesOf(order[i]));
    const size = groups.reduce(
      (sum, { head: own, length }) => sum + own.length + length + frame.tail.length + 1,
      head.length + tail.length + 1,
    );
    const out = pool.acquireSlot?.(linesMemory().bodies, size) ?? pool.acquire(size);
    const isInSlot = out.buffer === memory.buffer;
    let at = out.write(head, 0, 'latin1');
    for (const [i, { group, head: own, length }] of groups.entries()) {
      if (separated && i > 0) out[at++] = COMMA;
      out.set(own, at);
      at += own.length;
      if (isSplit) {
        const lines = Buffer.concat(this.groupParts.get(group) ?? []);
        out.set(lines.subarray(0, length), at);
      } else if (isInSlot) wasm.gather(group, out.byteOffset + at);
      else if (groups.length === 1) out.set(memory.subarray(OUTPUT, OUTPUT + length), at);
      else {
        wasm.gather(group, GATHERED);
        out.set(memory.subarray(GATHERED, GATHERED + length), at);
      }
      at += length;
      out.set(frame.tail, at);
      at += frame.tail.length;
    }
    at += out.write(tail, at, 'latin1');
    this.groupParts.clear();
    return out.subarray(0, at);
  }
}

/** Writes what is around lines to its place in the module's memory. @returns its length */
function putPart(index: number, part: string | Buffer): number {
  const { buffer } = load();
  const at = PARTS + index * PART_BYTES;
  const length = typeof part === 'string' ? Buffer.byteLength(part) : part.length;
  if (length > PART_BYTES) throw new RangeError(`a part may have ${PART_BYTES} bytes at the most`);
  if (typeof part === 'string') buffer.write(part, at);
  else buffer.set(part, at);
  return length;
}

const COMMA = 0x2c;
/** `2026-01-01T00:00:` */
const MINUTE_TEXT = 17;

/** Seconds since 1970 of the minute that the time at `at` is in; -1 for a time that isn't readable. */
function minuteSeconds(memory: Buffer, at: number): number {
  let end = at + MINUTE_TEXT + 2;
  while ((memory[end] >= 0x30 && memory[end] <= 0x39) || memory[end] === 0x2e) end++;
  const offset = memory[end] === 0x5a ? 'Z' : memory.toString('latin1', end, end + 6);
  const text = `${memory.toString('latin1', at, at + MINUTE_TEXT)}00${offset}`;
  const bytes = Buffer.from(text, 'latin1');
  return isReadableTimestamp(bytes, 0, bytes.length) ? Date.parse(text) / 1_000 : -1;
}
