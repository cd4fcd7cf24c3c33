import { expect, it } from 'vitest';
import { OthersTotal, SeriesBudget } from '../../../src/common/limits/series-budget.ts';

const sizes = (of: Record<string, number>): Map<string, number> => new Map(Object.entries(of));

it('the largest have series of their own, and keep them whatever comes', () => {
  const budget = new SeriesBudget(2);
  expect([...budget.admit(sizes({ a: 1, b: 3, c: 2 }))]).toEqual(['b', 'c']);
  expect([...budget.admit(sizes({ a: 100, b: 3, c: 2, d: 200 }))]).toEqual(['b', 'c']);
  // One that is gone leaves its place to the largest that is there then.
  expect([...budget.admit(sizes({ a: 100, c: 2, d: 200 }))]).toEqual(['c', 'd']);
  expect([...new SeriesBudget(0).admit(sizes({ a: 1 }))]).toEqual([]);
});

it('the sum of the others never falls, also when one is gone or begins anew', () => {
  const total = new OthersTotal();
  expect(total.update(sizes({ a: 5, b: 1 }))).toBe(6);
  expect(total.update(sizes({ a: 5 }))).toBe(6);
  expect(total.update(sizes({ a: 2 }))).toBe(8);
  expect(total.update(sizes({ a: 4, b: 3 }))).toBe(13);
});
