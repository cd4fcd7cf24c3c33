/**
 * Entries as tailrace 0.1 wrote them, which are still read. A batch has a header of f64s, whose length follows from the bytes before it,
 * and a checksum of a word per sector; a frame id has none:
 *
 *     u8 2 | u24 checksum | u32 lines | f64 stored at, ms | f64 bytes of the stream so far | f64 first sequence
 *     u8 3 | 3 × u8 0 | u32 bytes of the id | 24 × u8 0 | id
 */
import { HEADROOM } from '../../../syslog/batch.ts';
import type { Sequence } from '../../contract.ts';

/** A batch's header as it was read. */
export interface SizedHeader {
  readonly count: number;
  readonly storedAtMs: number;
  /** Bytes of all batches ever appended to the stream, up to and with this one. */
  readonly bytesSoFar: number;
  readonly first: Sequence;
  /** Bytes of the batch. */
  readonly length: number;
}

export const LEGACY_BATCH = 2;
export const LEGACY_FRAME_ID = 3;
/** One word of every sector goes into the checksum: what a power cut leaves unwritten is whole sectors. */
const SECTOR_BYTES = 512;

/** May such an entry begin at `at`? */
export function isLegacyEntry(bytes: Buffer, at: number): boolean {
  return bytes[at] === LEGACY_BATCH || bytes[at] === LEGACY_FRAME_ID;
}

/** Reads the header at `head`; undefined when it is none. @param bytesBefore bytes of the stream before it */
export function parseLegacyBatch(bytes: Buffer, head: number, bytesBefore: number): SizedHeader | undefined {
  const count = bytes.readUInt32LE(head + 4);
  const bytesSoFar = bytes.readDoubleLE(head + 16);
  const first = bytes.readDoubleLE(head + 24);
  const length = bytesSoFar - bytesBefore;
  if (!Number.isSafeInteger(length) || length < HEADROOM || !Number.isSafeInteger(first)) return undefined;
  return { count, storedAtMs: bytes.readDoubleLE(head + 8), bytesSoFar, first, length };
}

/** Is the batch intact, as far as its checksum tells? */
export function isLegacyBatchIntact(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(0, true) >>> 8 === checksum(bytes);
}

/** 24 bits over the headroom after the first word, and a word of every sector. */
function checksum(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  for (let i = 4; i < HEADROOM; i++) sum = Math.imul(sum ^ bytes[i], 0x01000193);
  for (let i = HEADROOM; i < bytes.length; i += SECTOR_BYTES)
    sum = Math.imul(sum ^ bytes[i] ^ (bytes[i + 1] << 16) ^ (bytes[i + 2] << 8), 0x01000193);
  for (let i = Math.max(HEADROOM, bytes.length - 8); i < bytes.length; i++)
    sum = Math.imul(sum ^ bytes[i], 0x01000193);
  return (sum ^ (sum >>> 24)) & 0xffffff;
}
