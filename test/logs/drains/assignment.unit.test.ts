import { describe, expect, it } from 'vitest';
import { assignDrains } from '../../../src/logs/drains/assignment.ts';

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}-4f6e-8a2b`);

function countsOf(assigned: ReadonlyMap<string, string>, routers: readonly string[]): number[] {
  return routers.map((router) => [...assigned.values()].filter((one) => one === router).length);
}

describe('the drains', () => {
  it('are spread evenly: no router has two more than another', () => {
    for (const [drains, routers] of [
      [0, 3],
      [1, 3],
      [2, 3],
      [3, 3],
      [10, 4],
      [1_000, 3],
      [1_000, 7],
      [999, 20],
    ]) {
      const all = names('router', routers);
      const counts = countsOf(assignDrains(names('drain', drains), all), all);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(drains);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  });

  it('are assigned alike whatever the order of the lists', () => {
    const [drains, routers] = [names('drain', 50), names('router', 4)];
    const one = assignDrains(drains, routers);
    const other = assignDrains([...drains].reverse(), [...routers].reverse());
    for (const drain of drains) expect(other.get(drain)).toBe(one.get(drain));
  });

  it('mostly stay where they are when a router joins or leaves', () => {
    const drains = names('drain', 900);
    const three = assignDrains(drains, names('router', 3));
    const four = assignDrains(drains, names('router', 4));
    const moved = drains.filter((drain) => three.get(drain) !== four.get(drain)).length;
    // 225 have to move; balancing costs a few more.
    expect(moved).toBeGreaterThanOrEqual(225);
    expect(moved).toBeLessThan(400);
  });

  it('are unassigned without routers', () => {
    expect(assignDrains(names('drain', 3), []).size).toBe(0);
  });
});
