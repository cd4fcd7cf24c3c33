/**
 * A block: lines of one stream with sequences that follow each other, compressed together. It says itself what it is, so that blocks are found
 * again in a file whose end is lost. Little endian:
 *
 *     u32 magic | u32 CRC-32 of the rest of the header | f64 first sequence | u32 lines | u32 bytes of records
 *     u32 runs | u32 bytes of the payload | f64 earliest | f64 latest time, ms | u32 CRC-32 of the payload
 *     u32 CRC-32 of the records as in a batch | u32 bytes of the payload before it was compressed | u32 version of the records
 *
 * The payload is compressed (raw deflate): the records, taken apart, then runs of lines that were received together, `u32 lines | f64 when`.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { detachBuffer } from '../../../../src/common/buffers/detach-buffer.ts';
import type { Sequence } from '../../../../src/logs/store/contract.ts';
import { crc32 } from '../../../../src/logs/store/embedded/checksum.ts';
import { joinRecords, RECORDS_VERSION, splitRecords } from './record-columns.ts';

export const BLOCK_HEADER_BYTES = 64;
export const BLOCK_MAGIC = 0x31_42_56_54;
const RUN_BYTES = 12;
const COMPRESSION_LEVEL = 3;
/** More than any block has: a damaged length mustn't take all memory. */
const BLOCK_RECORDS_MAX = 64 * 1_048_576;

/** Where a block is in its file, and what is in it. */
export interface BlockEntry {
  readonly offset: number;
  /** In the file, the header included. */
  readonly length: number;
  readonly first: Sequence;
  readonly count: number;
  /** Of the lines' own times, milliseconds since 1970. */
  readonly minMs: number;
  readonly maxMs: number;
  /** Of the records, with their headers. */
  readonly recordBytes: number;
}

/** Lines that were received together. */
export interface ReceivedRun {
  readonly count: number;
  readonly receivedAtMs: number;
}

/** A block's lines, to be read with a `RecordCursor` from 0 to `end`. */
export interface BlockLines {
  readonly bytes: Buffer;
  readonly end: number;
  readonly first: Sequence;
  readonly runs: readonly ReceivedRun[];
}

export interface BlockContent {
  readonly first: Sequence;
  readonly count: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly records: Buffer;
  readonly runs: readonly ReceivedRun[];
}

/** A block can't be read; the message is part of a sentence: `its header is damaged`. The other blocks of the file can. */
export class BlockDamage extends Error {}

/** A block as it stands in a file. */
export function encodeBlock({ first, count, minMs, maxMs, records, runs }: BlockContent): Buffer {
  const apart = splitRecords(records);
  const plain = Buffer.allocUnsafe(apart.length + runs.length * RUN_BYTES);
  plain.set(apart);
  let at = apart.length;
  for (const run of runs) {
    plain.writeUInt32LE(run.count, at);
    plain.writeDoubleLE(run.receivedAtMs, at + 4);
    at += RUN_BYTES;
  }
  const payload = deflateRawSync(plain, { level: COMPRESSION_LEVEL });
  const plainLength = plain.length;
  for (const one of [apart, plain]) detachBuffer(one);
  const block = Buffer.alloc(BLOCK_HEADER_BYTES + payload.length);
  block.writeUInt32LE(BLOCK_MAGIC, 0);
  block.writeDoubleLE(first, 8);
  block.writeUInt32LE(count, 16);
  block.writeUInt32LE(records.length, 20);
  block.writeUInt32LE(runs.length, 24);
  block.writeUInt32LE(payload.length, 28);
  block.writeDoubleLE(minMs, 32);
  block.writeDoubleLE(maxMs, 40);
  block.writeUInt32LE(crc32(payload), 48);
  block.writeUInt32LE(crc32(records), 52);
  block.writeUInt32LE(plainLength, 56);
  block.writeUInt32LE(RECORDS_VERSION, 60);
  block.writeUInt32LE(crc32(block.subarray(8, BLOCK_HEADER_BYTES)), 4);
  block.set(payload, BLOCK_HEADER_BYTES);
  return block;
}

/** What a block's header says; undefined when there is none, or a damaged one. */
export function readBlockHeader(header: Buffer, offset: number): BlockEntry | undefined {
  if (header.length < BLOCK_HEADER_BYTES || header.readUInt32LE(0) !== BLOCK_MAGIC) return undefined;
  if (crc32(header.subarray(8, BLOCK_HEADER_BYTES)) !== header.readUInt32LE(4)) return undefined;
  return {
    offset,
    length: BLOCK_HEADER_BYTES + header.readUInt32LE(28),
    first: header.readDoubleLE(8),
    count: header.readUInt32LE(16),
    minMs: header.readDoubleLE(32),
    maxMs: header.readDoubleLE(40),
    recordBytes: header.readUInt32LE(20),
  };
}

/**
 * The lines of a block.
 * @throws BlockDamage when its bytes aren't those that were written.
 */
export function decodeBlock(block: Buffer): BlockLines {
  const entry = readBlockHeader(block, 0);
  if (!entry) throw new BlockDamage('its header is damaged');
  if (block.length < entry.length) throw new BlockDamage('its end is missing');
  const payload = block.subarray(BLOCK_HEADER_BYTES, entry.length);
  if (crc32(payload) !== block.readUInt32LE(48)) throw new BlockDamage('its checksum is wrong');
  const runCount = block.readUInt32LE(24);
  const plain = inflate(payload, block.readUInt32LE(56));
  const runsAt = plain.length - runCount * RUN_BYTES;
  const runs: ReceivedRun[] = [];
  for (let at = runsAt; at < plain.length; at += RUN_BYTES)
    runs.push({ count: plain.readUInt32LE(at), receivedAtMs: plain.readDoubleLE(at + 4) });
  const version = block.readUInt32LE(60);
  if (version > RECORDS_VERSION) throw new BlockDamage(`it is of version ${version}, which is unknown here`);
  const bytes = joinRecords(plain.subarray(0, runsAt), entry.count, entry.recordBytes, version);
  freeUnpacked(plain);
  // It is what was taken apart, or nothing.
  if (crc32(bytes) !== block.readUInt32LE(52))
    throw new BlockDamage("its lines aren't those that were stored");
  return { bytes, end: entry.recordBytes, first: entry.first, runs };
}

/** With room for more than there is, no further memory is asked for. */
function unpackedChunk(length: number): number {
  return Math.max(64, length + 1);
}

/** Small ones are cut out of memory that others have, too. */
function freeUnpacked({ buffer, length }: Buffer): void {
  if (length > Buffer.poolSize && buffer.byteLength === unpackedChunk(length))
    detachBuffer(new Uint8Array(buffer));
}

function inflate(payload: Buffer, length: number): Buffer {
  if (length > BLOCK_RECORDS_MAX) throw new BlockDamage('its length is wrong');
  let bytes: Buffer;
  try {
    bytes = inflateRawSync(payload, {
      maxOutputLength: Math.max(1, length),
      chunkSize: unpackedChunk(length),
    });
  } catch (error) {
    throw new BlockDamage("it can't be unpacked", { cause: error });
  }
  if (bytes.length !== length) throw new BlockDamage('its length is wrong');
  return bytes;
}
