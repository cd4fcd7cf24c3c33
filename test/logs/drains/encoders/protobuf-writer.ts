/**
 * Writes messages of Protocol Buffers (the encoding of protobuf.dev) from back to front: a message's length precedes its fields,
 * and is known only after they are written. So the last field is written first.
 */
export class ProtobufWriter {
  private bytes: Buffer;
  private start: number;

  /** @param sizeHint bytes that are mostly enough. */
  constructor(sizeHint: number) {
    this.bytes = Buffer.allocUnsafeSlow(sizeHint);
    this.start = sizeHint;
  }

  /** A string field, in UTF-8. */
  string(field: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.reserve(length);
    this.start -= length;
    this.bytes.write(text, this.start);
    this.varint(length);
    this.tag(field, 2);
  }

  /** A varint field: a whole number from 0 to 2^31. */
  uint32(field: number, value: number): void {
    this.varint(value);
    this.tag(field, 0);
  }

  /** A field of 64 bits. */
  fixed64(field: number, value: bigint): void {
    this.reserve(8);
    this.start -= 8;
    this.bytes.writeBigUInt64LE(value, this.start);
    this.tag(field, 1);
  }

  /** A field of 32 bits. */
  fixed32(field: number, value: number): void {
    this.reserve(4);
    this.start -= 4;
    this.bytes.writeUInt32LE(value, this.start);
    this.tag(field, 5);
  }

  /** A field of bytes. */
  binary(field: number, content: Buffer): void {
    this.reserve(content.length);
    this.start -= content.length;
    content.copy(this.bytes, this.start);
    this.varint(content.length);
    this.tag(field, 2);
  }

  /** An embedded message: `fields` writes its fields. */
  message(field: number, fields: () => void): void {
    const end = this.bytes.length - this.start;
    fields();
    this.varint(this.bytes.length - this.start - end);
    this.tag(field, 2);
  }

  /** The encoded message. */
  finish(): Buffer {
    return this.bytes.subarray(this.start);
  }

  private tag(field: number, type: number): void {
    this.varint((field << 3) | type);
  }

  /** Seven bits a byte, the lowest first; all but the last one have the highest bit. */
  private varint(value: number): void {
    let size = 1;
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++;
    this.reserve(size);
    this.start -= size;
    let rest = value;
    for (let i = 0; i < size; i++) {
      this.bytes[this.start + i] = i === size - 1 ? rest : (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
  }

  private reserve(more: number): void {
    if (this.start >= more) return;
    const used = this.bytes.length - this.start;
    const larger = Buffer.allocUnsafeSlow((used + more) * 2);
    this.bytes.copy(larger, larger.length - used, this.start);
    this.bytes = larger;
    this.start = larger.length - used;
  }
}
