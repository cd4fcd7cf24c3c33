/**
 * Compresses a batch's records for Redis, where memory and network are expensive: neighboring lines mostly have the
 * same host, source, dyno and nearly the same time, so a line is written as its difference from the one before (delta encoding).
 *
 * A line, with P = length of the prefix that it shares with the line before (0 to 127):
 *
 *     u8 P         | varint text length | text[P, HOST) | text[MESSAGE, end)                 HOST … SD as before
 *     u8 128 + P   | varint text length | u8 host | u16 source | u16 msgid | u16 message | text[P, end)
 *
 * Varints are LEB128, the rest is little endian. No line grows by this.
 */
import { HEADROOM, RECORD_HEADER } from '../../syslog/batch.ts';

const SHARED_MAX = 127;
const OTHER_FIELDS = 128;

/**
 * More than what is written of a line's header can be ahead of what was read of it. Bytes are moved within one buffer: a view of
 * each line would be an object for the garbage collector.
 */
const SLACK = 512;

/** The records of a batch, packed. */
export function packRecords(batch: Uint8Array): Buffer {
  const out = Buffer.allocUnsafeSlow(batch.length);
  return out.subarray(0, packRecordsInto(batch, out, 0));
}

/**
 * Packs the records of a batch.
 * @param out has room for the whole batch from `start` on.
 * @returns where the packed records end.
 */
export function packRecordsInto(batch: Uint8Array, out: Uint8Array, start: number): number {
  const size = batch.length;
  // No line grows: what is written never reaches what is still to be read.
  out.set(batch, start);
  let o = start;
  // The line before: where its text starts, and its fields; none at first.
  let before = HEADROOM;
  let beforeLength = 0;
  let beforeFields = -1;
  for (let i = HEADROOM; i < size; ) {
    const length = batch[i] | (batch[i + 1] << 8) | (batch[i + 2] << 16);
    const text = i + RECORD_HEADER;
    const host = batch[i + 4];
    const message = batch[i + 10] | (batch[i + 11] << 8);
    const same = beforeFields !== -1 && sameFields(batch, i, beforeFields, text, before, host, message);
    let limit = same ? host : length;
    if (limit > beforeLength) limit = beforeLength;
    if (limit > SHARED_MAX) limit = SHARED_MAX;
    let shared = 0;
    while (shared < limit && batch[text + shared] === batch[before + shared]) shared++;

    out[o++] = same ? shared : OTHER_FIELDS + shared;
    let rest = length;
    while (rest > 127) {
      out[o++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    out[o++] = rest;
    if (same) {
      for (let k = shared; k < host; k++) out[o++] = batch[text + k];
      out.copyWithin(o, start + text + message, start + text + length);
      o += length - message;
    } else {
      out[o++] = host;
      for (let k = 6; k < RECORD_HEADER; k++) out[o++] = batch[i + k];
      out.copyWithin(o, start + text + shared, start + text + length);
      o += length - shared;
    }
    beforeFields = i;
    before = text;
    beforeLength = length;
    i = text + length;
  }
  return o;
}

/** The batch of `size` bytes, headroom included, from its packed records. */
export function unpackRecords(packed: Buffer, size: number): Buffer {
  const end = size + SLACK;
  const out = Buffer.allocUnsafeSlow(end);
  out.fill(0, 0, HEADROOM);
  // What is still to be read is never longer than what is still to be written, so that the one doesn't reach the other.
  out.set(packed, end - packed.length);
  let before = HEADROOM;
  let o = HEADROOM;
  for (let i = end - packed.length; i < end; ) {
    const first = out[i++];
    const shared = first & SHARED_MAX;
    let length = 0;
    let byte: number;
    let shift = 0;
    do {
      byte = out[i++];
      length |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    const text = o + RECORD_HEADER;
    const host = first < OTHER_FIELDS ? out[before - RECORD_HEADER + 4] : out[i++];
    out[o] = length;
    out[o + 1] = length >> 8;
    out[o + 2] = length >> 16;
    out[o + 3] = 0;
    out[o + 5] = 0;
    if (first < OTHER_FIELDS) {
      const fields = before - RECORD_HEADER;
      const message = out[fields + 10] | (out[fields + 11] << 8);
      out[o + 4] = host;
      for (let k = 6; k < RECORD_HEADER; k++) out[o + k] = out[fields + k];
      // All of the old header, then what differs in it.
      out.copyWithin(text, before, before + message);
      for (let k = shared; k < host; k++) out[text + k] = out[i++];
      out.copyWithin(text + message, i, i + length - message);
      i += length - message;
    } else {
      out[o + 4] = host;
      for (let k = 6; k < RECORD_HEADER; k++) out[o + k] = out[i++];
      out.copyWithin(text, before, before + shared);
      out.copyWithin(text + shared, i, i + length - shared);
      i += length - shared;
    }
    before = text;
    o = text + length;
  }
  return out.subarray(0, size);
}

/** Do two records have the same fields at the same offsets, from HOST to before the message? */
function sameFields(
  batch: Uint8Array,
  record: number,
  beforeRecord: number,
  text: number,
  before: number,
  host: number,
  message: number,
): boolean {
  if (host !== batch[beforeRecord + 4] || message < host) return false;
  for (let k = 6; k < RECORD_HEADER; k++) if (batch[record + k] !== batch[beforeRecord + k]) return false;
  for (let k = host; k < message; k++) if (batch[text + k] !== batch[before + k]) return false;
  return true;
}
