import { describe, expect, it } from 'vitest';
import { CountedMemory } from '../../../src/common/buffers/counted-memory.ts';
import type { StoredBatch } from '../../../src/logs/store/contract.ts';
import { RecentBatches } from '../../../src/logs/store/recent-batches.ts';

function batch(first: number, bytes = 100, storedAtMs = 0): StoredBatch {
  return { bytes: new Uint8Array(bytes), count: 2, first, last: first + 1, storedAtMs };
}

const firsts = (batches: readonly StoredBatch[] | undefined) => batches?.map(({ first }) => first);

describe('recent batches', () => {
  it('gives those with lines after a sequence, and none when some are missing', () => {
    const recent = new RecentBatches({ bytes: 0 });
    expect(recent.after(0)).toBeUndefined();
    for (const first of [11, 13, 15]) recent.push(batch(first));
    expect(firsts(recent.after(10))).toEqual([11, 13, 15]);
    expect(firsts(recent.after(13))).toEqual([13, 15]);
    expect(firsts(recent.after(14))).toEqual([15]);
    expect(recent.after(9)).toBeUndefined();
  });

  it('keeps a batch for 3 s at the least, and for 6 s at the most while others come', () => {
    let nowMs = 0;
    const recent = new RecentBatches({ bytes: 0 }, () => nowMs);
    const heldSince = new Map<number, number>();
    for (let first = 1; nowMs < 20_000; first += 2, nowMs += 200) {
      recent.push(batch(first));
      heldSince.set(first, nowMs);
      const held = [...heldSince.keys()].filter((one) => recent.after(one - 1));
      expect(held[0] === 1 || nowMs - heldSince.get(held[0])! >= 2_900).toBe(true);
      expect(nowMs - heldSince.get(held[0])!).toBeLessThanOrEqual(6_200);
    }
  });

  it('keeps what came last of a stream that is quiet', () => {
    let nowMs = 0;
    const recent = new RecentBatches({ bytes: 0 }, () => nowMs);
    recent.push(batch(1));
    recent.push(batch(3));
    nowMs = 60_000;
    expect(firsts(recent.after(0))).toEqual([1, 3]);
    recent.push(batch(5));
    expect(firsts(recent.after(2))).toEqual([3, 5]);
  });

  it('gives memory back that is too much for a stream or for all of them, and all of it at the end', () => {
    const budget = { bytes: 0 };
    const recent = new RecentBatches(budget);
    const other = new RecentBatches(budget);
    const givenBack: number[] = [];
    const push = (to: RecentBatches, first: number): void => {
      const one = batch(first, 1_048_576);
      const memory = new CountedMemory(one.bytes, () => givenBack.push(first));
      to.push({ ...one, memory });
      memory.release();
    };
    for (let first = 1; first < 19; first += 2) push(recent, first);
    expect(givenBack).toEqual([1, 3]);
    expect(firsts(recent.after(4))).toEqual([5, 7, 9, 11, 13, 15, 17]);
    budget.bytes += 64 * 1_048_576;
    push(other, 101);
    push(other, 103);
    expect(givenBack).toEqual([1, 3, 101]);
    recent.clear();
    other.clear();
    expect(givenBack).toHaveLength(11);
    expect(budget.bytes).toBe(64 * 1_048_576);
  });

  it('lets go of what was stored too long ago', () => {
    const recent = new RecentBatches({ bytes: 0 });
    for (const first of [1, 3, 5]) recent.push(batch(first, 100, first));
    recent.evictWhile((storedAtMs) => storedAtMs < 4);
    expect(recent.after(0)).toBeUndefined();
    expect(firsts(recent.after(4))).toEqual([5]);
    recent.evictWhile(() => true);
    expect(recent.after(4)).toBeUndefined();
  });
});
