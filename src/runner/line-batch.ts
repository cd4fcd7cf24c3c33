import { randomUUID } from 'node:crypto';

/** Room for the digits and the space of octet counting. */
const COUNT_BYTES_MAX = 6;

/** What stands before the timestamp and after it, the same for all lines of a dyno. */
export interface LineHead {
  /** `<190>1 ` */
  before: string;
  /** ` host t.TOKEN web.1 - - ` */
  after: string;
  /** Of both, with the timestamp between them. All of it is ASCII. */
  byteCount: number;
}

/** Lines that travel together: RFC 5424 messages in octet counting (RFC 6587 §3.4.1), written as they come. */
export class LineBatch {
  /** The same on every retry, so that the router can tell a repetition. */
  readonly frameId = randomUUID().replaceAll('-', '');
  readonly #buffer: Buffer;
  readonly #lineCountMax: number;
  lineCount = 0;
  byteCount = 0;
  /** Messages whose loss is reported in this batch; if it fails, the report has to be made again. */
  reported = { dropped: 0, lost: 0, lines: 0 };

  /** @param buffer the batch's own until it was delivered; its length is the limit of the batch */
  constructor(buffer: Buffer, lineCountMax: number) {
    this.#buffer = buffer;
    this.#lineCountMax = lineCountMax;
  }

  /** The bytes a line takes at most. */
  static frameBytes(head: LineHead, message: Uint8Array): number {
    return COUNT_BYTES_MAX + head.byteCount + message.length + 1;
  }

  hasRoomFor(frameBytes: number): boolean {
    return this.lineCount < this.#lineCountMax && this.byteCount + frameBytes <= this.#buffer.length;
  }

  /** Copies the line. To be asked for room first. */
  add(head: LineHead, stamp: string, message: Uint8Array): void {
    const buffer = this.#buffer;
    const start = `${head.byteCount + message.length + 1} ${head.before}${stamp}${head.after}`;
    let at = this.byteCount + buffer.write(start, this.byteCount, 'latin1');
    buffer.set(message, at);
    at += message.length;
    buffer[at] = 0x0a; // as log-shuttle does: drains that know no framing need it
    this.byteCount = at + 1;
    this.lineCount += 1;
  }

  body(): Buffer {
    return this.#buffer.subarray(0, this.byteCount);
  }

  /** The buffer, for another batch; this one must not be used any more. */
  release(): Buffer {
    return this.#buffer;
  }
}
