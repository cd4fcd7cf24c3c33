import type { Socket } from 'node:net';
import { readIntoBuffer } from '../../../common/buffers/read-into-buffer.ts';

/**
 * Every connection reads into this: what was read is relayed, or copied, before the next read. A buffer for each read, and
 * the stream that it would go through, take a good part of the processor time of a small request.
 */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(65_536);

/** Takes what was read; the bytes are overwritten after it returns, so what is kept must be copied. */
type OnBytes = (bytes: Buffer) => void;

/** The `onread` option of `connect` and `Socket` of node:net, which replaces a stream's `data` events. */
export function readIntoSharedBuffer(onBytes: OnBytes): { buffer: Buffer; callback(count: number): boolean } {
  return {
    buffer: SHARED_BUFFER,
    callback: (count) => {
      onBytes(SHARED_BUFFER.subarray(0, count));
      return true;
    },
  };
}

/** The same bytes, in memory that isn't overwritten. */
export function copyIfShared(bytes: Buffer): Buffer {
  return bytes.buffer === SHARED_BUFFER.buffer ? Buffer.from(bytes) : bytes;
}

/** Has an accepted socket read in this way, or, where that can't be done, which is slower, emit `data`. */
export function readShared(accepted: Socket, onBytes: OnBytes): void {
  const { buffer, callback } = readIntoSharedBuffer(onBytes);
  if (!readIntoBuffer(accepted, buffer, callback)) accepted.on('data', onBytes);
}
