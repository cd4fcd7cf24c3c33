/** Every supported version of Node.js cuts smaller buffers out of memory that it has already, a slab: nothing is quicker. */
const SLICE_BYTES_MAX = 4_096;

/**
 * Memory that pools have made. Its size and a place at its beginning don't tell it from a slab: those of Node.js have 8 KiB, and since
 * 24 and 26 64 KiB (`Buffer.poolSize`), and whatever else is in them would be overwritten.
 */
const made = new WeakSet<ArrayBufferLike>();

export interface BufferPoolOptions {
  /** Buffers that are kept for later; what is released beyond that is left to whoever released it. */
  readonly buffersMax: number;
  /** Buffers for less than this aren't worth keeping. Left out: all are. */
  readonly pooledBytesMin?: number;
  /** New buffers are a multiple of this, so that the next, somewhat longer content fits too. Left out: exact. */
  readonly stepBytes?: number;
  /** Threads of the process may read it where it is. Left out: what is given to them is copied. */
  readonly isShared?: boolean;
}

/**
 * Memory that is used again and again: hundreds of megabytes a second of new buffers would keep the garbage collector busier
 * than the lines do. A buffer belongs to whoever acquired it until it is released; to release it is a promise that nobody
 * reads it any more. What is never released is collected like any other memory.
 */
export class BufferPool {
  private readonly buffersMax: number;
  private readonly pooledBytesMin: number;
  private readonly stepBytes: number;
  private readonly isShared: boolean;
  private readonly free: Buffer[] = [];

  constructor({ buffersMax, pooledBytesMin = 0, stepBytes = 1, isShared = false }: BufferPoolOptions) {
    this.buffersMax = buffersMax;
    this.pooledBytesMin = pooledBytesMin;
    this.stepBytes = stepBytes;
    this.isShared = isShared;
  }

  /** At least `bytes` of memory, with any content. */
  acquire(bytes: number): Buffer {
    const { free, pooledBytesMin, stepBytes } = this;
    const isSmall = bytes < pooledBytesMin;
    // From the end: what was released last is most likely in the processor's cache.
    if (!isSmall || bytes >= SLICE_BYTES_MAX)
      for (let i = free.length - 1; i >= 0; i--) if (free[i].length >= bytes) return this.takeFree(i);
    if (isSmall) return Buffer.allocUnsafe(bytes);
    const size = Math.ceil(bytes / stepBytes) * stepBytes;
    const buffer = this.isShared ? Buffer.from(new SharedArrayBuffer(size)) : Buffer.allocUnsafeSlow(size);
    made.add(buffer.buffer);
    return buffer;
  }

  /**
   * Takes back what {@link acquire} gave, or a part of it from its beginning.
   * @returns whether it is kept; if not, it is still the caller's.
   */
  release(bytes: Uint8Array): boolean {
    const { buffer, byteOffset } = bytes;
    if (byteOffset !== 0 || buffer.byteLength < this.pooledBytesMin || !made.has(buffer)) return false;
    if (this.free.length >= this.buffersMax && !this.dropSmaller(buffer.byteLength)) return false;
    const isWhole = Buffer.isBuffer(bytes) && bytes.length === buffer.byteLength;
    this.free.push(isWhole ? bytes : Buffer.from(buffer, 0, buffer.byteLength));
    return true;
  }

  /** Makes room for a buffer of so many bytes: else small ones stay for good, and large ones are new each time. */
  private dropSmaller(bytes: number): boolean {
    const index = this.free.findIndex(({ length }) => length < bytes);
    if (index !== -1) this.takeFree(index);
    return index !== -1;
  }

  private takeFree(index: number): Buffer {
    const { free } = this;
    const buffer = free[index];
    free[index] = free[free.length - 1];
    free.pop();
    return buffer;
  }
}
