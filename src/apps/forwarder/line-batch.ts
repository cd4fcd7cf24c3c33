import { randomUUID } from 'node:crypto';
import { frameLines, frameResult } from './wasm-framer.ts';

/** The digits and the space of octet counting. */
const COUNT_BYTES_MAX = 6;

/** The header before the timestamp and after it, the same for all lines of a dyno. */
export interface HeaderTemplate {
  /** `<190>1 ` */
  beforeTimestamp: string;
  /** ` host t.TOKEN web.1 - - ` */
  afterTimestamp: string;
  /** Of both, with the timestamp between them. All of it is ASCII. */
  byteCount: number;
}

/** Messages whose loss a batch reports, and the lines that do so. */
export interface ReportedLosses {
  dropped: number;
  lost: number;
  lines: number;
}

/** Lines of one request: RFC 5424 messages in octet counting (RFC 6587 §3.4.1), written as they come. */
export class LineBatch {
  /** The same on every retry, so that the router recognizes a duplicate. */
  readonly frameId: string;
  /** On the clock of `performance.now()`. */
  private readonly openedMs = performance.now();
  private readonly buffer: Buffer;
  private readonly lineCountMax: number;
  lineCount = 0;
  byteCount = 0;
  /** Losses that are reported in this batch; if it fails, they have to be reported again. */
  reported: ReportedLosses = { dropped: 0, lost: 0, lines: 0 };

  /** @param buffer owned by the batch until it was delivered; its length is the limit of the batch */
  constructor(buffer: Buffer, lineCountMax: number, frameId: string = randomUUID().replaceAll('-', '')) {
    this.buffer = buffer;
    this.lineCountMax = lineCountMax;
    this.frameId = frameId;
  }

  /** A batch that was persisted, closed to further lines. */
  static restore(frameId: string, body: Buffer, lineCount: number, reported: ReportedLosses): LineBatch {
    const batch = new LineBatch(body, lineCount, frameId);
    batch.lineCount = lineCount;
    batch.byteCount = body.length;
    batch.reported = reported;
    return batch;
  }

  /** The bytes a line takes at most. */
  static frameBytesMax(header: HeaderTemplate, message: Uint8Array): number {
    return COUNT_BYTES_MAX + header.byteCount + message.length + 1;
  }

  /** @param frameBytes as {@link LineBatch.frameBytesMax} gives them */
  hasSpaceFor(frameBytes: number): boolean {
    return this.lineCount < this.lineCountMax && this.byteCount + frameBytes <= this.buffer.length;
  }

  /** Copies the line. Only after `hasSpaceFor`. */
  add(header: HeaderTemplate, timestamp: string, message: Uint8Array): void {
    const buffer = this.buffer;
    const start = `${header.byteCount + message.length + 1} ${header.beforeTimestamp}${timestamp}${header.afterTimestamp}`;
    let at = this.byteCount + buffer.write(start, this.byteCount, 'latin1');
    buffer.set(message, at);
    at += message.length;
    buffer[at] = 0x0a; // as log-shuttle does: drains that know no framing need it
    this.byteCount = at + 1;
    this.lineCount += 1;
  }

  /**
   * Copies lines that each end with a newline, as many as fit and need not be split.
   *
   * @returns where it stopped in the chunk
   */
  addChunk(header: HeaderTemplate, timestamp: string, chunk: Uint8Array, start: number): number {
    const linesMax = this.lineCountMax - this.lineCount;
    frameLines(
      chunk,
      start,
      `${header.beforeTimestamp}${timestamp}${header.afterTimestamp}`,
      linesMax,
      this.buffer,
      this.byteCount,
    );
    this.lineCount += frameResult.lines;
    this.byteCount = frameResult.end;
    return frameResult.position;
  }

  /** How long until its first line is `lingerMs` old; 0 as soon as it is full. */
  readyInMs(lingerMs: number): number {
    if (this.lineCount >= this.lineCountMax) return 0;
    return Math.max(0, this.openedMs + lingerMs - performance.now());
  }

  /** What is written so far: a view of the batch's buffer. */
  body(): Buffer {
    return this.buffer.subarray(0, this.byteCount);
  }

  /** The buffer, for another batch; this one must not be used any more. */
  takeBuffer(): Buffer {
    return this.buffer;
  }
}
