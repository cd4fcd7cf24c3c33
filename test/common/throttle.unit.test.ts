import { describe, expect, it } from 'vitest';
import { Throttle } from '../../src/common/throttle.ts';

describe('Throttle', () => {
  it('allows the first at once, and then one in each interval', () => {
    let now = 0;
    const throttle = new Throttle(1_000, () => now);
    const allowedAt: number[] = [];
    for (; now <= 3_500; now += 100) if (throttle.allow()) allowedAt.push(now);
    expect(allowedAt).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it('starts an interval with what it allows, not with what it refuses', () => {
    let now = 0;
    const throttle = new Throttle(1_000, () => now);
    expect(throttle.allow()).toBe(true);
    now = 999;
    expect(throttle.allow()).toBe(false);
    now = 5_500;
    expect(throttle.allow()).toBe(true);
    now = 6_000;
    expect(throttle.allow()).toBe(false);
    now = 6_500;
    expect(throttle.allow()).toBe(true);
  });
});
