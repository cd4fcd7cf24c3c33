import type { BufferPool } from './buffer-pool.ts';

/** Buffers of a pool that are given back together. */
export class PooledBuffers {
  private readonly pool: BufferPool;
  private readonly buffers: Buffer[] = [];

  constructor(pool: BufferPool) {
    this.pool = pool;
  }

  /** At least so many bytes, with any content. */
  acquire(bytes: number): Buffer {
    const buffer = this.pool.acquire(bytes);
    this.buffers.push(buffer);
    return buffer;
  }

  /** Nobody reads any of them any more. */
  release(): void {
    for (const buffer of this.buffers) this.pool.release(buffer);
    this.buffers.length = 0;
  }
}
