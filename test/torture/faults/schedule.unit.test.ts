import { expect, it } from 'vitest';
import { planFaults } from './schedule.ts';

const KINDS = [
  { name: 'killed', forMs: [0, 100] },
  { name: 'frozen', forMs: [500, 1_000], weight: 3 },
] as const;

it('the same seed brings the same faults, in the order of their times', () => {
  const plan = planFaults(7, 600_000, KINDS);
  expect(planFaults(7, 600_000, KINDS)).toEqual(plan);
  expect(planFaults(8, 600_000, KINDS)).not.toEqual(plan);
  expect(plan.every(({ atMs }, i) => atMs < 600_000 && (i === 0 || plan[i - 1].atMs < atMs))).toBe(true);
  const frozen = plan.filter(({ name }) => name === 'frozen').length;
  expect(frozen).toBeGreaterThan(plan.length / 2);
  expect(frozen).toBeLessThan(plan.length);
  // A longer run begins as a shorter one.
  expect(planFaults(7, 60_000, KINDS)).toEqual(plan.slice(0, planFaults(7, 60_000, KINDS).length));
});

it('a pace shortens pauses and faults, so that there are as many as wanted', () => {
  for (const perMinute of [10, 30, 120]) {
    const plan = planFaults(7, 6_000_000, KINDS, perMinute);
    expect(plan.length / 100).toBeGreaterThan(0.9 * perMinute);
    expect(plan.length / 100).toBeLessThan(1.1 * perMinute);
  }
});
