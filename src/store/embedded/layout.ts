/**
 * How the embedded store lays a stream out in LMDB: one entry a batch.
 *
 * Key: app id (16 bytes of its UUID), then the batch's last sequence (8 bytes, big endian), so that the entry
 * that holds the line after a position is the first one at or above it.
 * Value: the batch, its headroom filled in:
 *
 *     u8 format | 3 × u8 0 | u32 lines | f64 stored at, ms | f64 bytes of the stream so far | f64 first sequence
 */
import type { AppId, Sequence, StoredBatch } from '../contract.ts';

const FORMAT = 1;
const KEY_BYTES = 24;

/** The key of the batch whose last line is `last`. */
export function batchKey(app: AppId, last: Sequence): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.write(app.replaceAll('-', ''), 0, 16, 'hex');
  key.writeUInt32BE(Math.floor(last / 0x1_0000_0000), 16);
  key.writeUInt32BE(last >>> 0, 20);
  return key;
}

/** What the store writes into a batch's headroom. */
export interface Placement {
  readonly count: number;
  readonly storedAtMs: number;
  /** Bytes of all batches ever appended to the stream, up to and with this one. */
  readonly bytesSoFar: number;
  readonly first: Sequence;
}

export function writePlacement(bytes: Uint8Array, placement: Placement): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(0, FORMAT, true);
  view.setUint32(4, placement.count, true);
  view.setFloat64(8, placement.storedAtMs, true);
  view.setFloat64(16, placement.bytesSoFar, true);
  view.setFloat64(24, placement.first, true);
}

export function readPlacement(bytes: Uint8Array): Placement {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== FORMAT)
    throw new Error(
      'the data folder was written by another version of tailrace: use that version, or a new folder',
    );
  return {
    count: view.getUint32(4, true),
    storedAtMs: view.getFloat64(8, true),
    bytesSoFar: view.getFloat64(16, true),
    first: view.getFloat64(24, true),
  };
}

/** The batch as readers know it. */
export function storedBatch(bytes: Uint8Array): StoredBatch {
  const { count, first, storedAtMs } = readPlacement(bytes);
  return { bytes, count, first, last: first + count - 1, storedAtMs };
}
