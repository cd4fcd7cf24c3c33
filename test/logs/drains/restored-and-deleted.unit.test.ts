/** Drains whose stream was restored from a backup, or of which lines were deleted. */
import { describe, expect, it } from 'vitest';
import {
  type DrainRecord,
  frameIdSeed,
  renumberedDrain,
} from '../../../src/logs/drains/options/drain-record.ts';
import { buildShipment } from '../../../src/logs/drains/shipment.ts';
import type { AppId, StoredBatch } from '../../../src/logs/store/contract.ts';
import { HEADROOM } from '../../../src/logs/syslog/batch.ts';
import { batchOf } from '../../support/batches.ts';

const drain: DrainRecord = {
  id: 'one',
  token: 'd.1',
  app: 'app' as AppId,
  url: 'https://example.com/',
  createdAt: '',
  updatedAt: '',
  after: 0,
};

const stored = (first: number, ...texts: string[]): StoredBatch => ({
  ...batchOf(...texts),
  first,
  last: first + texts.length - 1,
  storedAtMs: first,
});
/** In the place of lines that were deleted. */
const hole = (first: number, last: number): StoredBatch => ({
  bytes: Buffer.alloc(HEADROOM),
  count: 0,
  first,
  last,
  storedAtMs: first,
});

describe('frame ids', () => {
  it('are the same for lines of a backup, and others for numbers that are given anew', () => {
    const once = renumberedDrain(drain, 10, 'x');
    const twice = renumberedDrain(once, 20, 'y');
    expect([5, 10].map((last) => frameIdSeed(once, last))).toEqual(['d.1', 'd.1']);
    expect(frameIdSeed(once, 11)).not.toBe('d.1');
    // What came after the first restore keeps its ids with the second one.
    expect(frameIdSeed(twice, 20)).toBe(frameIdSeed(once, 20));
    expect(frameIdSeed(twice, 21)).not.toBe(frameIdSeed(once, 21));
  });
});

describe('a shipment', () => {
  const batches = [stored(1, 'a', 'b'), hole(3, 5), stored(6, 'c'), hole(7, 9)];
  const extent = (after: number, bytes = 1_000, upTo?: number) => {
    const { first, last, count, slices } = buildShipment(batches, after, bytes, upTo) ?? { slices: [] };
    return [first, last, count, slices.length];
  };

  it('goes over deleted lines without a gap, and doesn’t count them', () => {
    expect(extent(0)).toEqual([1, 9, 3, 2]);
    expect(extent(3)).toEqual([4, 9, 1, 1]);
    expect(extent(6)).toEqual([7, 9, 0, 0]);
    expect(buildShipment(batches, 9, 1_000)).toBeUndefined();
  });

  it('of which the extent is written down ends exactly there, whatever was deleted since', () => {
    for (const upTo of [1, 2, 4, 5, 6, 8, 9]) expect(extent(0, 1, upTo).slice(0, 2)).toEqual([1, upTo]);
    expect(extent(3, 1, 4)).toEqual([4, 4, 0, 0]);
  });
});
