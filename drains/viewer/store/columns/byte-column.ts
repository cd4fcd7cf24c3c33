/** Bytes that are added one by one. */
export class ByteColumn {
  private buffer = Buffer.allocUnsafe(256);
  length = 0;

  push(byte: number): void {
    if (this.length === this.buffer.length) {
      const larger = Buffer.allocUnsafe(this.buffer.length * 2);
      this.buffer.copy(larger);
      this.buffer = larger;
    }
    this.buffer[this.length++] = byte;
  }

  at(index: number): number {
    return this.buffer[index];
  }

  /** Gives one that was added another value. */
  set(index: number, byte: number): void {
    this.buffer[index] = byte;
  }

  /** Undefined while it is empty. */
  get last(): number {
    return this.buffer[this.length - 1];
  }

  /** All so far: a view of memory that more may replace. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }
}
