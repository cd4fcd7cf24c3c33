import { Transform, type TransformCallback } from 'node:stream';

/**
 * Decodes the frames that `tailrace run` sends: a length (32 bits, big endian) and so many bytes. The empty frame is the
 * end of the input: the end of the connection would be the end of the client.
 */
export class FramedInput extends Transform {
  private header = Buffer.alloc(0);
  private remaining = 0;
  /** What comes behind the end of the input is nobody's. */
  private isOver = false;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let at = 0;
    while (at < chunk.length && !this.isOver) {
      if (this.remaining > 0) {
        const end = Math.min(chunk.length, at + this.remaining);
        this.push(chunk.subarray(at, end));
        this.remaining -= end - at;
        at = end;
        continue;
      }
      const needed = 4 - this.header.length;
      this.header = Buffer.concat([this.header, chunk.subarray(at, at + needed)]);
      at += needed;
      if (this.header.length < 4) break;
      this.remaining = this.header.readUInt32BE(0);
      this.header = Buffer.alloc(0);
      if (this.remaining > 0) continue;
      this.isOver = true;
      this.push(null);
    }
    done();
  }
}
