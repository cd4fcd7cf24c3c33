import { expect, it } from 'vitest';
import { planEach, planFaults, wayOf } from './schedule.ts';

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

it('each kind comes as often as the others, and so does each of its ways', () => {
  const ways = ['cut', 'reset', 'delay'];
  const kinds = [...KINDS, { name: 'network', forMs: [200, 6_000] as const, ways }];
  const plan = planEach(7, 12, kinds, 60);
  expect(planEach(7, 12, kinds, 60)).toEqual(plan);
  expect(planEach(8, 12, kinds, 60)).not.toEqual(plan);
  for (const { name } of kinds) expect(plan.filter((fault) => fault.name === name)).toHaveLength(12);
  const network = plan.filter(({ name }) => name === 'network');
  for (const way of ways) expect(network.filter(({ dice }) => wayOf(dice, ways) === way)).toHaveLength(4);
  expect(network.every(({ forMs }) => forMs >= 200 && forMs <= 6_000)).toBe(true);
  expect(plan.every(({ atMs }, i) => i === 0 || plan[i - 1].atMs < atMs)).toBe(true);
  expect(plan[plan.length - 1].atMs / 1_000).toBeGreaterThan(30);
  expect(plan[plan.length - 1].atMs / 1_000).toBeLessThan(42);
});
