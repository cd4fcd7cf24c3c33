/**
 * The WebAssembly fast path for packing records: the same bytes as `packing.ts` gives, several times as fast;
 * `test/logs/store/redis/packing.unit.test.ts` compares the two.
 */
import {
  layOutRegions,
  loadWasmModule,
  type WasmExports,
  type WasmModule,
} from '../../../../common/wasm/wasm-module.ts';
import { HEADROOM } from '../../../syslog/batch.ts';
import { packRecordsInto } from '../packing.ts';
import { PACKING_WASM } from './wasm-packing-binary.ts';

interface PackingExports extends WasmExports {
  pack(from: number, end: number, out: number): void;
}

/** Less is packed sooner than it is copied: a line, or two. */
const INPUT_BYTES_MIN = 384;
/** Twice a full batch. */
const INPUT_BYTES = 524_288;
const { input: INPUT, output: OUTPUT } = layOutRegions({ input: INPUT_BYTES });

/** Loaded by the first batch that is packed. */
let packingModule: WasmModule<PackingExports> | undefined;

/**
 * Packs the records of a batch; as `packRecordsInto`.
 * @param out has room for the whole batch from `start` on.
 * @returns where the packed records end.
 */
export function packRecordsFast(batch: Uint8Array, out: Uint8Array, start: number): number {
  const { length } = batch;
  if (length < INPUT_BYTES_MIN || length > INPUT_BYTES) return packRecordsInto(batch, out, start);
  packingModule ??= loadWasmModule<PackingExports>(PACKING_WASM);
  const { wasm, memory } = packingModule;
  memory.set(batch, INPUT);
  wasm.pack(INPUT + HEADROOM, INPUT + length, OUTPUT);
  const packed = wasm.produced.value - OUTPUT;
  out.set(new Uint8Array(memory.buffer, OUTPUT, packed), start);
  return start + packed;
}
