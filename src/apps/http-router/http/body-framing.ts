/**
 * How the end of a body is found (RFC 9112 section 6.3). Bodies are relayed as the bytes they are; these
 * only look for the end, and reject what another parser might understand differently.
 */
export type BodyFraming = {
  /** True when the last byte has been seen. */
  done: boolean;
  /** Bytes of content seen so far, without any framing. */
  byteCount: number;
  /** Where the body ends in `bytes`, looking from `start`: behind its last byte or the end of `bytes`. -1: malformed. */
  take(bytes: Buffer, start: number): number;
};

/** No body at all. Shared by all messages, since it never changes. */
export const noBody: BodyFraming = { done: true, byteCount: 0, take: (_bytes, start) => start };

/** A body with a Content-Length, in bytes. */
export class LengthBody implements BodyFraming {
  done: boolean;
  byteCount = 0;
  private readonly length: number;

  constructor(length: number) {
    this.length = length;
    this.done = length === 0;
  }

  take(bytes: Buffer, start: number): number {
    const count = Math.min(bytes.length - start, this.length - this.byteCount);
    this.byteCount += count;
    this.done = this.byteCount === this.length;
    return start + count;
  }
}

/** A body that ends with the connection; `done` stays false. */
export class UntilCloseBody implements BodyFraming {
  done = false;
  byteCount = 0;

  take(bytes: Buffer, start: number): number {
    this.byteCount += bytes.length - start;
    return bytes.length;
  }
}
