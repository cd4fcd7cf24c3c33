import { BufferPool } from '../../common/buffers/buffer-pool.ts';
import { detachBuffer } from '../../common/buffers/detach-buffer.ts';
import { BATCH_BYTES, type Batch, HEADROOM, MESSAGE_BYTES_MAX, RECORD_HEADER } from './batch.ts';
import type { SyslogHeader } from './header.ts';
import { isTimestamp, timestampBytes } from './timestamp.ts';

const SPACE = 0x20;
const DASH = 0x2d;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** About as many batches are in flight to the store at once under load. */
const POOLED_BUFFERS_MAX = 2;
/** What one line may need at the most beyond its own bytes, when everything missing is stamped. */
const STAMP_BYTES_MAX = 512;

/**
 * Collects lines into a batch: writes the source's name in place of the token, stamps what is missing, splits what is too long.
 * Reused for batch after batch.
 */
export class BatchBuilder {
  /** Of the buffer of a batch, unless one line alone needs more. */
  private readonly capacity: number;
  private bytes: Uint8Array;
  private end = HEADROOM;
  private readonly buffers = new BufferPool({ buffersMax: POOLED_BUFFERS_MAX });
  /** Buffers of this builder that batches hold now. */
  private readonly lentBuffers = new WeakSet<ArrayBufferLike>();
  /** Lines collected. */
  count = 0;

  constructor(capacity: number = BATCH_BYTES) {
    this.capacity = capacity;
    this.bytes = this.buffers.acquire(capacity);
  }

  /** Bytes collected, the headroom included. */
  get length(): number {
    return this.end;
  }

  /**
   * Adds the line `from[start, end)` whose header was scanned into `header`.
   *
   * @param source what to write as APP-NAME instead of the sender's (RFC 5424 section 6.2.5).
   * @param host what to write as HOSTNAME when the sender left it out.
   * @returns false when the batch is full: close this batch and add the line to the next one.
   */
  add(
    from: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    source: Uint8Array,
    host: Uint8Array,
  ): boolean {
    // The sender's line end, inside of a counted frame, isn't part of the message; encoders add their own.
    if (end > header.messageStart && from[end - 1] === NEWLINE) {
      end--;
      if (end > header.messageStart && from[end - 1] === RETURN) end--;
    }
    const hostStart = header.hostStart;
    const sourceStart = header.sourceStart;
    if (
      !header.complete ||
      end - header.messageStart > MESSAGE_BYTES_MAX ||
      (from[hostStart] === DASH && sourceStart - hostStart === 2) ||
      !isTimestamp(from, header.timeStart, hostStart - 1)
    )
      return this.addNormalized(from, start, end, header, source, host);

    const sourceLength = source.length;
    const shift = sourceLength - (header.dynoStart - 1 - sourceStart);
    const length = end - start + shift;
    const at = this.end;
    const text = at + RECORD_HEADER;
    const bytes = this.bytes;
    if (text + length > bytes.length) return false;
    this.writeRecordHeader(
      at,
      length,
      hostStart - start,
      sourceStart - start,
      header.msgidStart - start + shift,
      header.messageStart - start + shift,
    );
    const offset = from.byteOffset;
    bytes.set(new Uint8Array(from.buffer, offset + start, sourceStart - start), text);
    let o = text + sourceStart - start;
    for (let k = 0; k < sourceLength; k++) bytes[o++] = source[k];
    const rest = header.dynoStart - 1;
    bytes.set(new Uint8Array(from.buffer, offset + rest, end - rest), o);
    this.end = text + length;
    this.count++;
    return true;
  }

  /** Adds whole records, made by the WebAssembly fast path; false when they don't fit beside others. */
  addRecords(records: Uint8Array, count: number): boolean {
    const end = this.end + records.length;
    if (end > this.bytes.length) {
      if (this.count > 0) return false;
      this.growEmpty(end);
    }
    this.bytes.set(records, this.end);
    this.end = end;
    this.count += count;
    return true;
  }

  /** Takes back what was added after the first `count` lines, which take `length` bytes: records for {@link addRecords}. */
  takeBack(length: number, count: number): Uint8Array {
    const records = this.bytes.slice(length, this.end);
    this.end = length;
    this.count = count;
    return records;
  }

  /** Makes room for as much again as there is, for lines that must stay together. */
  extend(): void {
    const before = this.bytes;
    this.bytes = this.buffers.acquire(before.length * 2);
    this.bytes.set(before.subarray(0, this.end));
    this.buffers.release(before);
  }

  /** The collected lines as a batch; the builder is empty then. Returns undefined when there are none. */
  takeBatch(): Batch | undefined {
    if (this.count === 0) return undefined;
    const { bytes, end, count } = this;
    this.end = HEADROOM;
    this.count = 0;
    if (end * 2 < bytes.length) return { bytes: Buffer.from(bytes.subarray(0, end)), count };
    // More than half full: lend the buffer instead of copying it.
    this.lentBuffers.add(bytes.buffer);
    this.bytes = this.buffers.acquire(this.capacity);
    return { bytes: bytes.subarray(0, end), count };
  }

