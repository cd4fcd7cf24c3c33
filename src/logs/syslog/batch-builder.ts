import { BufferPool } from '../../common/buffers/buffer-pool.ts';
import { CountedMemory } from '../../common/buffers/counted-memory.ts';
import { detachBuffer } from '../../common/buffers/detach-buffer.ts';
import { BATCH_BYTES, type Batch, HEADROOM, MESSAGE_BYTES_MAX, RECORD_HEADER } from './batch.ts';
import {
  HOSTNAME_BYTES_MAX,
  MSGID_BYTES_MAX,
  NIL,
  PROCID_BYTES_MAX,
  writeHeaderField,
} from './fields/header-field.ts';
import { STRUCTURED_DATA_BYTES_MAX, writeStructuredData } from './fields/structured-data.ts';
import { maskTokens } from './fields/token-text.ts';
import type { SyslogHeader } from './header.ts';
import { isTimestamp, repairTimestamp, timestampBytes } from './timestamp.ts';
import { OpenBatchCell, openBatchBuffers } from './wasm/open-batches.ts';
import type { OpenCell } from './wasm/wasm-codec.ts';

const SPACE = 0x20;
const DASH = 0x2d;
const ZERO = 0x30;
const ONE = 0x31;
const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Of the first buffer: many apps have a line now and then, and a busy one's buffer grows. */
const FIRST_BYTES = 1_024;
/** Of the second one: that of an app that has some lines. */
const SECOND_BYTES = 4_096;
/** Of the third: that of each app when thousands have lines over a hundred connections. */
const THIRD_BYTES = 16_384;
/** As many apps may have lines in one turn of the event loop. */
const FIRST_BUFFERS_MAX = 16_384;
const SECOND_BUFFERS_MAX = 16_384;
const THIRD_BUFFERS_MAX = 2_048;
/** Buffers that a builder keeps, while they grow. */
const POOLED_BUFFERS_MAX = 2;
/** Those that are as large as they get, 16 MB: as many as are written at a time and as a reader keeps may come back at once. */
const FULL_BUFFERS_MAX = 64;
/** What a stored header takes at the most, without structured data. */
const HEADER_FIELDS_BYTES_MAX = 64 + HOSTNAME_BYTES_MAX + PROCID_BYTES_MAX + MSGID_BYTES_MAX;

/** Of a builder that is empty. */
const NO_BYTES = Buffer.alloc(0);
/**
 * First buffers, of all builders: an app that has no lines now holds none. What was used last is used first, so that those that are in use
 * stay in the processor's cache.
 */
const firstBuffers = openBatchBuffers(FIRST_BYTES, FIRST_BUFFERS_MAX);
/** The next larger ones, likewise. */
const secondBuffers = openBatchBuffers(SECOND_BYTES, SECOND_BUFFERS_MAX);
const thirdBuffers = openBatchBuffers(THIRD_BYTES, THIRD_BUFFERS_MAX);
/** Those of full batches, of all builders. */
const fullBuffers = new BufferPool({ buffersMax: FULL_BUFFERS_MAX });

/**
 * Collects lines into a batch: writes the source's name in place of the token, stamps what is missing, splits what is too long. The
 * one place where a stored header is made: its fields are PRINTUSASCII within the lengths of RFC 5424 section 6, and no token is in
 * it. Reused for batch after batch.
 */
export class BatchBuilder {
  /** The last batch was more than a first buffer holds: this one begins with a second one, if there is one. */
  private beginsLarge = false;
  /** Of the buffer of a batch, unless one line alone needs more. */
  private readonly capacity: number;
  private bytes: Buffer = NO_BYTES;
  private end = HEADROOM;
  /** Larger than first ones; made when one is needed. */
  private largeBuffers: BufferPool | undefined;
  /** Lines collected, but for those that were appended where {@link cell} says. */
  private lines = 0;
  /** Where the fast path appends records while {@link isOpen}. */
  private cell: OpenBatchCell | undefined;
  private isOpen = false;
  /** Told of lines that were appended there, with the bytes that they had, when it isn't open any more. */
  onAppended: ((lines: number, lineBytes: number) => void) | undefined;

