/** Whole numbers in as few bytes as they need: seven bits a byte, the lowest first. */

export class VarintWriter {
  private buffer = Buffer.allocUnsafe(16_384);
  length = 0;

  /** @param value from 0 to 2^53 */
  write(value: number): void {
    if (this.length + 8 > this.buffer.length) {
      const larger = Buffer.allocUnsafe(this.buffer.length * 2);
      this.buffer.copy(larger);
      this.buffer = larger;
    }
    const { buffer } = this;
    let rest = value;
    while (rest >= 128) {
      buffer[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    buffer[this.length++] = rest;
  }

  /** Small numbers of both signs need few bytes: 0, -1, 1, -2 … are written as 0, 1, 2, 3 … (zigzag). */
  writeSigned(value: number): void {
    this.write(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** What was written: a view of memory that more writing may replace. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }
}

/** Reads what VarintWriter wrote. It checks no bounds: who reads has checked the bytes' checksum, and knows how many numbers there are. */
export class VarintReader {
  private readonly bytes: Uint8Array;
  private at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** The next number, from 0 to 2^53. */
  read(): number {
    const { bytes } = this;
    let byte = bytes[this.at++];
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let factor = 128; byte >= 128; factor *= 128) {
      byte = bytes[this.at++];
      value += (byte & 127) * factor;
    }
    return value;
  }

  /** What {@link VarintWriter.writeSigned} has written. */
  readSigned(): number {
    const value = this.read();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
