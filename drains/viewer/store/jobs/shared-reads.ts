/** What is read of a stream for the store's threads, in memory that they read too: nothing is copied on its way to them. */
import { BufferPool } from '../../../../src/common/buffers/buffer-pool.ts';
import { PooledBuffers } from '../../../../src/common/buffers/pooled-buffers.ts';
import type { ReadMemory } from '../../../../src/logs/store/contract.ts';

/** Bytes that are read at a time. */
export const READ_BYTES = 2 * 1_048_576;
/** One for packing, and one for each search that runs: more are left to the garbage collector. */
const BUFFERS_MAX = 4;

const pool = new BufferPool({ buffersMax: BUFFERS_MAX, stepBytes: READ_BYTES / 4, isShared: true });

/** Of one read. */
export class SharedReads extends PooledBuffers implements ReadMemory {
  constructor() {
    super(pool);
  }
}
