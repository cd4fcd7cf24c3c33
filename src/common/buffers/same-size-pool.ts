/** Buffers of one size that are used again and again, as those of a `BufferPool` are; there may be thousands, and none is looked for. */
export class SameSizePool {
  private readonly bytes: number;
  private readonly buffersMax: number;
  private readonly free: Buffer[] = [];

  /** @param buffersMax are kept; what is released beyond that is left to the garbage collector */
  constructor(bytes: number, buffersMax: number) {
    this.bytes = bytes;
    this.buffersMax = buffersMax;
  }

  /** A whole buffer, with any content: what was released last, which is most likely in the processor's cache. */
  acquire(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(this.bytes);
  }

  /** Takes back a buffer that nobody reads any more. @returns whether it is kept */
  release(buffer: Buffer): boolean {
    if (this.free.length >= this.buffersMax) return false;
    this.free.push(buffer);
    return true;
  }
}
