import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValueHistogram } from '../../../../src/apps/addon-services/metrics/value-histogram.ts';

function histogramOf(values: readonly number[]): ValueHistogram {
  const histogram = new ValueHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

describe('a histogram of values', () => {
  it('has quantiles that are at most 2 % off, for any values', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.001, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 200 }),
        (values) => {
          const sorted = [...values].sort((a, b) => a - b);
          const wanted = [0.5, 0.95, 0.99].map(
            (quantile) => sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)],
          );
          histogramOf(values)
            .quantiles([0.5, 0.95, 0.99])
            .forEach((found, i) => {
              expect(Math.abs(Number(found) - wanted[i]) / wanted[i]).toBeLessThan(0.021);
            });
        },
      ),
    );
  });

  it('of two intervals is the sum of both, in any order and after being stored', () => {
    const [one, other] = [histogramOf([1, 5, 900]), histogramOf([0, 30, 31])];
    const sum = new ValueHistogram(JSON.parse(JSON.stringify(one.toStored())));
    sum.merge(other.toStored());
    expect(sum.count).toBe(6);
    expect(sum.quantiles([0.01, 0.5, 1])).toEqual(
      histogramOf([900, 0, 31, 5, 30, 1]).quantiles([0.01, 0.5, 1]),
    );
    expect(sum.total / 967).toBeCloseTo(1, 1);
  });

  it('without values has no quantiles; zeros and negative times are zero', () => {
    expect(new ValueHistogram().quantiles([0.5])).toEqual([null]);
    expect(histogramOf([0, -3]).quantiles([0.5, 0.99])).toEqual([0, 0]);
  });
});
