/** Finds where texts may stand, in WebAssembly: as gram-scanner.ts does, with tables that stay in the processor's nearest cache. */
import {
  layOutRegions,
  loadWasmModule,
  type WasmExports,
  type WasmModule,
} from '../../../../src/common/wasm/wasm-module.ts';
import { GRAM_SCAN_WASM } from './wasm-gram-scan-binary.ts';

interface GramScanWasmExports extends WasmExports {
  scan(
    from: number,
    end: number,
    out: number,
    outEnd: number,
    long: number,
    short: number,
    pairs: number,
  ): void;
}

/** Of `scripts/build-wasm.mjs`. */
const MEMORY_BYTES = 12 * 65_536;
/** See the module. */
const SLOT_BITS = 17;
const HEAD_BITS = 12;
const NONE = 0xffff;
const MULTIPLIER = 0x9e3779b1;
const BITS_BYTES = 1 << (SLOT_BITS - 3);
const HEADS_BYTES = 2 << HEAD_BITS;
const ENTRY_BYTES = 8;
/** More grams of a length aren't looked for here. */
const ENTRIES_MAX = 16_384;
/** So many of the same hash neither: a list of them has to fit into the room that is left. */
const LIST_MAX = 100;
const TABLE_BYTES = BITS_BYTES + HEADS_BYTES + ENTRIES_MAX * ENTRY_BYTES;
const PAIRS_BYTES = 1 << 13;
/** Bytes that are looked at at a time. */
const INPUT_BYTES = 131_072;
/** What a gram at their end has behind it. */
const INPUT_SLACK = 8;
const KIND_SHIFT = 30;
const NUMBER_MASK = (1 << KIND_SHIFT) - 1;
const {
  long: LONG,
  short: SHORT,
  pairs: PAIRS,
  input: INPUT,
  output: OUTPUT,
  outputEnd: OUTPUT_END,
} = layOutRegions(
  { long: TABLE_BYTES, short: TABLE_BYTES, pairs: PAIRS_BYTES, input: INPUT_BYTES + INPUT_SLACK },
  MEMORY_BYTES,
);

/** Loaded by the first scan. */
let loaded: (WasmModule<GramScanWasmExports> & { readonly numbers: Uint32Array }) | undefined;
/** Whose tables are in the memory. */
let owner: WasmGramScan | undefined;

function scanModule(): WasmModule<GramScanWasmExports> & { readonly numbers: Uint32Array } {
  if (loaded) return loaded;
  const module = loadWasmModule<GramScanWasmExports>(GRAM_SCAN_WASM, MEMORY_BYTES);
  loaded = { ...module, numbers: new Uint32Array(module.memory.buffer) };
  return loaded;
}

/** What grams a scan is made of, folded: of four and of three bytes, and pairs. */
export interface ScannedGrams {
  readonly long: readonly number[];
  readonly short: readonly number[];
  readonly pairs: readonly number[];
}

/** Takes a place where a gram stands: of which list, and its number there; of pairs the two bytes themselves. */
export type TakeGram = (kind: 0 | 1 | 2, number: number, at: number) => void;

export class WasmGramScan {
  private readonly long: Uint8Array | undefined;
  private readonly short: Uint8Array | undefined;
  private readonly pairs: Uint8Array | undefined;

  private constructor(long: Uint8Array, short: Uint8Array, pairs: readonly number[]) {
    if (long.length > 0) this.long = long;
    if (short.length > 0) this.short = short;
    if (pairs.length > 0) this.pairs = bitsOf(pairs, PAIRS_BYTES);
  }

  /** Undefined when there are more grams than there is room for. */
  static make({ long, short, pairs }: ScannedGrams): WasmGramScan | undefined {
    const [longTable, shortTable] = [long, short].map(tableOf);
    return longTable && shortTable && new WasmGramScan(longTable, shortTable, pairs);
  }

  /** Finds all grams that begin at every fourth place (those of four bytes) or every second one. */
  scan(bytes: Uint8Array, take: TakeGram): void {
    const { wasm, memory, numbers } = scanModule();
    const { long, short, pairs } = this;
    if (owner !== this) {
      if (long) memory.set(long, LONG);
      if (short) memory.set(short, SHORT);
      if (pairs) memory.set(pairs, PAIRS);
      owner = this;
    }
    for (let base = 0; base < bytes.length; base += INPUT_BYTES) {
      const known = Math.min(bytes.length, base + INPUT_BYTES + INPUT_SLACK);
      memory.set(base === 0 && known === bytes.length ? bytes : bytes.subarray(base, known), INPUT);
      const end = INPUT + Math.min(INPUT_BYTES, bytes.length - base);
      for (let from = INPUT; from < end; from = wasm.position.value) {
        wasm.scan(from, end, OUTPUT, OUTPUT_END, long ? LONG : 0, short ? SHORT : 0, pairs ? PAIRS : 0);
        const last = wasm.produced.value >> 2;
        for (let i = OUTPUT >> 2; i < last; i += 2) {
          const what = numbers[i + 1];
          take((what >>> KIND_SHIFT) as 0 | 1 | 2, what & NUMBER_MASK, base + numbers[i] - INPUT);
        }
      }
    }
  }
}

/** As the module reads it; empty without grams, undefined when there are too many. */
function tableOf(grams: readonly number[]): Uint8Array | undefined {
  if (grams.length === 0) return new Uint8Array(0);
  if (grams.length > ENTRIES_MAX) return undefined;
  const table = new Uint8Array(BITS_BYTES + HEADS_BYTES + grams.length * ENTRY_BYTES);
  table.set(
    bitsOf(
      grams.map((gram) => slotOf(gram, SLOT_BITS)),
      BITS_BYTES,
    ),
  );
  const view = new DataView(table.buffer);
  const lengths = new Map<number, number>();
  for (let head = 0; head < HEADS_BYTES; head += 2) view.setUint16(BITS_BYTES + head, NONE, true);
  for (const [entry, gram] of grams.entries()) {
    const slot = slotOf(gram, HEAD_BITS);
    const length = (lengths.get(slot) ?? 0) + 1;
    if (length > LIST_MAX) return undefined;
    lengths.set(slot, length);
    const head = BITS_BYTES + 2 * slot;
    const at = BITS_BYTES + HEADS_BYTES + entry * ENTRY_BYTES;
    view.setUint32(at, gram, true);
    view.setUint16(at + 4, view.getUint16(head, true), true);
    view.setUint16(head, entry, true);
  }
  return table;
}

function slotOf(gram: number, bits: number): number {
  return Math.imul(gram, MULTIPLIER) >>> (32 - bits);
}

function bitsOf(slots: readonly number[], bytes: number): Uint8Array {
  const bits = new Uint8Array(bytes);
  for (const slot of slots) bits[slot >> 3] |= 1 << (slot & 7);
  return bits;
}
