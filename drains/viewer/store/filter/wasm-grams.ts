/** The pieces of all lines of a block in one call: the same as {@link GramSet.add} finds line by line, several times as fast. */
import {
  layOutRegions,
  loadWasmModule,
  type WasmExports,
  type WasmModule,
} from '../../../../src/common/wasm/wasm-module.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { GRAM_CODES, GRAM_KINDS, GRAM_ROWS, type GramSet } from './grams.ts';
import { GRAMS_WASM } from './wasm-grams-binary.ts';

interface GramsWasmExports extends WasmExports {
  addRecords(records: number, end: number, codes: number, kinds: number, rows: number): void;
}

/** Of `scripts/build-wasm.mjs`. */
const MEMORY_BYTES = 6 * 65_536;
/** Larger blocks have one line that is long. */
const RECORDS_BYTES_MAX = 262_144;
const {
  codes: CODES,
  kinds: KINDS,
  rows: ROWS,
  records: RECORDS,
} = layOutRegions({ codes: 256, kinds: 256, rows: GRAM_ROWS / 8, records: RECORDS_BYTES_MAX }, MEMORY_BYTES);

/** Loaded by the first block of a thread. */
let loaded: (WasmModule<GramsWasmExports> & { readonly rows: Uint32Array }) | undefined;

function gramsModule(): WasmModule<GramsWasmExports> & { readonly rows: Uint32Array } {
  if (loaded) return loaded;
  const module = loadWasmModule<GramsWasmExports>(GRAMS_WASM, MEMORY_BYTES);
  module.memory.set(GRAM_CODES, CODES);
  module.memory.set(GRAM_KINDS, KINDS);
  loaded = { ...module, rows: new Uint32Array(module.memory.buffer, ROWS, GRAM_ROWS / 32) };
  return loaded;
}

/** Adds the pieces of all records, each from its HOST on, as they are stored. */
export function addRecordGrams(grams: GramSet, records: Uint8Array): void {
  if (records.length > RECORDS_BYTES_MAX) {
    const line = new RecordCursor(records, 0);
    while (line.advance()) grams.add(records, line.hostStart, line.textEnd);
    return;
  }
  const { wasm, memory, rows } = gramsModule();
  memory.set(records, RECORDS);
  rows.fill(0);
  wasm.addRecords(RECORDS, RECORDS + records.length, CODES, KINDS, ROWS);
  grams.addRows(rows);
}
