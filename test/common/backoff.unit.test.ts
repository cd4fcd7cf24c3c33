import fc from 'fast-check';
import { expect, it } from 'vitest';
import { backoffMs } from '../../src/common/backoff.ts';

const RANGE = { firstMs: 100, maxMs: 30_000 };

it('doubles from the first pause up to the longest one', () => {
  const longest = [1, 2, 3, 8, 9, 10, 1_000, 1e9].map((attempt) => backoffMs(attempt, RANGE, () => 1));
  expect(longest).toEqual([100, 200, 400, 12_800, 25_600, 30_000, 30_000, 30_000]);
});

it('is anywhere in the upper half, so that many who failed together don’t come back together', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, part) => {
        const longest = backoffMs(attempt, RANGE, () => 1);
        const ms = backoffMs(attempt, RANGE, () => part);
        expect(ms).toBeGreaterThanOrEqual(Math.floor(longest / 2));
        expect(ms).toBeLessThanOrEqual(longest);
        expect(Number.isInteger(ms)).toBe(true);
      },
    ),
  );
  expect(backoffMs(5, RANGE, () => 0)).toBe(800);
  expect(backoffMs(5, RANGE, () => 0.5)).toBe(1_200);
});

it('is random by itself', () => {
  expect(new Set(Array.from({ length: 100 }, () => backoffMs(20, RANGE))).size).toBeGreaterThan(10);
});