  constructor(capacity: number = BATCH_BYTES) {
    this.capacity = capacity;
  }

  /** Bytes collected, the headroom included. */
  get length(): number {
    this.close();
    return this.end;
  }

  /** Lines collected. */
  get count(): number {
    this.close();
    return this.lines;
  }

  get isEmpty(): boolean {
    return this.lines === 0;
  }

  /** It needs more memory than that of an app with a line now and then. */
  get hasGrown(): boolean {
    return this.bytes.length > (this.beginsLarge ? SECOND_BYTES : FIRST_BYTES);
  }

  /** Where lines may be appended, as long as it is open for that, once it was {@link open}. */
  get openCell(): OpenCell | undefined {
    return this.cell;
  }

  /** Lets the fast path append records to the batch, until anything else is done with it. There are some lines in it already. */
  open(): void {
    if (this.isOpen || this.lines === 0) return;
    this.cell ??= OpenBatchCell.acquire();
    this.isOpen = this.cell?.open(this.bytes, this.end) ?? false;
  }

  /** The fast path appends nothing to it any more. */
  discardCell(): void {
    this.close();
    this.cell?.giveBack();
    this.cell = undefined;
  }

  private close(): void {
    const { cell } = this;
    if (!this.isOpen || !cell) return;
    this.isOpen = false;
    this.end = cell.end(this.bytes);
    cell.close();
    const { lines } = cell;
    if (lines === 0) return;
    this.lines += lines;
    this.onAppended?.(lines, cell.lineBytes);
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
    this.close();
    const frameEnd = end;
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
      return this.addNormalized(from, end, header, source, host);

    const sourceLength = source.length;
    const shift = sourceLength - (header.dynoStart - 1 - sourceStart);
    const length = end - start + shift;
    const at = this.end;
    const text = at + RECORD_HEADER;
    const bytes = this.bytes;
    if (text + length > bytes.length)
      return this.grow(text + length) && this.add(from, start, frameEnd, header, source, host);
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
    this.lines++;
    return true;
  }

  /** Can it take these records and stay in the fast path's memory? An empty one can. */
  fitsSmall(records: Uint8Array): boolean {
    if (this.lines === 0) return true;
    this.close();
    const { bytes, end } = this;
    if (end + records.length <= bytes.length) return true;
    const larger = bytes.length === FIRST_BYTES ? secondBuffers : thirdBuffers;
    return bytes.length <= SECOND_BYTES && larger.hasFree;
  }

  /** Adds whole records, made by the WebAssembly fast path; false when they don't fit beside others. */
  addRecords(records: Uint8Array, count: number): boolean {
    this.close();
    const end = this.end + records.length;
    if (end > this.bytes.length && !this.grow(end)) {
      if (this.lines > 0) return false;
      this.growEmpty(end);
    }
    this.bytes.set(records, this.end);
    this.end = end;
    this.lines += count;
    return true;
  }

  /** Takes back what was added after the first `count` lines, which take `length` bytes: records for {@link addRecords}. */
  takeBack(length: number, count: number): Uint8Array {
    this.close();
    const records = this.bytes.slice(length, this.end);
    this.end = length;
    this.lines = count;
    return records;
  }

  /** Makes room for as much again as there is, for lines that must stay together. */
  extend(): void {
    this.close();
    const before = this.bytes;
    this.bytes = this.acquire(2 * Math.max(before.length, FIRST_BYTES));
    this.copyFrom(before);
  }

