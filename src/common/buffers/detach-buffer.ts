/**
 * Frees the memory of large buffers as soon as nobody reads them any more.
 *
 * Lines pass through in buffers that live for milliseconds, hundreds of megabytes a second. Left to the garbage collector, V8
 * exceeds its limit of memory outside its heap several times a second, and marks the whole heap each time.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Smaller ones cost more to detach than to leave. */
export const DETACHED_BYTES_MIN = 2_048;

type Transfer = (this: ArrayBufferLike, bytes: number) => unknown;

let transfer: Transfer | undefined;

/**
 * Detaches the memory of `bytes`, which have no length afterwards: nobody else may hold a view of it. Bytes that are a part of
 * a larger buffer are left alone.
 */
export function detachBuffer(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length < DETACHED_BYTES_MIN || bytes.length !== buffer.byteLength) return;
  transfer ??= findTransfer();
  transfer.call(buffer, 0);
}

/** `ArrayBuffer.prototype.transfer` (ECMAScript 2024), which Node 20 has behind a flag. */
function findTransfer(): Transfer {
  const own: unknown = Reflect.get(ArrayBuffer.prototype, 'transfer');
  if (isTransfer(own)) return own;
  setFlagsFromString('--harmony-rab-gsab-transfer');
  // The flag applies to contexts that are created from now on; the function works on buffers of any context.
  const found: unknown = runInNewContext('ArrayBuffer.prototype.transfer');
  setFlagsFromString('--no-harmony-rab-gsab-transfer');
  return isTransfer(found) ? found : () => {};
}

function isTransfer(value: unknown): value is Transfer {
  return typeof value === 'function';
}
