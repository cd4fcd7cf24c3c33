/**
 * Frees the memory of large buffers as soon as they aren't used any more.
 *
 * Lines pass through in buffers that live for milliseconds, hundreds of megabytes a second. Left to the garbage collector, V8
 * sees its 64 MB of memory outside its heap used up several times a second, and marks the whole heap each time. That costs much of the
 * CPU time of `POST /logs`.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Smaller ones cost more to detach than to leave. */
const MIN_BYTES = 2_048;

type Transfer = (this: ArrayBufferLike, bytes: number) => unknown;

let transfer: Transfer | undefined;

/**
 * Detaches the memory of `bytes`, whose length is 0 afterwards: no other view of it may be in use. Bytes that are a part of
 * something larger are left alone.
 */
export function detachBuffer(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length < MIN_BYTES || bytes.length !== buffer.byteLength) return;
  transfer ??= findTransfer();
  transfer.call(buffer, 0);
}

/** `ArrayBuffer.prototype.transfer` (ECMAScript 2024): in Node 20 it is there, but not yet by default. */
function findTransfer(): Transfer {
  const own: unknown = Reflect.get(ArrayBuffer.prototype, 'transfer');
  if (isTransfer(own)) return own;
  setFlagsFromString('--harmony-rab-gsab-transfer');
  // The flag holds for contexts that are made from now on; what it brings works on buffers of any.
  const found: unknown = runInNewContext('ArrayBuffer.prototype.transfer');
  setFlagsFromString('--no-harmony-rab-gsab-transfer');
  return isTransfer(found) ? found : () => {};
}

function isTransfer(value: unknown): value is Transfer {
  return typeof value === 'function';
}
