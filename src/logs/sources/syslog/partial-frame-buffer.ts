import { BufferPool } from '../../../common/buffers/buffer-pool.ts';

/** Of what is left of nearly all chunks. */
const SMALL_BYTES = 4_096;
/**
 * Memory for chunks and what was left before them, of all connections: one needs it only while it has such a rest, and most rests are
 * gone with the next chunk or the one after.
 */
const joined = new BufferPool({ buffersMax: 4, pooledBytesMin: 2 * SMALL_BYTES, stepBytes: 65_536 });

/**
 * What is left of a connection's bytes between two chunks: the beginning of a frame. It grows by doubling,
 * so that a frame that trickles in costs a copy of its bytes, not a copy of the whole at every chunk.
 */
export class PartialFrameBuffer {
  private buffer: Buffer | undefined;
  private length = 0;

  /** Bytes that are kept. */
  get size(): number {
    return this.length;
  }

  /** What was left and the chunk after it, as one: to be read until {@link keepFrom}. */
  join(chunk: Buffer): Buffer {
    if (this.length === 0) return chunk;
    const length = this.length + chunk.length;
    let store = this.buffer;
    if (!store || store.length < length) {
      const larger = acquire(Math.max(length, 2 * (store?.length ?? 0)));
      store?.copy(larger, 0, 0, this.length);
      if (store) joined.release(store);
      store = larger;
      this.buffer = larger;
    }
    chunk.copy(store, this.length);
    return store.subarray(0, length);
  }

  /** Keeps `bytes` from `start` on: bytes that `join` gave, or a part of its chunk. */
  keepFrom(bytes: Buffer, start: number): void {
    const length = bytes.length - start;
    this.length = length;
    const { buffer: store } = this;
    if (length === 0) {
      if (store) joined.release(store);
      this.buffer = undefined;
      return;
    }
    if (store && bytes.buffer === store.buffer && bytes.byteOffset === store.byteOffset) {
      if (start > 0) store.copyWithin(0, start, bytes.length);
      return;
    }
    if (!store || store.length < length) {
      if (store) joined.release(store);
      this.buffer = acquire(length);
    }
    bytes.copy(this.buffer!, 0, start);
  }
}

function acquire(bytes: number): Buffer {
  return bytes <= SMALL_BYTES ? Buffer.allocUnsafeSlow(SMALL_BYTES) : joined.acquire(bytes);
}
