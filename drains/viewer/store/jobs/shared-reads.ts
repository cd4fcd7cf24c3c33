/** What is read of a stream for the store's threads, in memory that they read too: nothing is copied on its way to them. */
import { BufferPool } from '../../../../src/common/buffers/buffer-pool.ts';
import type { ReadMemory } from '../../../../src/logs/store/contract.ts';

/** Bytes that are read at a time. */
export const READ_BYTES = 2 * 1_048_576;
/** One for packing, and one for each search that runs: more are left to the garbage collector. */
const BUFFERS_MAX = 4;

const pool = new BufferPool({ buffersMax: BUFFERS_MAX, stepBytes: READ_BYTES / 4, isShared: true });

/** Of one read. */
export class SharedReads implements ReadMemory {
  private readonly buffers: Buffer[] = [];

  acquire(bytes: number): Buffer {
    const buffer = pool.acquire(bytes);
    this.buffers.push(buffer);
    return buffer;
  }

  /** Nobody reads what was read any more. */
  release(): void {
    for (const buffer of this.buffers) pool.release(buffer);
    this.buffers.length = 0;
  }
}
