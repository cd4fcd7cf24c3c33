import { hash } from 'node:crypto';
import type { Sequence, StoredBatch } from '../store/contract.ts';
import { RecordCursor } from '../syslog/batch.ts';
import type { LineEncoder } from '../syslog/encode.ts';
import { encodeFrames } from '../syslog/wasm/wasm-codec.ts';

/** Lines of one stored batch. */
export interface BatchSlice {
  readonly batch: StoredBatch;
  /** Where the first record starts, and how many there are. */
  readonly start: number;
  readonly count: number;
  readonly end: number;
}

/** Lines that are sent together: consecutive in the stream, `first` to `last`; filters may have left some out. */
export interface Shipment {
  readonly first: Sequence;
  readonly last: Sequence;
  /** When the newest of them was stored, milliseconds since 1970. */
  readonly storedAtMs: number;
  readonly slices: readonly BatchSlice[];
  /** Lines in the slices. */
  readonly count: number;
  /** Bytes of the records. */
  readonly byteLength: number;
}

/** All bytes of a slice's batch: the same memory. */
export function bytesOfSlice({ batch: { bytes } }: BatchSlice): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Takes lines after a sequence out of batches: about `maxBytes` of them (one line at least), or, when `upTo` is
 * given, all up to exactly there. Returns undefined when there are none.
 */
export function buildShipment(
  batches: readonly StoredBatch[],
  after: Sequence,
  maxBytes: number,
  upTo?: Sequence,
): Shipment | undefined {
  const slices: BatchSlice[] = [];
  let last = after;
  let first: Sequence | undefined;
  let byteLength = 0;
  let lines = 0;
  let storedAtMs = 0;
  for (const batch of batches) {
    if (batch.last <= last) continue;
    // What comes after a gap goes with the next shipment: the loss is counted between the two.
    if (first !== undefined && batch.first > last + 1) break;
    if (upTo !== undefined ? last >= upTo : byteLength > 0 && byteLength + batch.bytes.length > maxBytes)
      break;
    const skip = Math.max(0, after + 1 - batch.first);
    if (batch.count === 0) {
      first ??= batch.first + skip;
      last = Math.min(batch.last, upTo ?? batch.last);
      storedAtMs = batch.storedAtMs;
      continue;
    }
    const cursor = new RecordCursor(batch.bytes);
    cursor.skip(skip);
    const start = cursor.nextStart;
    const available = batch.count - skip;
    let count = available;
    let end = batch.bytes.length;
    if (upTo !== undefined) {
      count = Math.min(available, upTo - batch.first - skip + 1);
      if (count <= 0) break;
      if (count < available) {
        cursor.skip(count);
        end = cursor.nextStart;
      }
    } else if (end - start > maxBytes) {
      count = skipWithin(cursor, available, start + maxBytes);
      end = cursor.nextStart;
    }
    slices.push({ batch, start, count, end });
    first ??= batch.first + skip;
    last = batch.first + skip + count - 1;
    byteLength += end - start;
    lines += count;
    storedAtMs = batch.storedAtMs;
  }
  if (first === undefined) return undefined;
  return { first, last, storedAtMs, slices, byteLength, count: lines };
}

/** Moves over as many lines as end at or before `limit`, one at least and `countMax` at the most; returns how many. */
function skipWithin(cursor: RecordCursor, countMax: number, limit: number): number {
  let count = 0;
  do {
    cursor.skip(1);
    count++;
  } while (count < countMax && cursor.peekEnd() <= limit);
  return count;
}

/** Writes a shipment's lines with an encoder, after `prefix`, into memory that `allocate` gives. */
export function encodeShipment(
  shipment: Shipment,
  encoder: LineEncoder,
  prefix?: Uint8Array,
  allocate: (bytes: number) => Buffer = Buffer.allocUnsafeSlow,
): Buffer {
  const size =
    shipment.byteLength + shipment.count * Math.max(encoder.overheadBytes, 0) + (prefix?.length ?? 0);
  const out = allocate(size);
  let at = 0;
  if (prefix) {
    out.set(prefix);
    at = prefix.length;
  }
  for (const { batch, start, end, count: lines } of shipment.slices) {
    const fastPathEnd = encodeFrames(batch.bytes, start, end, lines, encoder.fastPath, out, at);
    at =
      fastPathEnd >= 0
        ? fastPathEnd
        : encoder.encode(new RecordCursor(batch.bytes, start, end), batch.bytes, lines, out, at);
  }
  return out.subarray(0, at);
}

/**
 * The frame id of a shipment (`Logplex-Frame-Id`, an idempotency key): 32 hexadecimal digits made of the drain and the
 * positions, so that it is the same on every retry, also from another router.
 */
export function frameId(drainToken: string, first: Sequence, last: Sequence): string {
  return hash('md5', `${drainToken} ${first} ${last}`);
}
