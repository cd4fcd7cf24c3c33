/** Pieces that are kept; more than these are rarely under way at once. */
const BUFFERS_MAX = 8;
/** Smaller ones aren't worth keeping. */
const POOLED_BYTES_MIN = 32_768;
const ROUND_BYTES = 131_072;

/** Memory to pack batches in, used again when Redis has answered: new buffers all the time cost more than the packing. */
export class PackBufferPool {
  private readonly buffers: Buffer[] = [];

  acquire(bytes: number): Buffer {
    if (bytes < POOLED_BYTES_MIN) return Buffer.allocUnsafe(bytes);
    const index = this.buffers.findIndex((buffer) => buffer.length >= bytes);
    if (index >= 0) return this.buffers.splice(index, 1)[0];
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / ROUND_BYTES) * ROUND_BYTES);
  }

  /** Takes back what {@link acquire} gave. */
  release(buffers: readonly Buffer[]): void {
    for (const buffer of buffers)
      if (buffer.length >= ROUND_BYTES && this.buffers.length < BUFFERS_MAX) this.buffers.push(buffer);
  }
}
