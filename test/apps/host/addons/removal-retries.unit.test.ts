import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RemovalRetries } from '../../../../src/apps/host/addons/removal-retries.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  // Each pause at its longest.
  vi.spyOn(Math, 'random').mockReturnValue(1);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const RANGE = { firstMs: 1_000, maxMs: 8_000 };

describe('a removal that failed', () => {
  it('is tried again with growing pauses until it is done', async () => {
    let isDown = true;
    const tried: string[] = [];
    const retries = new RemovalRetries(async (id) => {
      tried.push(id);
      if (isDown) throw new Error(`down ${tried.length}`);
    }, RANGE);
    retries.failed('a', new Error('down'));
    expect(retries.reason('a')).toBe('down');
    for (const [ms, count] of [
      [999, 0],
      [1, 1],
      [2_000, 2],
      [4_000, 3],
      [8_000, 4],
      [8_000, 5],
    ]) {
      await vi.advanceTimersByTimeAsync(ms);
      expect(tried).toHaveLength(count);
    }
    expect(retries.reason('a')).toBe('down 5');
    isDown = false;
    await vi.advanceTimersByTimeAsync(8_000);
    expect(tried).toHaveLength(6);
    expect(retries.reason('a')).toBeUndefined();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(tried).toHaveLength(6);
  });

  it('isn’t tried again when it was done otherwise, or the server stops', async () => {
    const tried: string[] = [];
    const retries = new RemovalRetries(async (id) => void tried.push(id), RANGE);
    retries.failed('a', 'down');
    retries.failed('b', 'down');
    retries.done('a');
    retries.close();
    retries.failed('c', 'down');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(tried).toEqual([]);
  });
});
