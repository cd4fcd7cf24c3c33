/**
 * The embedded store's format on the disk: a folder an app under `streams/`, in it segments, files of entries, each
 * named after the first sequence in it and the bytes of the stream before it. An entry is a batch, with its header in the headroom:
 *
 *     u8 4 | u24 lines | u32 CRC-32 | u32 bytes of the batch | u48 stored at, ms | u56 bytes of the stream so far | u56 first sequence
 *
 * all little endian; with 8 in place of the 4, lines of the batch were deleted: of their records all but the length is zeros. A batch that was appended with a frame id has one more entry before it:
 *
 *     u8 5 | 3 × u8 0 | u32 CRC-32 | u32 bytes of the id | 20 × u8 0 | id
 *
 * A CRC is that of the app's id and the whole entry, with zeros in its own place: every flipped bit is noticed, and a file of another app.
 */
import { HEADROOM, RECORD_HEADER, recordEnd } from '../../../syslog/batch.ts';
import type { AppId, Sequence, StoredBatch } from '../../contract.ts';
import { crc32 } from '../checksum.ts';
import {
  isLegacyBatchIntact,
  LEGACY_BATCH,
  LEGACY_FRAME_ID,
  parseLegacyBatch,
  type SizedHeader,
} from './legacy-entry.ts';

const BATCH = 4;
const FRAME_ID = 5;
/** A batch of which lines were deleted: their records are as long as they were, and their texts are zeros. 6 and 7 are the commit log's. */
const HOLED = 8;
const CRC_AT = 4;
/** Of a record, what says how long it is. */
const LENGTH_BYTES = 3;
/** Digits that hold every safe integer. */
const DIGITS = 16;
const TWO_TO_32 = 4_294_967_296;
/** No frame id is longer: a length above it is damage. */
const FRAME_ID_BYTES_MAX = 65_536;
/** Nothing is stored outside of these years: the times of candidates for a header. */
const STORED_AT_MIN_MS = Date.UTC(2000, 0);
const STORED_AT_MAX_MS = Date.UTC(2300, 0);

/** What the store writes into a batch's headroom. */
export interface EntryHeader {
  readonly count: number;
  readonly storedAtMs: number;
  /** Bytes of all batches ever appended to the stream, up to and with this one. */
  readonly bytesSoFar: number;
  readonly first: Sequence;
}

/** Of a header, what readers get. */
type BatchNumbers = Pick<EntryHeader, 'count' | 'first' | 'storedAtMs'>;

