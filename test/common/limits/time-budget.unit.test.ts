import { expect, test } from 'vitest';
import { TimeBudget } from '../../../src/common/limits/time-budget.ts';

test('what has taken too long together waits until the window is over', () => {
  const budget = new TimeBudget({ budgetMs: 100, windowMs: 1_000 });
  expect(budget.isSpent(0)).toBe(false);
  budget.spend(0, 60);
  budget.spend(500, 539);
  expect(budget.isSpent(600)).toBe(false);
  budget.spend(700, 702);
  expect([702, 999, 1_000].map((now) => budget.isSpent(now))).toEqual([true, true, false]);
  budget.spend(1_000, 1_001);
  expect(budget.isSpent(1_001)).toBe(false);
  budget.exhaust(1_500);
  expect([1_500, 2_499, 2_500].map((now) => budget.isSpent(now))).toEqual([true, true, false]);
});
