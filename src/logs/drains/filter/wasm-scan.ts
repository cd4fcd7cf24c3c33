/**
 * Tells of each line of a shipment what filters and redaction ask, from its bytes and all of them together. The transform takes what isn't
 * known here from the definitions.
 */
import {
  layOutRegions,
  loadWasmModule,
  type WasmExports,
  type WasmModule,
} from '../../../common/wasm/wasm-module.ts';
import type { Shipment } from '../shipment.ts';
import { SCAN_WASM } from './wasm-scan-binary.ts';

interface ScanExports extends WasmExports {
  setUp(
    entries: number,
    levels: number,
    facts: number,
    firsts: number,
    previous: number,
    starts: number,
  ): void;
  clear(): void;
  scan(from: number, count: number, index: number, asked: number): number;
}

/** A shipment has fewer bytes, unless one line alone has more. */
const INPUT_BYTES = 524_288;
const LINES_MAX = 16_384;
/** Of scripts/build-wasm.mjs. */
const MEMORY_BYTES = 18 * 65_536;
const { entries, levels, facts, firsts, previous, starts, input } = layOutRegions(
  {
    entries: 2_048 * 20,
    levels: LINES_MAX,
    facts: LINES_MAX,
    firsts: 4 * LINES_MAX,
    previous: 4 * LINES_MAX,
    starts: 4 * LINES_MAX,
    input: INPUT_BYTES,
  },
  MEMORY_BYTES,
);

/** What may be asked: a sum of these, and of the facts about secrets. */
export const ASK_LEVELS = 1;
export const ASK_SENDERS = 2;
export const ASK_EVENTS = 64;

/** Facts of a line. It begins an event, unless the line before it of the same sender {@link TAKES_ANY}. */
export const BEGINS_EVENT = 1;
/** The next line of the same sender may go on with it, whatever it is. */
export const TAKES_ANY = 2;
/** There may be something to redact: without the fact there isn't. */
export const HAS_AT = 4;
export const HAS_BEARER = 8;
export const HAS_CARD = 16;

/** What is told of the lines of a shipment, by their indexes. What wasn't asked for has no meaning. */
export interface LineScan {
  /** An index in `LOG_LEVELS`; a larger number where it isn't known. */
  readonly levels: Uint8Array;
  /** A sum of facts. */
  readonly facts: Uint8Array;
  /** The first line of the same sender, and the one before, -1 for none. */
  readonly firsts: Int32Array;
  readonly previous: Int32Array;
  /** Where its record starts, from the start of its slice. */
  readonly starts: Int32Array;
}

let loaded: WasmModule<ScanExports> | undefined;

function scanModule(): WasmModule<ScanExports> {
  if (loaded) return loaded;
  loaded = loadWasmModule<ScanExports>(SCAN_WASM, MEMORY_BYTES);
  loaded.wasm.setUp(entries, levels, facts, firsts, previous, starts);
  return loaded;
}

/** @param asked a sum of `ASK_…` and of `HAS_…`. Undefined: the shipment is too large, or has too many senders. */
export function scanShipment({ slices, count, byteLength }: Shipment, asked: number): LineScan | undefined {
  if (byteLength > INPUT_BYTES || count > LINES_MAX) return undefined;
  const { wasm, memory } = scanModule();
  wasm.clear();
  let at = input;
  let index = 0;
  for (const { batch, start, end, count: lines } of slices) {
    memory.set(new Uint8Array(batch.bytes.buffer, batch.bytes.byteOffset + start, end - start), at);
    if (!wasm.scan(at, lines, index, asked)) return undefined;
    at += end - start;
    index += lines;
  }
  // Copies: others scan theirs while patterns are matched in slices.
  const { buffer } = memory;
  return {
    levels: memory.slice(levels, levels + count),
    facts: memory.slice(facts, facts + count),
    firsts: new Int32Array(buffer.slice(firsts, firsts + 4 * count)),
    previous: new Int32Array(buffer.slice(previous, previous + 4 * count)),
    starts: new Int32Array(buffer.slice(starts, starts + 4 * count)),
  };
}
