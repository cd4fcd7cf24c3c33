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

  /** What was left and the chunk after it, as one. */
  join(chunk: Buffer): Buffer {
    if (this.length === 0) return chunk;
    const length = this.length + chunk.length;
    let store = this.buffer;
    if (!store || store.length < length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * (store?.length ?? 0), 4_096));
      store?.copy(larger, 0, 0, this.length);
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
    if (length === 0) {
      this.buffer = undefined;
      return;
    }
    const { buffer: store } = this;
    if (store && bytes.buffer === store.buffer && bytes.byteOffset === store.byteOffset) {
      if (start > 0) store.copyWithin(0, start, bytes.length);
      return;
    }
    if (!store || store.length < length) this.buffer = Buffer.allocUnsafeSlow(Math.max(length, 4_096));
    bytes.copy(this.buffer!, 0, start);
  }
}