  /** The batch, which was closed here, isn't read any more: its buffer can be reused. */
  reclaim({ bytes }: Batch): void {
    const { buffer } = bytes;
    if (!this.lentBuffers.delete(buffer)) detachBuffer(bytes);
    else if (!this.buffers.release(bytes)) detachBuffer(Buffer.from(buffer));
  }

  private writeRecordHeader(
    at: number,
    length: number,
    host: number,
    source: number,
    msgid: number,
    message: number,
  ): void {
    const bytes = this.bytes;
    bytes[at] = length;
    bytes[at + 1] = length >> 8;
    bytes[at + 2] = length >> 16;
    bytes[at + 3] = 0;
    bytes[at + 4] = host;
    bytes[at + 5] = 0;
    bytes[at + 6] = source;
    bytes[at + 7] = source >> 8;
    bytes[at + 8] = msgid;
    bytes[at + 9] = msgid >> 8;
    bytes[at + 10] = message;
    bytes[at + 11] = message >> 8;
  }

  /** Makes room for what needs more than the capacity alone: nothing is collected yet. */
  private growEmpty(bytes: number): void {
    this.buffers.release(this.bytes);
    this.bytes = this.buffers.acquire(bytes);
  }

  /** The slow path, for a line with something missing, unreadable or too long. */
  private addNormalized(
    from: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    source: Uint8Array,
    host: Uint8Array,
  ): boolean {
    const messageLength = end - header.messageStart;
    const parts = Math.max(1, Math.ceil(messageLength / MESSAGE_BYTES_MAX));
    const need = end - start + parts * (RECORD_HEADER + header.messageStart - start + STAMP_BYTES_MAX);
    if (this.end + need > this.bytes.length) {
      if (this.count > 0) return false;
      this.growEmpty(HEADROOM + need);
    }
    let messageStart = header.messageStart;
    do {
      const messageEnd = splitEnd(from, messageStart, end);
      this.writeNormalized(from, start, header, source, host, messageStart, messageEnd);
      messageStart = messageEnd;
    } while (messageStart < end);
    return true;
  }

  private writeNormalized(
    from: Uint8Array,
    start: number,
    header: SyslogHeader,
    source: Uint8Array,
    host: Uint8Array,
    messageStart: number,
    messageEnd: number,
  ): void {
    const at = this.end;
    const text = at + RECORD_HEADER;
    this.end = text;
    this.put(from, start, header.timeStart);
    if (isTimestamp(from, header.timeStart, header.hostStart - 1))
      this.put(from, header.timeStart, header.hostStart);
    else this.putField(timestampBytes(Date.now()));
    const hostAt = this.end - text;
    if (isNil(from, header.hostStart, header.sourceStart - 1)) this.putField(host);
    else this.put(from, header.hostStart, header.sourceStart);
    const sourceAt = this.end - text;
    this.putField(source);
    this.putHeaderField(from, header.dynoStart, header.messageStart);
    const msgidAt = this.end - text;
    this.putHeaderField(from, header.msgidStart, header.messageStart);
    const sdEnd = trimSpace(from, header.sdStart, header.sdEnd);
    // Structured data goes with the first part of a split line only.
    if (sdEnd > header.sdStart && messageStart === header.messageStart)
      this.putField(from.subarray(header.sdStart, sdEnd));
    else this.putField(NIL);
    const messageAt = this.end - text;
    this.put(from, messageStart, messageEnd);
    this.writeRecordHeader(at, this.end - text, hostAt, sourceAt, msgidAt, messageAt);
    this.count++;
  }

  private put(from: Uint8Array, start: number, end: number): void {
    this.bytes.set(from.subarray(start, end), this.end);
    this.end += end - start;
  }

  private putField(field: Uint8Array): void {
    this.bytes.set(field, this.end);
    this.end += field.length;
    this.bytes[this.end++] = SPACE;
  }

  /** The header field that starts at `start`, or a NILVALUE when the line ended before it. */
  private putHeaderField(from: Uint8Array, start: number, headerEnd: number): void {
    let end = start;
    while (end < headerEnd && from[end] !== SPACE) end++;
    if (end > start) this.put(from, start, end);
    else this.bytes[this.end++] = DASH;
    this.bytes[this.end++] = SPACE;
  }
}

const NIL = new Uint8Array([DASH]);

function isNil(bytes: Uint8Array, start: number, end: number): boolean {
  return end <= start || (end - start === 1 && bytes[start] === DASH);
}

function trimSpace(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && bytes[end - 1] === SPACE) end--;
  return end;
}

/** Where the part of a message that starts at `start` ends: never inside of a UTF-8 character. */
function splitEnd(bytes: Uint8Array, start: number, end: number): number {
  if (end - start <= MESSAGE_BYTES_MAX) return end;
  let at = start + MESSAGE_BYTES_MAX;
  for (let back = 0; back < 3 && (bytes[at] & 0xc0) === 0x80; back++) at--;
  return (bytes[at] & 0xc0) === 0x80 ? start + MESSAGE_BYTES_MAX : at;
}