  /** The collected lines as a batch; the builder is empty then. Returns undefined when there are none. */
  takeBatch(): Batch | undefined {
    if (this.lines === 0) return undefined;
    this.close();
    const { bytes, end, lines: count } = this;
    this.beginsLarge = end > FIRST_BYTES;
    this.end = HEADROOM;
    this.lines = 0;
    const isSmall = bytes.length <= THIRD_BYTES;
    if (!isSmall && end * 2 < bytes.length) {
      const copy = Buffer.from(bytes.subarray(0, end));
      const isOwn = copy.length === copy.buffer.byteLength;
      return { bytes: copy, count, memory: isOwn ? new CountedMemory(copy, detachBuffer) : undefined };
    }
    // Small, or more than half full: lend the buffer instead of copying it.
    this.bytes = isSmall ? NO_BYTES : this.acquire(Math.min(bytes.length, this.capacity));
    const lent = new Uint8Array(bytes.buffer, bytes.byteOffset, end);
    return { bytes: lent, count, memory: new CountedMemory(bytes, this.takeBackBuffer) };
  }

  /** A buffer that was lent isn't read any more. */
  private readonly takeBackBuffer = (bytes: Uint8Array): void => {
    const buffer = bytes as Buffer; // it was acquired here
    if (!this.release(buffer)) detachBuffer(buffer);
  };

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

  /** Takes a larger buffer, as long as `bytes` are within the capacity: false when they aren't. */
  private grow(bytes: number): boolean {
    if (bytes > this.capacity) return false;
    const before = this.bytes;
    const isFirst =
      before.length === 0 && bytes <= FIRST_BYTES && !(this.beginsLarge && secondBuffers.hasFree);
    let wanted = isFirst ? FIRST_BYTES : 4 * Math.max(before.length, FIRST_BYTES);
    // One of the sizes of which there are pools.
    while (wanted < bytes) wanted *= 4;
    this.bytes = this.acquire(Math.min(this.capacity, wanted));
    this.copyFrom(before);
    return true;
  }

  /** What was collected in another buffer, which isn't needed any more. */
  private copyFrom(before: Buffer): void {
    if (before.length === 0) return;
    this.bytes.set(before.subarray(0, this.end));
    this.release(before);
  }

  private acquire(bytes: number): Buffer {
    if (bytes === FIRST_BYTES) return firstBuffers.acquire();
    if (bytes === SECOND_BYTES) return secondBuffers.acquire();
    if (bytes === THIRD_BYTES) return thirdBuffers.acquire();
    if (bytes === BATCH_BYTES) return fullBuffers.acquire(bytes);
    this.largeBuffers ??= new BufferPool({ buffersMax: POOLED_BUFFERS_MAX });
    return this.largeBuffers.acquire(bytes);
  }

  /** @returns whether it is kept */
  private release(bytes: Buffer): boolean {
    const byteLength = bytes.length;
    if (byteLength === FIRST_BYTES) return firstBuffers.release(bytes);
    if (byteLength === SECOND_BYTES) return secondBuffers.release(bytes);
    if (byteLength === THIRD_BYTES) return thirdBuffers.release(bytes);
    if (byteLength === BATCH_BYTES) return fullBuffers.release(bytes);
    return this.largeBuffers?.release(bytes) ?? false;
  }

  /** Makes room for what needs more than the capacity alone: nothing is collected yet. */
  private growEmpty(bytes: number): void {
    this.release(this.bytes);
    this.bytes = this.acquire(bytes);
  }

  /** The slow path, for a line with something missing, unreadable or too long. */
  private addNormalized(
    from: Uint8Array,
    end: number,
    header: SyslogHeader,
    source: Uint8Array,
    host: Uint8Array,
  ): boolean {
    const { sdStart } = header;
    let sdEnd = trimSpace(from, sdStart, header.sdEnd);
    let message = from;
    let at = header.messageStart;
    let messageEnd = Math.max(end, at);
    if (header.mayHoldToken) {
      message = maskTokens(from, at, messageEnd);
      at = 0;
      messageEnd = message.length;
    }
    if (sdEnd - sdStart > STRUCTURED_DATA_BYTES_MAX) {
      // More than a header holds: it goes in front of the message.
      const data = Buffer.allocUnsafe(sdEnd - sdStart);
      const dataEnd = writeStructuredData(from, sdStart, sdEnd, data, 0);
      message = Buffer.concat([data.subarray(0, dataEnd), SPACE_BYTES, message.subarray(at, messageEnd)]);
      at = 0;
      messageEnd = message.length;
      sdEnd = sdStart;
    }
    const length = messageEnd - at;
    // A part may be up to three bytes shorter, so that there is one more.
    const parts = length > MESSAGE_BYTES_MAX ? Math.ceil(length / MESSAGE_BYTES_MAX) + 1 : 1;
    const headerBytes = RECORD_HEADER + HEADER_FIELDS_BYTES_MAX + source.length;
    const need = length + sdEnd - sdStart + parts * headerBytes;
    if (this.end + need > this.bytes.length && !this.grow(this.end + need)) {
      if (this.lines > 0) return false;
      this.growEmpty(HEADROOM + need);
    }
    do {
      const partEnd = splitEnd(message, at, messageEnd);
      this.writeNormalized(from, header, sdEnd, source, host, message, at, partEnd);
      // Structured data goes with the first part of a split line only.
      sdEnd = sdStart;
      at = partEnd;
    } while (at < messageEnd);
    return true;
  }

