/**
 * The WebAssembly fast path for common lines: the same results as those of `framing.ts`, `header.ts`, `rfc3164.ts`, `batch-builder.ts`,
 * `sources/rewrite-header.ts` and `encode.ts`, several times as fast. It leaves alone what it doesn't support;
 * `test/logs/syslog/wasm-codec.test.ts` and `test/fuzz/pairs/streams.ts` compare the two.
 */

import { layOutRegions, loadWasmModule, type WasmExports } from '../../../common/wasm/wasm-module.ts';
import { ENCODER_REGIONS, encoderMemory } from '../../../common/wasm/wasm-slots.ts';
import { RECORD_HEADER } from '../batch.ts';
import { framesInDoubt } from '../frame-boundary.ts';
import { Framing } from '../framing.ts';
import { rfc3164Minute } from '../rfc3164.ts';
import { latestDate, timestampBytes } from '../timestamp.ts';
import { CODEC_WASM } from './wasm-codec-binary.ts';

interface CodecExports extends WasmExports {
  readonly runs: WebAssembly.Global;
  readonly lastFrame: WebAssembly.Global;
  readonly lastRecord: WebAssembly.Global;
  readonly lastBytes: WebAssembly.Global;
  readonly frameBefore: WebAssembly.Global;
  readonly recordBefore: WebAssembly.Global;
  readonly bytesBefore: WebAssembly.Global;
  readonly lastStamped: WebAssembly.Global;
  readonly stampedBefore: WebAssembly.Global;
  readonly lastOwner: WebAssembly.Global;
  readonly ownerBefore: WebAssembly.Global;
  readonly ownerTwoBefore: WebAssembly.Global;
  readonly unknownKey: WebAssembly.Global;
  readonly unknownTag: WebAssembly.Global;
  readonly unknownTagLength: WebAssembly.Global;
  readonly unknownHost: WebAssembly.Global;
  readonly unknownHostLength: WebAssembly.Global;
  readonly unknownToken: WebAssembly.Global;
  readonly unknownTokenLength: WebAssembly.Global;
  readonly unknownMinute: WebAssembly.Global;
  setUp(
    source: number,
    host: number,
    time: number,
    sets: number,
    slots: number,
    sources: number,
    key: number,
    times: number,
    runs: number,
    runsMax: number,
  ): void;
  setDateMax(date: number): void;
  forgetMinutes(): void;
  forgetOwners(): void;
  nameSource(number: number, name: number, length: number): void;
  rememberMinute(minute: number, text: number, isTime: number): void;
  remember(form: number, app: number, source: number, dyno: number): number;
  readonly scatteredEnd: WebAssembly.Global;
  readonly scatteredLines: WebAssembly.Global;
  readonly scatteredBytes: WebAssembly.Global;
  setUpScatter(runs: number, links: number): void;
  scatter(run: number, runsEnd: number, from: number): number;
  take(
    from: number,
    end: number,
    out: number,
    outEnd: number,
    framing: number,
    sourceLength: number,
    hostLength: number,
    tokens: number,
    names: number,
    rules: number,
    perSource: number,
    dataless: number,
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
const SOURCE_BYTES_MAX = 64;
const HOST_BYTES_MAX = 255;
const INPUT_BYTES = 524_288;
const TEXT_BYTES = 64;
/** Of the cache of owners, of one source's name, of one key, of the times of minutes, of one run: see `wasm-*.as.ts`. */
const SLOTS = 2_048 * 16;
const WAY_BYTES = 4;
const SLOT_BYTES = 128;
const SOURCE_ENTRY_BYTES = 80;
/** Names of sources that are kept. */
const SOURCES_MAX = 2_048;
/** Apps whose numbers are kept. */
const APPS_MAX = 65_536;
const KEY_BYTES = 128;
const TIMES_BYTES = 64 * 64;
const RUN_BYTES = 16;
const RUNS_MAX = 4_096;
/** Of a slot's link to a cell, and of a cell: see `wasm-scatter.as.ts`. */
const LINK_BYTES = 8;
const CELL_BYTES = 32;
const CELLS_MAX = 65_536;
/** Connections read requests into so many: what a request of 500 lines takes, with its head, and more. */
const REQUEST_BYTES = 131_072;
/** For batches that are open: `open-batches.ts`. */
const BATCH_BUFFERS_BYTES = 112 * 1_048_576;
/** 2,352 pages: scripts/build-wasm.mjs. What isn't used of it isn't there. */
const MEMORY_BYTES = 2_352 * 65_536;
const {
  source: SOURCE,
  host: HOST,
  time: TIME,
  key: KEY,
  text: TEXT,
  times: TIMES,
  runs: RUNS,
  head: HEAD,
  input: INPUT,
  sets: SETS,
  slots: SLOT_TABLE,
  sources: SOURCE_TABLE,
  lines: LINES,
  bodies: BODIES,
  links: LINKS,
  cells: CELLS,
  batches: BATCHES,
  requests: REQUESTS,
  output: OUTPUT,
  outputEnd: OUTPUT_END,
} = layOutRegions(
  {
    source: SOURCE_BYTES_MAX,
    host: HOST_BYTES_MAX,
    time: TEXT_BYTES,
    key: KEY_BYTES,
    text: TEXT_BYTES,
    times: TIMES_BYTES,
    runs: RUNS_MAX * RUN_BYTES,
    head: NAME_BYTES_MAX,
    input: INPUT_BYTES,
    sets: SLOTS * WAY_BYTES,
    slots: SLOTS * SLOT_BYTES,
    sources: SOURCES_MAX * SOURCE_ENTRY_BYTES,
    ...ENCODER_REGIONS,
    links: SLOTS * LINK_BYTES,
    cells: CELLS_MAX * CELL_BYTES,
    batches: BATCH_BUFFERS_BYTES,
    requests: REQUEST_BYTES,
  },
  MEMORY_BYTES,
);
/** Bytes of a connection that are decoded in one call, and of the records made of them: less than a batch. */
const WINDOW_BYTES = 131_072;
const RECORDS_BYTES = 200_000;
/** Results of `take`: the window ends in the middle of a frame; the output is full. 1: the next frame isn't supported. */
const PARTIAL = 0;
const FULL = 2;
/** Whose the next line is isn't known, or which minute it is of. */
const UNKNOWN_OWNER = 3;
const UNKNOWN_TIME = 4;
/** Of a run of lines that are all of the sink's owner. */
const NO_SLOT = 0xffffffff;
const MINUTE_MS = 60_000;
/** `Oct 11 22:14` */
const MINUTE_TEXT_BYTES = 12;

const { wasm, memory } = loadWasmModule<CodecExports>(CODEC_WASM, MEMORY_BYTES);
wasm.setUp(SOURCE, HOST, TIME, SETS, SLOT_TABLE, SOURCE_TABLE, KEY, TIMES, RUNS, RUNS_MAX);
wasm.setUpScatter(RUNS, LINKS);
/** Lines that are read there, and bodies that are written there, by {@link encodeFrames} aren't copied. */
export const codecMemory = encoderMemory(memory, { lines: LINES, bodies: BODIES });
/** What connections read requests into, one after the other: {@link decodeFrames} reads lines there where they are. */
export const requestBuffer = Buffer.from(memory.buffer, REQUESTS, REQUEST_BYTES);
const runWords = new Uint32Array(memory.buffer, RUNS, (RUNS_MAX * RUN_BYTES) / 4);
const linkWords = new Uint32Array(memory.buffer, LINKS, (SLOTS * LINK_BYTES) / 4);
/** Memory for batches that are open, to which {@link decodeFrames} appends records itself: see `open-batches.ts`. */
export const openBatchMemory = {
  buffer: memory.buffer as ArrayBuffer,
  start: BATCHES,
  bytes: BATCH_BUFFERS_BYTES,
  cells: CELLS,
  cellsMax: CELLS_MAX,
  cellBytes: CELL_BYTES,
};

/** What it depends on whose a line is. */
export const OwnerKey = {
  /** On the token in its APP-NAME, or tag. */
  token: 1,
  /** On its APP-NAME: the sender showed a wildcard token. */
  name: 2,
  /** On the token in its structured data; and what is written, on its APP-NAME. */
  data: 3,
  /** On its APP-NAME and HOSTNAME, and the sender's rules. */
  rule: 4,
} as const;
export type OwnerKey = (typeof OwnerKey)[keyof typeof OwnerKey];

/** How a line is stored besides with the source's name as APP-NAME: see `rewrite-header.ts`. */
export const LineForm = {
  asSent: 0,
  /** The sender's APP-NAME goes in front of PROCID. */
  withProgram: 1,
  /** It is the source's name, or none. */
  withoutProgram: 2,
  /** It holds the name of the dyno. */
  withDyno: 3,
  /** Such lines are left alone. */
  leftAlone: 4,
} as const;
export type LineForm = (typeof LineForm)[keyof typeof LineForm];

/** Whose lines are: `LogSource` is one. */
export interface LineOwner {
  readonly app: string;
  readonly sourceBytes: Uint8Array;
}

export interface KnownOwner<T extends LineOwner> {
  readonly form: LineForm;
  /** Undefined when lines are left alone. */
  readonly owner: T | undefined;
  /** Where in APP-NAME the dyno's name begins, with {@link LineForm.withDyno}. */
  readonly dynoAt: number;
}

/**
 * Numbers under which it is kept whose lines are, see {@link newScope}: another one is needed as soon as something else may be right.
 * 0: nothing is known by such a key.
 */
export interface OwnerScopes {
  /** Of tokens. */
  readonly tokens: number;
  /** Of names beside a wildcard token: all lines are looked for there. */
  readonly names: number;
  /** Of the rules that apply to the sender. Without one its lines need a token in APP-NAME. */
  readonly rules: number;
}

/** Says whose lines are, and gets their records. */
export interface FrameSink<T extends LineOwner> extends OwnerScopes {
  /** Written as HOSTNAME where a line has none. */
  readonly host: Uint8Array;
  /** The owner of all lines; undefined: each is looked up. */
  readonly owner: T | undefined;
  /** Records are wanted source by source, rather than app by app. */
  readonly perSource: boolean;
  /** Lines have no structured data, as those of Heroku's drains: the message is behind MSGID. Not without an {@link owner}. */
  readonly dataless: boolean;
  /** Whose lines with this key are; undefined when that can't be said now: the line is left alone. */
  findOwner(key: OwnerKey, tag: string, host: string, token: string): KnownOwner<T> | undefined;
  /** Records of an owner, or of several of one app, of which the last line's is named: copy them. `lineBytes` is what the lines had, as they are counted. */
  addRecords(records: Uint8Array, count: number, lineBytes: number, owner: T): void;
  /** Lines may be appended to batches that are open already: nobody waits for them, and none is refused. */
  readonly mayAppend: boolean;
  /** Where the next lines of {@link addRecords}' last owner may be appended so, as long as that batch is open. */
  readonly openCell: OpenCell | undefined;
  /** So many lines were appended so, and didn't come to {@link addRecords}. */
  onAppended(lines: number, lineBytes: number): void;
  /** The last line, `[start, end)`, as it is stored, its host stamped or the sender's own: copy it. */
  noteLast(bytes: Uint8Array, start: number, end: number, isStamped: boolean): void;
}

/** Where an open batch is found, as long as it has this tag. */
export interface OpenCell {
  /** In the memory of the module. */
  readonly at: number;
  readonly tag: number;
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

let lastScope = 0;

/** A number that was never used. */
export function newScope(): number {
  return ++lastScope;
}

/** What the regions hold: the same bytes needn't be copied there again. */
let loaded: Uint8Array | undefined;
let loadedStart = 0;
let loadedEnd = 0;
/** Where in the memory. */
let loadedAt: number = INPUT;
/** Changes whenever the output is written to. */
let outputEdition = 0;
let loadedSource: Uint8Array | undefined;
let loadedHost: Uint8Array | undefined;
let loadedTime: Uint8Array | undefined;
/** The minute, since 1970, in which times of RFC 3164 were read: their year depends on it. */
let minute = 0;
/** By the slots of the cache. All of it from the beginning: with gaps it would be a slow one. */
const owners = new Array<LineOwner | undefined>(SLOTS).fill(undefined);
/** Numbers of apps and of sources' names, as they are in the cache. */
const apps = new Map<string, number>();
const sources = new Map<string, number>();

/**
 * Decodes frames from `bytes[pos, …)` as long as they are common lines whose owner is known, or can be found; returns where it stopped:
 * at a frame that isn't supported, or isn't there in full.
 */
export function decodeFrames<T extends LineOwner>(
  bytes: Uint8Array,
  pos: number,
  framing: Framing,
  sink: FrameSink<T>,
): number {
  const { owner, host, tokens, names, rules } = sink;
  const sourceLength = owner?.sourceBytes.length ?? 0;
  if (sourceLength > SOURCE_BYTES_MAX || (owner && sourceLength === 0) || host.length > HOST_BYTES_MAX)
    return pos;
  prepare(owner?.sourceBytes, host);
  const perSource = sink.perSource ? 1 : 0;
  const dataless = sink.dataless ? 1 : 0;
  const frames = framing === Framing.datagrams ? Framing.counted : framing;
  for (;;) {
    if (loaded !== bytes || pos < loadedStart || pos >= loadedEnd) loadInput(bytes, pos);
    const shift = loadedAt - loadedStart;
    outputEdition++;
    const status = wasm.take(
      pos + shift,
      loadedEnd + shift,
      OUTPUT,
      OUTPUT + RECORDS_BYTES,
      frames,
      sourceLength,
      host.length,
      tokens,
      names,
      rules,
      perSource,
      dataless,
    );
    const found = status === UNKNOWN_OWNER ? askForOwner(sink) : undefined;
    const isLearned =
      (found !== undefined && found.form !== LineForm.leftAlone) ||
      (status === UNKNOWN_TIME && learnMinute());
    let reached = wasm.position.value - shift;
    const hasLines = wasm.lines.value > 0;
    if (hasLines) {
      const doubtful = framing === Framing.counted ? framesInDoubt(bytes, reached) : 0;
      // The end of a frame may be wrong: see `framing.ts`, which takes it, unless more is known once `take` has gone on.
      if (doubtful > 0) reached = (doubtful === 1 ? wasm.lastFrame : wasm.frameBefore).value - shift;
      deliver(sink, doubtful);
    }
    if (found) remember(found);
    const moved = reached > pos;
    pos = reached;
    // What was learned may have taken the place of what the frames before it need, and they would learn that again.
    if (isLearned && (moved || !hasLines)) continue;
    if (isLearned) return pos;
    if (status !== PARTIAL && status !== FULL) return pos;
    if ((!moved && loadedStart === pos) || pos >= bytes.length) return pos;
    if (status === FULL) continue;
    // The window ended within a frame: the next one starts there, unless these were the last bytes.
    if (loadedEnd === bytes.length) return pos;
    loadInput(bytes, pos);
  }
}

/** Records that stand in the module's memory, until it is used again: {@link areCurrent}. */
export interface DecodedFrames {
  readonly records: Uint8Array;
  readonly count: number;
  /** What the lines had, as they are counted. */
  readonly lineBytes: number;
  readonly edition: number;
}

/**
 * Decodes octet-counted frames that are all of one owner: `bytes` to their end, or nothing (undefined), since a frame isn't supported, they don't end with a
 * frame, or they are too many for once.
 * @param host written as HOSTNAME where a line has none
 * @param dataless see {@link FrameSink.dataless}
 */
export function decodeAllFrames(
  bytes: Uint8Array,
  source: Uint8Array,
  host: Uint8Array,
  dataless: boolean,
): DecodedFrames | undefined {
  const sourceLength = source.length;
  if (sourceLength > SOURCE_BYTES_MAX || sourceLength === 0 || host.length > HOST_BYTES_MAX) return undefined;
  if (bytes.length > WINDOW_BYTES || bytes.length === 0) return undefined;
  prepare(source, host);
  loadInput(bytes, 0);
  const end = loadedAt + bytes.length;
  outputEdition++;
  const recordsEnd = OUTPUT + RECORDS_BYTES;
  wasm.take(
    loadedAt,
    end,
    OUTPUT,
    recordsEnd,
    Framing.counted,
    sourceLength,
    host.length,
    0,
    0,
    0,
    0,
    dataless ? 1 : 0,
  );
  if (wasm.position.value !== end || wasm.runs.value !== 1) return undefined;
  return {
    records: memory.subarray(OUTPUT, runWords[2]),
    count: runWords[1],
    lineBytes: runWords[3],
    edition: outputEdition,
  };
}

/** Do the records stand where they were decoded? */
export function areCurrent({ edition }: DecodedFrames): boolean {
  return edition === outputEdition;
}

/** Gives the sink the records that were made, but for those of the last `doubtful` lines. */
function deliver<T extends LineOwner>(sink: FrameSink<T>, doubtful: number): void {
  let runs = wasm.runs.value;
  let last = doubtful === 0 ? wasm.lastRecord.value : doubtful === 1 ? wasm.recordBefore.value : -1;
  for (let left = 0; left < doubtful && runs > 0; left++) {
    const run = (runs - 1) * 4;
    runWords[run + 2] = (left === 0 ? wasm.lastRecord : wasm.recordBefore).value;
    runWords[run + 3] -= (left === 0 ? wasm.lastBytes : wasm.bytesBefore).value;
    if (--runWords[run + 1] === 0) runs--;
  }
  if (runs === 0) return;
  const lastOwner = doubtful === 0 ? wasm.lastOwner : doubtful === 1 ? wasm.ownerBefore : wasm.ownerTwoBefore;
  runWords[(runs - 1) * 4] = lastOwner.value;
  let from = OUTPUT;
  let lines = 0;
  let lineBytes = 0;
  const { mayAppend } = sink;
  for (let number = 0; number < runs; number++) {
    // The last one goes the long way: whose it is has to be known for what follows.
    if (mayAppend && number < runs - 1) {
      const reached = wasm.scatter(number, runs - 1, from);
      if (reached > number) {
        number = reached;
        from = wasm.scatteredEnd.value;
        lines += wasm.scatteredLines.value;
        lineBytes += wasm.scatteredBytes.value;
      }
    }
    const run = number * 4;
    const end = runWords[run + 2];
    if (last === -1 && number === runs - 1) last = lastRecordOf(from, runWords[run + 1]);
    const slot = runWords[run];
    const owner = slot === NO_SLOT ? sink.owner! : (owners[slot] as T);
    sink.addRecords(memory.subarray(from, end), runWords[run + 1], runWords[run + 3], owner);
    if (mayAppend && slot !== NO_SLOT) link(slot, sink.openCell);
    from = end;
  }
  if (lines > 0) sink.onAppended(lines, lineBytes);
  const text = last + RECORD_HEADER;
  const isStamped = (doubtful === 0 ? wasm.lastStamped : wasm.stampedBefore).value === 1;
  sink.noteLast(memory, text, text + lengthAt(last), isStamped && doubtful < 2);
}

/** Lines of the slot's owner may go into this cell's open batch. */
function link(slot: number, cell: OpenCell | undefined): void {
  linkWords[2 * slot] = cell?.at ?? 0;
  linkWords[2 * slot + 1] = cell?.tag ?? 0;
}

/** Where the last of `count` records from `at` on begins. */
function lastRecordOf(at: number, count: number): number {
  let record = at;
  for (let left = count; left > 1; left--) record += RECORD_HEADER + lengthAt(record);
  return record;
}

function lengthAt(record: number): number {
  return memory[record] | (memory[record + 1] << 8) | (memory[record + 2] << 16);
}

function askForOwner<T extends LineOwner>(sink: FrameSink<T>): KnownOwner<T> | undefined {
  return sink.findOwner(
    wasm.unknownKey.value as OwnerKey,
    readText(wasm.unknownTag.value, wasm.unknownTagLength.value),
    readText(wasm.unknownHost.value, wasm.unknownHostLength.value),
    readText(wasm.unknownToken.value, wasm.unknownTokenLength.value),
  );
}

/** Keeps whose the lines are with the key that `take` stopped at. */
function remember({ form, owner, dynoAt }: KnownOwner<LineOwner>): void {
  const isKept = owner !== undefined && owner.sourceBytes.length <= SOURCE_BYTES_MAX;
  // What is under a number would be something else.
  if (apps.size === APPS_MAX || sources.size === SOURCES_MAX) {
    apps.clear();
    sources.clear();
    wasm.forgetOwners();
  }
  const slot = isKept
    ? wasm.remember(form, numberOfApp(owner.app), numberOfSource(owner.sourceBytes), dynoAt)
    : wasm.remember(LineForm.leftAlone, 0, 0, 0);
  owners[slot] = owner;
  link(slot, undefined);
}

function numberOfApp(app: string): number {
  let number = apps.get(app);
  if (number === undefined) {
    number = apps.size;
    apps.set(app, number);
  }
  return number;
}

function numberOfSource(name: Uint8Array): number {
  const text = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
  let number = sources.get(text);
  if (number === undefined) {
    number = sources.size;
    sources.set(text, number);
    memory.set(name, TEXT);
    wasm.nameSource(number, TEXT, name.length);
  }
  return number;
}

/** Learns the minute that `take` stopped at; false when lines of it are left alone. */
function learnMinute(): boolean {
  const at = wasm.unknownMinute.value;
  const text = rfc3164Minute(readText(at, MINUTE_TEXT_BYTES), Date.now());
  if (text) memory.set(Buffer.from(text, 'latin1'), TEXT);
  wasm.rememberMinute(at, TEXT, text ? 1 : 0);
  return text !== undefined;
}

function readText(at: number, length: number): string {
  return Buffer.from(memory.buffer, at, length).toString('latin1');
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
  const isInPlace = bytes.buffer === memory.buffer;
  if ((!isInPlace && end - start > INPUT_BYTES) || head.length > NAME_BYTES_MAX) return -1;
  const bytesMax = end - start + count * (head.length + 10);
  // In a slot with less room than that, lines may end behind it until the last one is written.
  const isOutInPlace = out.buffer === memory.buffer && bytesMax <= out.length - at;
  if (!isOutInPlace && bytesMax > OUTPUT_END - OUTPUT) return -1;
  if (!isInPlace) {
    loaded = undefined;
    memory.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), INPUT);
  }
  memory.set(head, HEAD);
  outputEdition++;
  const target = isOutInPlace ? out.byteOffset + at : OUTPUT;
  const written = wasm.write(
    isInPlace ? bytes.byteOffset + start : INPUT,
    count,
    target,
    HEAD,
    head.length,
    form.heroku ? 1 : 0,
    form.keepHost ? 1 : 0,
    form.singleLine ? 1 : 0,
  );
  if (written === 0) return -1;
  if (!isOutInPlace) out.set(memory.subarray(OUTPUT, written), at);
  return at + written - target;
}

function prepare(source: Uint8Array | undefined, host: Uint8Array): void {
  if (source && source !== loadedSource) {
    memory.set(source, SOURCE);
    loadedSource = source;
  }
  if (host !== loadedHost) {
    memory.set(host, HOST);
    loadedHost = host;
  }
  const now = Date.now();
  const time = timestampBytes(now);
  if (time !== loadedTime) {
    memory.set(time, TIME);
    loadedTime = time;
  }
  wasm.setDateMax(latestDate(now));
  const current = Math.floor(now / MINUTE_MS);
  if (current === minute) return;
  minute = current;
  wasm.forgetMinutes();
}

function loadInput(bytes: Uint8Array, pos: number): void {
  loaded = bytes;
  loadedStart = pos;
  loadedEnd = Math.min(bytes.length, pos + WINDOW_BYTES);
  if (bytes.buffer === memory.buffer) {
    loadedAt = bytes.byteOffset + pos;
    return;
  }
  loadedAt = INPUT;
  memory.set(new Uint8Array(bytes.buffer, bytes.byteOffset + pos, loadedEnd - pos), INPUT);
}
