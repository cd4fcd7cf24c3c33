/**
 * The embedded store's format on the disk: a folder an app under `streams/`, in it segments, files of entries, each
 * named after the first sequence in it and the bytes of the stream before it. An entry is a batch, with its header in the headroom:
 *
 *     u8 2 | u24 checksum | u32 lines | f64 stored at, ms | f64 bytes of the stream so far | f64 first sequence
 *
 * all little endian; how long a batch is follows from the bytes so far. A batch that was appended with a frame id has one more
 * entry before it: u8 3 | 3 × u8 0 | u32 bytes of the id | 24 × u8 0 | id.
 */
import { HEADROOM } from '../../../syslog/batch.ts';
import type { Sequence, StoredBatch } from '../../contract.ts';

const BATCH = 2;
const FRAME_ID = 3;
/** One word of every sector goes into the checksum: what a power cut leaves unwritten is whole sectors. */
const SECTOR_BYTES = 512;
/** Digits that hold every safe integer. */
const DIGITS = 16;

/** What the store writes into a batch's headroom. */
export interface EntryHeader {
  readonly count: number;
  readonly storedAtMs: number;
  /** Bytes of all batches ever appended to the stream, up to and with this one. */
  readonly bytesSoFar: number;
  readonly first: Sequence;
}

/** Where reading starts: an offset in a segment, and the bytes of the stream before it. */
export interface SegmentOffset {
  readonly offset: number;
  readonly bytesSoFar: number;
}

/** An entry of a segment. */
export interface SegmentEntry extends EntryHeader {
  /** Where it starts in the segment (with its frame id, if it has one), where its batch starts, and where it ends. */
  readonly start: number;
  readonly batchStart: number;
  readonly end: number;
  readonly last: Sequence;
  /** Bytes of all batches before it. */
  readonly bytesBefore: number;
  /** The id with which it was appended (`Logplex-Frame-Id`). */
  readonly frameId: string | undefined;
}

export function writeEntryHeader(bytes: Uint8Array, header: EntryHeader): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(4, header.count, true);
  view.setFloat64(8, header.storedAtMs, true);
  view.setFloat64(16, header.bytesSoFar, true);
  view.setFloat64(24, header.first, true);
  view.setUint32(0, BATCH | (checksum(bytes) << 8), true);
}

/** The batch as readers get it. */
export function toStoredBatch(bytes: Uint8Array, { count, first, storedAtMs }: EntryHeader): StoredBatch {
  return { bytes, count, first, last: first + count - 1, storedAtMs };
}

/** Is the batch intact? */
function isChecksumValid(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(0, true) >>> 8 === checksum(bytes);
}

/** Bytes of the entry that holds a frame id. */
export function frameIdEntryBytes(frameId: string): number {
  return HEADROOM + Buffer.byteLength(frameId);
}

/** The entry that holds a batch's frame id. */
export function encodeFrameIdEntry(frameId: string): Buffer {
  const text = Buffer.from(frameId);
  const entry = Buffer.alloc(HEADROOM + text.length);
  entry[0] = FRAME_ID;
  entry.writeUInt32LE(text.length, 4);
  text.copy(entry, HEADROOM);
  return entry;
}

/**
 * Reads the header of the entry at `at` of `bytes`, which hold a segment from `offset` on; `bytesBefore` are the bytes of the stream
 * before it. Undefined when the header isn't complete, or is none.
 */
export function parseEntry(
  bytes: Buffer,
  at: number,
  offset: number,
  bytesBefore: number,
): SegmentEntry | undefined {
  let head = at;
  let frameId: string | undefined;
  if (head + HEADROOM > bytes.length) return undefined;
  if (bytes[head] === FRAME_ID) {
    const length = bytes.readUInt32LE(head + 4);
    head += HEADROOM + length;
    if (head + HEADROOM > bytes.length) return undefined;
    frameId = bytes.toString('utf8', head - length, head);
  }
  if (bytes[head] !== BATCH) return undefined;
  const count = bytes.readUInt32LE(head + 4);
  const bytesSoFar = bytes.readDoubleLE(head + 16);
  const first = bytes.readDoubleLE(head + 24);
  const length = bytesSoFar - bytesBefore;
  if (!Number.isSafeInteger(length) || length < HEADROOM || !Number.isSafeInteger(first)) return undefined;
  return {
    start: offset + at,
    batchStart: offset + head,
    end: offset + head + length,
    count,
    storedAtMs: bytes.readDoubleLE(head + 8),
    bytesBefore,
    bytesSoFar,
    first,
    last: first + count - 1,
    frameId,
  };
}

/** The entries in `bytes`, which hold a segment from `from` on, and their batches, up to the first that isn't intact. */
export function* validEntries(
  bytes: Buffer,
  from: SegmentOffset,
): Generator<{ entry: SegmentEntry; batch: Buffer }> {
  const { offset } = from;
  let { bytesSoFar } = from;
  for (let at = 0; at < bytes.length; ) {
    const entry = parseEntry(bytes, at, offset, bytesSoFar);
    if (!entry || entry.end - offset > bytes.length) return;
    at = entry.end - offset;
    const batch = bytes.subarray(entry.batchStart - offset, at);
    if (!isChecksumValid(batch)) return;
    yield { entry, batch };
    ({ bytesSoFar } = entry);
  }
}

/** The name of a segment's file. */
export function segmentFileName(first: Sequence, bytesBefore: number): string {
  return `${String(first).padStart(DIGITS, '0')}-${String(bytesBefore).padStart(DIGITS, '0')}.log`;
}

/** Reads the name of a segment's file; undefined when it is none. */
export function parseSegmentFileName(name: string): { first: Sequence; bytesBefore: number } | undefined {
  const match = /^(\d{16})-(\d{16})\.log$/.exec(name);
  return match ? { first: Number(match[1]), bytesBefore: Number(match[2]) } : undefined;
}

/** 24 bits over the headroom after the first word, and a word of every sector. */
function checksum(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  for (let i = 4; i < HEADROOM; i++) sum = Math.imul(sum ^ bytes[i], 0x01000193);
  for (let i = HEADROOM; i < bytes.length; i += SECTOR_BYTES)
    sum = Math.imul(sum ^ bytes[i] ^ (bytes[i + 1] << 16) ^ (bytes[i + 2] << 8), 0x01000193);
  for (let i = Math.max(HEADROOM, bytes.length - 8); i < bytes.length; i++)
    sum = Math.imul(sum ^ bytes[i], 0x01000193);
  return (sum ^ (sum >>> 24)) & 0xffffff;
}
