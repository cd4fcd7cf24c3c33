/**
 * Batches in a backup, one behind the other, little endian:
 *
 *     u32 line numbers | u32 bytes of records | f64 stored at, ms since 1970 | f64 first sequence | u64 0 | records as in a batch
 *
 * Records are those of `syslog/batch.ts`: twelve bytes, then the line's text in RFC 5424 form; none where the lines were deleted.
 */

import type { StoredBatch } from '../store/contract.ts';
import { HEADROOM } from '../syslog/batch.ts';

/** The bytes of a batch in a backup. The batch's own aren't written to: readers share them. */
export function encodeStoredBatch({ bytes, first, last, storedAtMs }: StoredBatch): Buffer {
  const encoded = Buffer.from(bytes);
  encoded.fill(0, 0, HEADROOM);
  encoded.writeUInt32LE(last - first + 1, 0);
  encoded.writeUInt32LE(bytes.length - HEADROOM, 4);
  encoded.writeDoubleLE(storedAtMs, 8);
  encoded.writeDoubleLE(first, 16);
  return encoded;
}

/** The batches of a chunk; their memory is the caller's. @throws Error when it isn't one */
export function decodeBatches(chunk: Buffer): StoredBatch[] {
  const batches: StoredBatch[] = [];
  for (let at = 0; at < chunk.length; ) {
    if (at + HEADROOM > chunk.length) throw new Error('a batch is cut off');
    const numbers = chunk.readUInt32LE(at);
    const end = at + HEADROOM + chunk.readUInt32LE(at + 4);
    const first = chunk.readDoubleLE(at + 16);
    if (numbers === 0 || end > chunk.length || !Number.isSafeInteger(first) || first < 1)
      throw new Error('a batch is none');
    const bytes = Buffer.from(chunk.subarray(at, end));
    const count = bytes.length === HEADROOM ? 0 : numbers;
    batches.push({ bytes, count, first, last: first + numbers - 1, storedAtMs: chunk.readDoubleLE(at + 8) });
    at = end;
  }
  return batches;
}