/** An end of a stream. */
export interface StreamEnd {
  /** The next sequence: above every one that was ever given to a line. */
  readonly next: Sequence;
  /** Bytes of all batches ever appended. */
  readonly bytesSoFar: number;
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

/** A batch that has its sequences, and what its entry says of it. */
export interface AllocatedBatch {
  readonly stored: StoredBatch;
  /** Bytes of its stream up to and with it. */
  readonly bytesSoFar: number;
  readonly frameId: string | undefined;
}

/** What the checksums of an app's entries begin with. */
export function checksumSeed(app: AppId): number {
  return crc32(Buffer.from(app));
}

/** @param seed of the app, {@link checksumSeed} */
export function writeEntryHeader(
  bytes: Uint8Array,
  header: EntryHeader,
  seed: number,
  isHoled = false,
): void {
  const { count, storedAtMs, bytesSoFar, first } = header;
  setUint32(bytes, 0, (isHoled ? HOLED : BATCH) | (count << 8));
  setUint32(bytes, CRC_AT, 0);
  setUint32(bytes, 8, bytes.length);
  const storedAtHigh = Math.floor(storedAtMs / TWO_TO_32);
  setUint32(bytes, 12, storedAtMs % TWO_TO_32);
  bytes[16] = storedAtHigh;
  bytes[17] = storedAtHigh >>> 8;
  setUint56(bytes, 18, bytesSoFar);
  setUint56(bytes, 25, first);
  setUint32(bytes, CRC_AT, crc32(bytes, seed));
}

/** The batch as readers get it. */
export function toStoredBatch(bytes: Uint8Array, { count, first, storedAtMs }: BatchNumbers): StoredBatch {
  return { bytes, count, first, last: first + count - 1, storedAtMs };
}

/** Is the entry at `at` a batch of which lines were deleted? */
export function isHoled(bytes: Uint8Array, at = 0): boolean {
  return bytes[at] === HOLED;
}

/** Of an entry of which lines were deleted, what readers get: batches of what is left, and without lines in the place of the others (`contract.ts`). */
export function splitHoled(bytes: Uint8Array, { first, storedAtMs }: BatchNumbers): StoredBatch[] {
  const found: StoredBatch[] = [];
  let at = HEADROOM;
  let index = 0;
  while (at < bytes.length) {
    const isGap = isErased(bytes, at);
    const [start, from] = [at, index];
    for (; at < bytes.length && isErased(bytes, at) === isGap; index++) at = recordEnd(bytes, at);
    const last = first + index - 1;
    const records = isGap ? bytes.subarray(0, 0) : bytes.subarray(start, at);
    const own = Buffer.concat([Buffer.alloc(HEADROOM), records]);
    found.push({ bytes: own, count: isGap ? 0 : index - from, first: first + from, last, storedAtMs });
  }
  return found;
}

/**
 * Erases lines from an intact entry of a batch, in place: it stays as long as it is.
 * @param isDeleted by the sequence of a line
 * @returns how many lines were erased that weren't before
 */
export function eraseLines(
  batch: Buffer,
  header: EntryHeader,
  seed: number,
  isDeleted: (sequence: Sequence) => boolean,
): number {
  let erased = 0;
  for (let at = HEADROOM, sequence = header.first; at < batch.length; sequence++) {
    const end = recordEnd(batch, at);
    if (!isErased(batch, at) && isDeleted(sequence)) {
      batch.fill(0, at + LENGTH_BYTES, end);
      erased++;
    }
    at = end;
  }
  if (erased > 0) writeEntryHeader(batch, header, seed, true);
  return erased;
}

/** Bytes of an entry in the place of so many lines that were deleted in another store. */
export function erasedRecords(count: number): Buffer {
  return Buffer.alloc(HEADROOM + count * RECORD_HEADER);
}

/** Every line begins with `<`. */
function isErased(bytes: Uint8Array, at: number): boolean {
  return recordEnd(bytes, at) === at + RECORD_HEADER || bytes[at + RECORD_HEADER] === 0;
}

/** Bytes of the entry that holds a frame id. */
export function frameIdEntryBytes(frameId: string): number {
  return HEADROOM + Buffer.byteLength(frameId);
}

/** The entry that holds a batch's frame id. */
export function encodeFrameIdEntry(frameId: string, seed: number): Buffer {
  const text = Buffer.from(frameId);
  const entry = Buffer.alloc(HEADROOM + text.length);
  entry[0] = FRAME_ID;
  entry.writeUInt32LE(text.length, 8);
  text.copy(entry, HEADROOM);
  entry.writeUInt32LE(crc32(entry, seed), CRC_AT);
  return entry;
}

/**
 * Reads the header of the entry at `at` of `bytes`, which hold a segment from `offset` on; `bytesBefore` are the bytes of the stream
 * before it. Undefined when the header isn't complete, is none, or doesn't belong there. It says nothing about the bytes behind it.
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
  const idBytes = leadingFrameIdBytes(bytes, at);
  if (idBytes > 0) {
    head += idBytes;
    if (idBytes > FRAME_ID_BYTES_MAX || head + HEADROOM > bytes.length) return undefined;
    frameId = bytes.toString('utf8', at + HEADROOM, head);
  }
  const header = parseHeader(bytes, head, bytesBefore);
  if (!header || header.bytesSoFar - header.length !== bytesBefore) return undefined;
  const { count, storedAtMs, bytesSoFar, first, length } = header;
  return {
    start: offset + at,
    batchStart: offset + head,
    end: offset + head + length,
    count,
    storedAtMs,
    bytesBefore,
    bytesSoFar,
    first,
    last: first + count - 1,
    frameId,
  };
}

/** The entry at `at` of bytes that are known to be entries. @param offset where these begin in what the entry's places are in */
export function readKnownEntry(bytes: Buffer, at: number, offset: number): SegmentEntry {
  const entry = findKnownEntry(bytes, at, offset);
  if (!entry) throw new Error('there is no entry');
  return entry;
}

/** The entry at `at` of bytes that were entries, as its header says; undefined when that is none. */
export function findKnownEntry(bytes: Buffer, at: number, offset: number): SegmentEntry | undefined {
  const head = at + leadingFrameIdBytes(bytes, at);
  if (head + HEADROOM > bytes.length) return undefined;
  const bytesSoFar = readUint56(bytes, head + 18);
  return parseEntry(bytes, at, offset, bytesSoFar - bytes.readUInt32LE(head + 8));
}

/**
 * Are these bytes entries one behind the other, from one end of a stream up to another? By their headers: of what they hold their checksums tell. Numbers
 * may be left out, as in the store that a stream was copied from.
 */
export function isChainOfEntries(bytes: Buffer, from: StreamEnd, to: StreamEnd): boolean {
  let { next, bytesSoFar } = from;
  for (let at = 0; at < bytes.length; ) {
    const head = at + leadingFrameIdBytes(bytes, at);
    if (head + HEADROOM > bytes.length || (bytes[head] !== BATCH && bytes[head] !== HOLED)) return false;
    const length = bytes.readUInt32LE(head + 8);
    bytesSoFar += length;
    const first = readUint56(bytes, head + 25);
    if (length < HEADROOM || readUint56(bytes, head + 18) !== bytesSoFar || first < next) return false;
    next = first + bytes.readUIntLE(head + 1, 3);
    at = head + length;
    if (at > bytes.length) return false;
  }
  return next === to.next && bytesSoFar === to.bytesSoFar;
}

/** Where the entry ends that begins at `at` of such bytes. */
export function knownEntryEnd(bytes: Buffer, at: number): number {
  const head = at + leadingFrameIdBytes(bytes, at);
  return head + bytes.readUInt32LE(head + 8);
}

/** The last line of the entry that begins at `at` of such bytes. */
export function knownEntryLast(bytes: Buffer, at: number): Sequence {
  const head = at + leadingFrameIdBytes(bytes, at);
  return readUint56(bytes, head + 25) + bytes.readUIntLE(head + 1, 3) - 1;
}

/**
 * Is the entry intact? `bytes` hold the segment from `offset` on, and all of the entry. A frame id that isn't takes its batch's entry along:
 * the batch is found behind it.
 */
export function isIntact(
  bytes: Buffer,
  { start, batchStart, end }: SegmentEntry,
  offset: number,
  seed: number,
): boolean {
  const batch = bytes.subarray(batchStart - offset, end - offset);
  if (batch[0] === LEGACY_BATCH) return isLegacyBatchIntact(batch);
  return (
    isChecksumValid(batch, seed) &&
    (start === batchStart || isChecksumValid(bytes.subarray(start - offset, batchStart - offset), seed))
  );
}

/** The next byte from `at` on with which an entry may begin, or the end: those of lines' texts are none. */
export function nextEntryType(bytes: Uint8Array, at: number): number {
  let next = at;
  while (next < bytes.length && !isEntryType(bytes[next])) next++;
  return next;
}

function isEntryType(byte: number): boolean {
  return byte === HOLED || (byte >= LEGACY_BATCH && byte <= FRAME_ID);
}

/**
 * The bytes of the stream before the entry that may begin at `at` of bytes after damage; undefined when none can. Whether one does, its
 * checksum tells.
 * @param expected the bytes of the stream before it, if the damaged bytes were batches without frame ids
 * @param bytesBeforeMin what was before the damage: it can't be less
 */
export function bytesBeforeCandidate(
  bytes: Buffer,
  at: number,
  expected: number,
  bytesBeforeMin: number,
): number | undefined {
  if (!isEntryType(bytes[at])) return undefined;
  const idBytes = leadingFrameIdBytes(bytes, at);
  const head = at + idBytes;
  if (idBytes > FRAME_ID_BYTES_MAX || head + HEADROOM > bytes.length) return undefined;
  const header = parseHeader(bytes, head, expected);
  if (!header) return undefined;
  const { count, length, bytesSoFar, storedAtMs } = header;
  const bytesBefore = bytesSoFar - length;
  if (count === 0 || storedAtMs < STORED_AT_MIN_MS || storedAtMs > STORED_AT_MAX_MS) return undefined;
  return bytesBefore >= bytesBeforeMin && head + length <= bytes.length ? bytesBefore : undefined;
}

/** Does a segment with this first entry have the name that it should? Version 0.1 named some after a line before their first one. */
export function isNamedAfter(bytes: Buffer, { batchStart, first }: SegmentEntry, named: Sequence): boolean {
  return bytes[batchStart] === LEGACY_BATCH ? first >= named : first === named;
}

/** Bytes of the entry with a frame id that begins at `at`, by its header; 0 when none does. */
export function leadingFrameIdBytes(bytes: Buffer, at: number): number {
  const type = bytes[at];
  if (at + HEADROOM > bytes.length || (type !== FRAME_ID && type !== LEGACY_FRAME_ID)) return 0;
  return HEADROOM + bytes.readUInt32LE(at + (type === FRAME_ID ? 8 : 4));
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

function parseHeader(bytes: Buffer, head: number, bytesBefore: number): SizedHeader | undefined {
  if (bytes[head] === LEGACY_BATCH) return parseLegacyBatch(bytes, head, bytesBefore);
  if (bytes[head] !== BATCH && bytes[head] !== HOLED) return undefined;
  const length = bytes.readUInt32LE(head + 8);
  const bytesSoFar = readUint56(bytes, head + 18);
  const first = readUint56(bytes, head + 25);
  if (
    length < HEADROOM ||
    bytesSoFar < length ||
    !Number.isSafeInteger(bytesSoFar) ||
    !Number.isSafeInteger(first)
  )
    return undefined;
  return {
    count: bytes.readUIntLE(head + 1, 3),
    storedAtMs: bytes.readUIntLE(head + 12, 6),
    bytesSoFar,
    first,
    length,
  };
}

function isChecksumValid(entry: Buffer, seed: number): boolean {
  const stored = entry.readUInt32LE(CRC_AT);
  entry.writeUInt32LE(0, CRC_AT);
  const computed = crc32(entry, seed);
  entry.writeUInt32LE(stored, CRC_AT);
  return stored === computed;
}

/** By hand: a `DataView` would be one more object for each batch. */
function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function setUint56(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_TO_32);
  setUint32(bytes, at, value % TWO_TO_32);
  bytes[at + 4] = high;
  bytes[at + 5] = high >>> 8;
  bytes[at + 6] = high >>> 16;
}

function readUint56(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUIntLE(at + 4, 3) * TWO_TO_32;
}
