/** Pooled buffers; more are rarely in use at once. */
const BUFFERS_MAX = 4;
/** Small buffers aren't worth pooling; a stuck or idle drain holds none. */
const POOLED_BYTES_MIN = 65_536;
/** Sizes are rounded up, so that the next shipment fits too. */
const SIZE_STEP_BYTES = 131_072;

/**
 * Buffers for what is written to a socket, reused when it was sent: allocating each anew would keep the garbage collector busier
 * than the lines do.
 */
export class BufferPool {
  private readonly buffers: Buffer[] = [];

  /** At least `bytes` of memory, uninitialized. */
  acquire(bytes: number): Buffer {
    const index = this.buffers.findIndex((buffer) => buffer.length >= bytes);
    if (index >= 0) return this.buffers.splice(index, 1)[0];
    if (bytes < POOLED_BYTES_MIN) return Buffer.allocUnsafe(bytes);
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / SIZE_STEP_BYTES) * SIZE_STEP_BYTES);
  }

  /** Takes back a buffer of `acquire`, or a part of it from its beginning. */
  release(bytes: Buffer): void {
    const { buffer } = bytes;
    if (buffer.byteLength < POOLED_BYTES_MIN || bytes.byteOffset !== 0 || this.buffers.length >= BUFFERS_MAX)
      return;
    this.buffers.push(Buffer.from(buffer, 0, buffer.byteLength));
  }
}
