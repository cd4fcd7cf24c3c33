import { describe, expect, it } from 'vitest';
import { CountedMemory } from '../../../src/common/buffers/counted-memory.ts';
import { LoadedBatches } from '../../../src/logs/drains/loaded-batches.ts';
import { batchOf } from '../../support/batches.ts';

describe('the memory of a drain’s batches', () => {
  const givenBack: number[] = [];
  const batch = (first: number, last: number) => {
    const { bytes } = batchOf('x');
    const memory = new CountedMemory(bytes, () => givenBack.push(first));
    return { bytes, memory, count: last - first + 1, first, last, storedAtMs: 1 };
  };

  it('is released once all lines of a batch were sent, and once', () => {
    givenBack.length = 0;
    const loaded = new LoadedBatches();
    loaded.replace([batch(1, 10), batch(11, 11), batch(12, 20)]);
    loaded.releaseThrough(9);
    expect(givenBack).toEqual([]);
    loaded.releaseThrough(11);
    loaded.releaseThrough(11);
    expect(givenBack).toEqual([1, 11]);
    loaded.releaseThrough(15);
    expect(givenBack).toEqual([1, 11]);
  });

  it('is released when others are loaded, and when nothing is sent any more', () => {
    givenBack.length = 0;
    const loaded = new LoadedBatches();
    const again = batch(4, 6);
    loaded.replace([batch(1, 3), again]);
    again.memory.retain();
    loaded.replace([again]);
    expect(givenBack).toEqual([1]);
    loaded.replace([]);
    loaded.releaseThrough(100);
    expect(givenBack).toEqual([1, 4]);
  });
});
