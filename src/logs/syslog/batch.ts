/**
 * A batch: lines of one app, the unit that is stored, read and delivered.
 *
 * Its bytes are {@link HEADROOM} bytes for the store to fill in, then one record a line, little endian:
 *
 *     u32 text length | u8 host | u8 0 | u16 source | u16 msgid | u16 message | text
 *
 * `text` is the line in RFC 5424 form, `<PRI>1 TIME HOST SOURCE DYNO MSGID SD MESSAGE`, without a line end and
 * with the source's name where the sender wrote its token. The four offsets into it (of HOST, SOURCE, MSGID and
 * MESSAGE) let every encoder write its wire format with two or three copies and no parsing.
 */

import type { CountedMemory } from '../../common/buffers/counted-memory.ts';

/** Bytes in front of the records that belong to the store. */
export const HEADROOM = 32;
/** Bytes in front of a record's text. */
export const RECORD_HEADER = 12;
/** A message longer than this is split into several lines, as Heroku does. */
export const MESSAGE_BYTES_MAX = 10_000;
/** A batch is closed before it grows beyond this. */
export const BATCH_BYTES = 262_144;

/** Lines of one app, closed and ready for the store. */
export interface Batch {
  /** {@link HEADROOM} bytes, then the records. */
  readonly bytes: Uint8Array;
  /** Number of lines. */
  readonly count: number;
  /** Whoever reads {@link bytes} later retains it. Undefined: the garbage collector has them, as they are few. */
  readonly memory?: CountedMemory;
}

/** Where the fields of one line are; see {@link RecordCursor}. */
export class RecordCursor {
  private readonly bytes: Uint8Array;
  private next: number;
  private readonly end: number;
  /** Where the text starts and ends, absolute. */
  textStart = 0;
  textEnd = 0;
  /** Where HOST, SOURCE, MSGID and MESSAGE start, absolute. */
  hostStart = 0;
  sourceStart = 0;
  msgidStart = 0;
  messageStart = 0;

  constructor(bytes: Uint8Array, start: number = HEADROOM, end: number = bytes.length) {
    this.bytes = bytes;
    this.next = start;
    this.end = end;
  }

  /** Moves to the next line; false at the end of the batch. */
  advance(): boolean {
    let i = this.next;
    if (i >= this.end) return false;
    const bytes = this.bytes;
    const length = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16);
    const text = i + RECORD_HEADER;
    this.hostStart = text + bytes[i + 4];
    i += 6;
    this.sourceStart = text + (bytes[i] | (bytes[i + 1] << 8));
    this.msgidStart = text + (bytes[i + 2] | (bytes[i + 3] << 8));
    this.messageStart = text + (bytes[i + 4] | (bytes[i + 5] << 8));
    this.textStart = text;
    this.textEnd = text + length;
    this.next = text + length;
    return true;
  }

  /** Moves over `count` lines, looking only at their lengths. */
  skip(count: number): void {
    const bytes = this.bytes;
    let i = this.next;
    for (let left = count; left > 0 && i < this.end; left--)
      i += RECORD_HEADER + (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16));
    this.next = i;
  }

  /** Where the next record ends, absolute; there has to be one. */
  peekEnd(): number {
    const { bytes, next: i } = this;
    return i + RECORD_HEADER + (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16));
  }

  /** Where the record after this one starts, absolute. */
  get nextStart(): number {
    return this.next;
  }
}

/** Where the record that begins at `at` ends: its header, and the text whose length is in it. */
export function recordEnd(bytes: Uint8Array, at: number): number {
  return at + RECORD_HEADER + (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16));
}
