import { expect, test } from 'vitest';
import { restartDelayMs } from '../../../../src/apps/processes/config/restart-delay.ts';

test('a crash loop slows down: at once, then 1 s, doubled each time, at most 5 minutes', () => {
  expect([1, 2, 3, 4, 10, 11, 100, 5000].map(restartDelayMs)).toEqual([
    0, 1000, 2000, 4000, 256_000, 300_000, 300_000, 300_000,
  ]);
});
