import { describe, expect, it } from 'vitest';
import { LoadAverages } from '../../../src/apps/processes/load-average.ts';

const MINUTE_MS = 60_000;

describe('the load of a dyno', () => {
  it('is what it keeps busy, damped over one, five and fifteen minutes', () => {
    const loads = new LoadAverages();
    expect(loads.record('a', 5_000, 0)).toBeUndefined();
    // Two processors for a minute, then nothing for five.
    expect(loads.record('a', 5_000 + 2 * MINUTE_MS, MINUTE_MS)).toEqual({ '1m': 2, '5m': 2, '15m': 2 });
    const later = loads.record('a', 5_000 + 2 * MINUTE_MS, 6 * MINUTE_MS);
    expect(later?.['1m']).toBeCloseTo(2 * Math.exp(-5));
    expect(later?.['5m']).toBeCloseTo(2 * Math.exp(-1));
    expect(later?.['15m']).toBeCloseTo(2 * Math.exp(-1 / 3));
  });

  it('is never below nothing, when a process has taken its time along', () => {
    const loads = new LoadAverages();
    loads.record('a', 9_000, 0);
    expect(loads.record('a', 1_000, 1_000)).toEqual({ '1m': 0, '5m': 0, '15m': 0 });
  });

  it('begins anew for one that was forgotten', () => {
    const loads = new LoadAverages();
    loads.record('a', 0, 0);
    loads.record('b', 0, 0);
    loads.keepOnly(new Set(['b']));
    expect(loads.record('a', 1_000, 1_000)).toBeUndefined();
    expect(loads.record('b', 1_000, 1_000)?.['1m']).toBe(1);
  });
});