  private writeNormalized(
    from: Uint8Array,
    header: SyslogHeader,
    sdEnd: number,
    source: Uint8Array,
    host: Uint8Array,
    message: Uint8Array,
    partStart: number,
    partEnd: number,
  ): void {
    const { timeStart, hostStart, sourceStart, dynoStart, msgidStart, sdStart, messageStart } = header;
    const at = this.end;
    const text = at + RECORD_HEADER;
    this.end = text;
    this.putPriority(header.priority);
    if (isTimestamp(from, timeStart, hostStart - 1)) this.put(from, timeStart, hostStart);
    else this.putField(repairTimestamp(from, timeStart, hostStart - 1) ?? timestampBytes(Date.now()));
    const hostAt = this.end - text;
    this.putHeaderField(from, hostStart, sourceStart - 1, HOSTNAME_BYTES_MAX, host);
    const sourceAt = this.end - text;
    this.putField(source);
    this.putHeaderField(from, dynoStart, fieldEnd(from, dynoStart, messageStart), PROCID_BYTES_MAX, NIL);
    const msgidAt = this.end - text;
    this.putHeaderField(from, msgidStart, fieldEnd(from, msgidStart, messageStart), MSGID_BYTES_MAX, NIL);
    const sdAt = this.end;
    if (header.hasCleanData) this.put(from, sdStart, sdEnd);
    else this.end = writeStructuredData(from, sdStart, sdEnd, this.bytes, sdAt);
    if (this.end === sdAt) this.bytes[this.end++] = DASH;
    this.bytes[this.end++] = SPACE;
    const messageAt = this.end - text;
    this.put(message, partStart, partEnd);
    this.writeRecordHeader(at, this.end - text, hostAt, sourceAt, msgidAt, messageAt);
    this.lines++;
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

  /** A header field as it is stored, or `missing` when there is nothing in it. */
  private putHeaderField(
    from: Uint8Array,
    start: number,
    end: number,
    max: number,
    missing: Uint8Array,
  ): void {
    const at = this.end;
    this.end = writeHeaderField(from, start, end, max, this.bytes, at);
    if (this.end === at) this.putField(missing);
    else this.bytes[this.end++] = SPACE;
  }

  /** `<PRI>1 ` (RFC 5424 section 6.2.1). */
  private putPriority(priority: number): void {
    const { bytes } = this;
    let i = this.end;
    bytes[i++] = LESS_THAN;
    if (priority >= 100) bytes[i++] = ONE;
    if (priority >= 10) bytes[i++] = ZERO + (((priority % 100) / 10) | 0);
    bytes[i++] = ZERO + (priority % 10);
    bytes[i++] = GREATER_THAN;
    bytes[i++] = ONE;
    bytes[i++] = SPACE;
    this.end = i;
  }
}

const SPACE_BYTES = new Uint8Array([SPACE]);

/** Where the field that starts at `start` ends: at the next space, or with the header. */
function fieldEnd(bytes: Uint8Array, start: number, headerEnd: number): number {
  let i = start;
  while (i < headerEnd && bytes[i] !== SPACE) i++;
  return i;
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
