/** Where a batch is in its stream, as Redis keeps it beside the batch: struct `<I4I4dd`. */
import type { Sequence, StoredBatch } from '../contract.ts';
import { unpackRecords } from './packing.ts';

export interface Placement {
  readonly last: Sequence;
  readonly count: number;
  /** Bytes the batch counts for, its headroom included, as in every other store. */
  readonly bytes: number;
  readonly storedAtMs: number;
}

/** An entry of a stream: id, then fields and values by turns. */
export type Entry = readonly [Buffer, readonly Buffer[]];

/** The placement in an entry of the index. */
export function readPlacement([id, [, placement]]: Entry): Placement {
  return placementOf(id, placement);
}

/** The batch in an entry of the lines. */
export function readBatch([id, [placement, packed]]: Entry): StoredBatch {
  const { last, count, bytes, storedAtMs } = placementOf(id, placement);
  return { bytes: unpackRecords(packed, bytes), count, first: last - count + 1, last, storedAtMs };
}

/** The id of the entry whose last line is `last`; also the lowest id above every entry before it. */
export function entryId(last: Sequence): string {
  return `${last}-0`;
}

function placementOf(id: Buffer, placement: Buffer): Placement {
  return {
    last: Number.parseInt(id.toString('latin1'), 10),
    count: placement.readUInt32LE(0),
    bytes: placement.readUInt32LE(4),
    storedAtMs: placement.readDoubleLE(8),
  };
}
