/** Pieces that are kept; more than these are rarely under way at once. */
const BUFFERS_MAX = 4;
/** Small shipments aren't worth keeping memory for; a stuck or idle drain holds none. */
const POOLED_BYTES_MIN = 65_536;
/** Asked for a little more, so that the next shipment fits too. */
const SIZE_STEP_BYTES = 131_072;

/**
 * Memory for what is written to a socket, used again when it has left: hundreds of megabytes a second of new buffers
 * would keep the garbage collector busier than the lines do.
 */
export class BufferPool {
  private readonly buffers: Buffer[] = [];

  /** At least `bytes` of memory, with whatever stands in it. */
  acquire(bytes: number): Buffer {
    const index = this.buffers.findIndex((buffer) => buffer.length >= bytes);
    if (index >= 0) return this.buffers.splice(index, 1)[0];
    if (bytes < POOLED_BYTES_MIN) return Buffer.allocUnsafe(bytes);
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / SIZE_STEP_BYTES) * SIZE_STEP_BYTES);
  }

  /** Takes back what `take` gave, or a part of it from its beginning. */
  release(bytes: Buffer): void {
    const { buffer } = bytes;
    if (buffer.byteLength < POOLED_BYTES_MIN || bytes.byteOffset !== 0 || this.buffers.length >= BUFFERS_MAX)
      return;
    this.buffers.push(Buffer.from(buffer, 0, buffer.byteLength));
  }
}
