/**
 * The WebAssembly search for literals: in bytes that are copied into its memory, or were read from a file into {@link searchWindow}.
 * `test/logs/query/prefilter/literal-scanner.unit.test.ts` compares it with `literal-pattern.ts`.
 */
import {
  layOutRegions,
  loadWasmModule,
  type WasmExports,
  type WasmModule,
} from '../../../common/wasm/wasm-module.ts';
import type { RecordCursor } from '../../syslog/batch.ts';
import {
  LEVEL_SEARCHED_MAX,
  LOG_LEVELS,
  type LogLevel,
  leadingLevel,
  messageLevel,
  severityLevel,
} from '../../syslog/level.ts';
import { linePriority } from '../../syslog/record.ts';
import { type LiteralPattern, PATTERN_BYTES_MAX } from './literal-pattern.ts';
import { SEARCH_WASM } from './wasm-search-binary.ts';

interface SearchWasmExports extends WasmExports {
  find(
    pattern: number,
    length: number,
    probeA: number,
    probeB: number,
    from: number,
    end: number,
    operator: number,
    operand: number,
    limit: number,
  ): number;
  level(start: number, end: number): number;
}

const SPACE = 0x20;
/** Of `scripts/build-wasm.mjs`. */
const MEMORY_BYTES = 68 * 65_536;
/** Alternatives that are searched for at a time. */
export const PATTERNS_MAX = 32;
/** What is copied is copied so much at a time: it stays in the processor's cache. */
const COPIED_BYTES = 65_536;
/** What may be read at a time. */
export const WINDOW_BYTES = 4_194_304;
/** As the module counts them; the first is none. */
const OPERATORS: readonly string[] = ['', '>=', '<=', '>', '<', '='];
const PATTERN_STRIDE = 2 * PATTERN_BYTES_MAX;
const {
  patterns: PATTERNS,
  copied: COPIED,
  message: MESSAGE,
  window: WINDOW,
} = layOutRegions(
  {
    patterns: PATTERNS_MAX * PATTERN_STRIDE,
    copied: COPIED_BYTES + PATTERN_BYTES_MAX,
    message: LEVEL_SEARCHED_MAX,
    window: WINDOW_BYTES,
  },
  MEMORY_BYTES,
);

/** Loaded by the first search. */
let loaded: WasmModule<SearchWasmExports> | undefined;
/** Whose patterns are in the memory, and what of its bytes are copied there. */
let owner: BytesSearch | undefined;

function searchModule(): WasmModule<SearchWasmExports> {
  loaded ??= loadWasmModule<SearchWasmExports>(SEARCH_WASM, MEMORY_BYTES);
  return loaded;
}

/** Memory to read into what is searched, {@link WINDOW_BYTES}: it needs no copy. One a thread, for one reader at a time. */
export function searchWindow(): Buffer {
  const { memory } = searchModule();
  return Buffer.from(memory.buffer, WINDOW, WINDOW_BYTES);
}

/** The level of the line under the cursor, as `lineLevel` tells it: of most lines it is told several times as fast. */
export function scannedLineLevel(line: RecordCursor, bytes: Buffer): LogLevel {
  return severityLevel(linePriority(line, bytes) & 7) ?? scannedMessageLevel(line, bytes);
}

/** The level that the message under the cursor names, or `info`. */
export function scannedMessageLevel({ messageStart, textEnd }: RecordCursor, bytes: Buffer): LogLevel {
  const { wasm, memory } = searchModule();
  const end = Math.min(textEnd, messageStart + LEVEL_SEARCHED_MAX);
  let start = bytes.byteOffset + messageStart;
  const isInMemory = bytes.buffer === memory.buffer;
  if (!isInMemory) {
    const leading = leadingLevel(bytes, messageStart, textEnd);
    if (leading) return leading;
    start = MESSAGE;
  }
  // What is indented isn't told by its beginning: it is not worth a copy.
  if (isInMemory || bytes[messageStart] !== SPACE) {
    if (!isInMemory) bytes.copy(memory, start, messageStart, end);
    const index = wasm.level(start, start + end - messageStart);
    if (index < LOG_LEVELS.length) return LOG_LEVELS[index];
  }
  return messageLevel(bytes.toString('latin1', messageStart, end)) ?? 'info';
}

/** Searches bytes for the first of some patterns, from place to place. */
export class BytesSearch {
  private readonly patterns: readonly LiteralPattern[];
  private readonly lengthMax: number;
  private bytes: Uint8Array = new Uint8Array(0);
  /** Where the bytes are in the module's memory; undefined when they have to be copied. */
  private windowAt: number | undefined;
  /** What of the bytes is in the memory: from one place up to another. */
  private base = 0;
  private baseEnd = 0;
  /** Where the bytes end that are in the memory: what begins before `baseEnd` is whole. */
  private knownEnd = 0;
  /** Of each pattern the next place within that, from where it was searched last; infinite when there is none. */
  private readonly next: Float64Array;

  /** @param patterns {@link PATTERNS_MAX} at the most */
  constructor(patterns: readonly LiteralPattern[]) {
    this.patterns = patterns;
    this.lengthMax = Math.max(...patterns.map(({ length }) => length));
    this.next = new Float64Array(patterns.length);
  }

  /** Begins with other bytes. */
  start(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.base = 0;
    this.baseEnd = 0;
    const { memory } = searchModule();
    this.windowAt = bytes.buffer === memory.buffer ? bytes.byteOffset : undefined;
  }

  /** The first place at `from` or behind it where one of the patterns stands; infinite when there is none. */
  nextAt(from: number): number {
    const { bytes } = this;
    for (let at = from; at < bytes.length; at = this.baseEnd) {
      const found = this.nextInMemory(at);
      if (found < Number.POSITIVE_INFINITY) return found;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The first place from `from` on in what is in the memory, or can be at a time. */
  private nextInMemory(from: number): number {
    const { bytes, patterns, next } = this;
    const { wasm, memory } = searchModule();
    if (owner !== this) {
      for (const [i, { bytes: pattern }] of patterns.entries())
        memory.set(pattern, PATTERNS + i * PATTERN_STRIDE);
      owner = this;
      if (this.windowAt === undefined) this.baseEnd = 0;
    }
    if (from < this.base || from >= this.baseEnd) {
      this.base = from;
      next.fill(-1);
      if (this.windowAt === undefined) {
        this.baseEnd = Math.min(bytes.length, from + COPIED_BYTES);
        const end = Math.min(bytes.length, this.baseEnd + this.lengthMax - 1);
        memory.set(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end), COPIED);
        this.knownEnd = end;
      } else {
        this.baseEnd = bytes.length;
        this.knownEnd = bytes.length;
      }
    }
    // Where byte 0 is, or would be.
    const origin = this.windowAt ?? COPIED - this.base;
    let first = Number.POSITIVE_INFINITY;
    for (let i = 0; i < patterns.length; i++) {
      if (next[i] < from) {
        const { length, probes, number } = patterns[i];
        // What begins in this part counts, wherever it ends.
        const end = origin + Math.min(bytes.length, this.baseEnd + length - 1);
        const at = wasm.find(
          PATTERNS + i * PATTERN_STRIDE,
          length,
          probes[0],
          probes[1],
          origin + from,
          end,
          number ? OPERATORS.indexOf(number.operator) : 0,
          number?.operand ?? 0,
          origin + this.knownEnd,
        );
        next[i] = at === end ? Number.POSITIVE_INFINITY : at - origin;
      }
      if (next[i] < first) first = next[i];
    }
    return first;
  }
}
