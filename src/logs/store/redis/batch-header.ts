/** The header of a batch, as Redis stores it beside the batch: struct `<I4I4dd`. */
import type { Sequence, StoredBatch } from '../contract.ts';
import { unpackRecords } from './packing.ts';

export interface BatchHeader {
  readonly last: Sequence;
  readonly count: number;
  /** Bytes the batch counts for, its headroom included, as in every other store. */
  readonly bytes: number;
  readonly storedAtMs: number;
}

/** An entry of a stream: id, then fields and values alternating. */
export type StreamEntry = readonly [Buffer, readonly Buffer[]];

/** The header in an entry of the index. */
export function readBatchHeader([id, [, header]]: StreamEntry): BatchHeader {
  return parseHeader(id, header);
}

/** The batch in an entry of the lines. */
export function readStoredBatch([id, [header, packed]]: StreamEntry): StoredBatch {
  const { last, count, bytes, storedAtMs } = parseHeader(id, header);
  // Its lines were deleted: it stands in their place.
  if (packed.length === 0)
    return { bytes: Buffer.alloc(bytes), count: 0, first: last - count + 1, last, storedAtMs };
  return { bytes: unpackRecords(packed, bytes), count, first: last - count + 1, last, storedAtMs };
}

/** The id of the entry whose last line is `last`; also the lowest id above every entry before it. */
export function entryId(last: Sequence): string {
  return `${last}-0`;
}

function parseHeader(id: Buffer, header: Buffer): BatchHeader {
  return {
    last: Number.parseInt(id.toString('latin1'), 10),
    count: header.readUInt32LE(0),
    bytes: header.readUInt32LE(4),
    storedAtMs: header.readDoubleLE(8),
  };
}
