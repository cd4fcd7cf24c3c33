/** Memory that buffers of a pool are made of: it is theirs. */
export interface PoolMemory {
  readonly buffer: ArrayBuffer;
  readonly start: number;
}

/** Buffers of one size that are used again and again, as those of a `BufferPool` are; there may be thousands, and none is looked for. */
export class SameSizePool {
  private readonly bytes: number;
  private readonly buffersMax: number;
  private readonly memory: PoolMemory;
  /** Buffers that were made of {@link memory}. */
  private made = 0;
  private readonly free: Buffer[] = [];

  /**
   * @param bytes of a buffer
   * @param buffersMax are made of the memory, which has room for them, and kept; what is needed beyond that is left to the garbage collector
   */
  constructor(bytes: number, buffersMax: number, memory: PoolMemory) {
    this.bytes = bytes;
    this.buffersMax = buffersMax;
    this.memory = memory;
  }

  /** There is one of {@link memory}. */
  get hasFree(): boolean {
    return this.free.length > 0 || this.made < this.buffersMax;
  }

  /** A whole buffer, with any content: what was released last, which is most likely in the processor's cache. */
  acquire(): Buffer {
    return this.free.pop() ?? this.make();
  }

  /** Takes back a buffer that nobody reads any more. @returns whether it is kept */
  release(buffer: Buffer): boolean {
    if (buffer.buffer !== this.memory.buffer) return false;
    this.free.push(buffer);
    return true;
  }

  private make(): Buffer {
    const { memory, bytes } = this;
    if (this.made === this.buffersMax) return Buffer.allocUnsafeSlow(bytes);
    return Buffer.from(memory.buffer, memory.start + bytes * this.made++, bytes);
  }
}
