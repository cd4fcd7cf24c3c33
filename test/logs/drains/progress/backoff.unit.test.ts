import { expect, it } from 'vitest';
import { backoffMs } from '../../../../src/logs/drains/progress/backoff.ts';

it('the first retry comes within 0.1 s, the later ones within 30 s, each at most twice as late as the one before', () => {
  const latest = Array.from({ length: 40 }, (_, i) => backoffMs(i + 1, 1));
  expect(latest[0]).toBe(100);
  expect(latest.at(-1)).toBe(30_000);
  for (let i = 1; i < latest.length; i++) expect(latest[i]).toBeLessThanOrEqual(latest[i - 1] * 2);
});

it('is anywhere in the upper half, so that many drains don’t come back all at once', () => {
  for (const attempt of [1, 5, 10, 1_000])
    expect(backoffMs(attempt, 0)).toBe(Math.round(backoffMs(attempt, 1) / 2));
});
