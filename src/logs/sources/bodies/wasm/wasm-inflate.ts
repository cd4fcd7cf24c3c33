/**
 * The WebAssembly fast path for small bodies of gzip (RFC 1952): the same bytes as zlib gives, in less time than that needs to be set up.
 * Whatever is odd or wrong is left to zlib; `read-body.unit.test.ts` compares the two.
 */
import { DETACHED_BYTES_MIN } from '../../../../common/buffers/detach-buffer.ts';
import { layOutRegions, loadWasmModule, type WasmExports } from '../../../../common/wasm/wasm-module.ts';
import { crc32 } from '../../../store/embedded/checksum.ts';
import { INFLATE_WASM } from './wasm-inflate-binary.ts';

interface InflateExports extends WasmExports {
  readonly CODE_BYTES: WebAssembly.Global;
  prepare(codes: number, lengths: number): void;
  inflate(from: number, end: number, out: number, outEnd: number): number;
}

/** Longer bodies are left to zlib, before and afterwards. */
export const INFLATE_PACKED_BYTES = 65_536;
export const INFLATE_UNPACKED_BYTES = 131_072;

const MEMORY_BYTES = 8 * 65_536;
const CODES = 4;
/** More than the module's `CODE_BYTES`. */
const CODE_BYTES = 5_120;
const LENGTHS_BYTES = 512;
const {
  codes: CODES_AT,
  lengths: LENGTHS,
  input: INPUT,
  output: OUTPUT,
} = layOutRegions(
  { codes: CODES * CODE_BYTES, lengths: LENGTHS_BYTES, input: INFLATE_PACKED_BYTES },
  MEMORY_BYTES,
);

/** Header and trailer (RFC 1952 section 2.3). */
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
/** Magic number, DEFLATE, no flags: without a name, a comment or anything else in the header. */
const PLAIN_HEADER = 0x00_08_8b_1f;

/** Loaded by the first body. */
let inflater: { readonly wasm: InflateExports; readonly memory: Uint8Array } | undefined;

/** Unpacks a body that is one member of gzip; undefined when it isn't, or isn't small. */
export function inflateGzip(body: Buffer): Buffer | undefined {
  const { length } = body;
  if (length > INFLATE_PACKED_BYTES || length < HEADER_BYTES + TRAILER_BYTES) return undefined;
  if (body.readUInt32LE(0) !== PLAIN_HEADER) return undefined;
  const size = body.readUInt32LE(length - 4);
  if (size > INFLATE_UNPACKED_BYTES) return undefined;
  inflater ??= loadInflater();
  const { wasm, memory } = inflater;
  memory.set(body, INPUT);
  const end = INPUT + length - TRAILER_BYTES;
  if (wasm.inflate(INPUT + HEADER_BYTES, end, OUTPUT, OUTPUT + size) === 0) return undefined;
  if (wasm.position.value !== end || wasm.produced.value !== OUTPUT + size) return undefined;
  // Those that are large enough to be given back by hand have memory of their own.
  const unpacked = size < DETACHED_BYTES_MIN ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
  unpacked.set(memory.subarray(OUTPUT, OUTPUT + size));
  return crc32(unpacked) === body.readUInt32LE(length - TRAILER_BYTES) ? unpacked : undefined;
}

function loadInflater(): NonNullable<typeof inflater> {
  const { wasm, memory } = loadWasmModule<InflateExports>(INFLATE_WASM, MEMORY_BYTES);
  if (wasm.CODE_BYTES.value > CODE_BYTES) throw new RangeError("the codes don't fit");
  wasm.prepare(CODES_AT, LENGTHS);
  return { wasm, memory };
}
