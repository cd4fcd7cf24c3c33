import { expect, it } from 'vitest';
import { remainingGraceMs, STOP_GRACE_MS } from '../../../src/apps/processes/process-group.ts';

it('the time that a process has to end is neither more nor less when the clock is set', () => {
  expect(remainingGraceMs(12_000, 10_000)).toBe(2_000);
  const day = 86_400_000;
  expect(remainingGraceMs(12_000 + day, 10_000)).toBe(STOP_GRACE_MS);
  expect(remainingGraceMs(12_000, 10_000 + day)).toBe(0);
});
