/** What the histogram decides without a browser: its axes, its bars, and what a pointer and keys ask for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bucketAt,
  type HistogramCounts,
  rangeOfBuckets,
  summarize,
} from '../../../src/web/stream/counts/histogram-counts.ts';
import { stepFor } from '../../../src/web/stream/counts/time-steps.ts';
import {
  type BrushEvent,
  type BrushResult,
  type BrushState,
  NO_BRUSH,
  nextBrush,
} from '../../../src/web/view/histogram/brush-state.ts';
import { barPaths, highestCount, niceMaximum } from '../../../src/web/view/histogram/count-scale.ts';
import { formatBucketTime, timeTicks } from '../../../src/web/view/histogram/time-axis.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOON = Date.UTC(2026, 10, 21, 12);

const counts = (others: readonly number[], change: Partial<HistogramCounts> = {}): HistogramCounts => ({
  sinceMs: NOON,
  stepMs: 10_000,
  errors: others.map(() => 0),
  warnings: others.map(() => 0),
  others,
  countedSinceMs: 0,
  ...change,
});

describe('buckets', () => {
  it('are as long as people count, and not more than wanted', () => {
    expect([5 * MINUTE, HOUR, DAY, 7 * DAY, 365 * DAY].map((range) => stepFor(range, 100))).toEqual([
      5_000,
      MINUTE,
      15 * MINUTE,
      2 * HOUR,
      7 * DAY,
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 1, max: 500 }), (range, most) => {
        expect(range / stepFor(range, most)).toBeLessThanOrEqual(most);
      }),
      { numRuns: propertyRuns(200) },
    );
  });

  it('have each time in one of them; what is outside is in the nearest', () => {
    const some = counts([1, 2, 3]);
    expect([NOON, NOON + 9_999, NOON + 10_000, NOON - 1, NOON + DAY].map((ms) => bucketAt(some, ms))).toEqual(
      [0, 0, 1, 0, 2],
    );
    expect(rangeOfBuckets(some, 2, 1)).toEqual({ sinceMs: NOON + 10_000, untilMs: NOON + 30_000 });
  });

  it('are summed up', () => {
    const some = counts([1, 5, 0], { errors: [0, 1, 2], warnings: [3, 0, 0] });
    expect(summarize(some)).toEqual({ lines: 12, errors: 3, warnings: 3, busiest: 1 });
  });
});

describe('the time axis', () => {
  const labels = (sinceMs: number, rangeMs: number, width = 600): string[] =>
    timeTicks({ sinceMs, untilMs: sinceMs + rangeMs }, width, 'utc').map(({ label }) => label);

  it('has whole times, with seconds where they matter, and the day where one begins', () => {
    expect(labels(NOON + 3_000, MINUTE)).toEqual([
      '12:00:10',
      '12:00:20',
      '12:00:30',
      '12:00:40',
      '12:00:50',
      '12:01:00',
    ]);
    expect(labels(NOON, HOUR)).toEqual(['12:00', '12:10', '12:20', '12:30', '12:40', '12:50']);
    expect(labels(NOON, DAY)).toEqual(['12:00', '18:00', 'Nov 22', '06:00']);
    expect(labels(NOON, 4 * DAY)).toEqual(['Nov 22', 'Nov 23', 'Nov 24', 'Nov 25']);
  });

  it('has as many labels as there is room for, in order and within the range', () => {
    const zone = fc.constantFrom('utc' as const, 'local' as const);
    fc.assert(
      fc.property(
        fc.integer({ min: 1e12, max: 2e12 }),
        fc.integer({ min: 60, max: 1e6 }),
        zone,
        (since, s, at) => {
          const range = { sinceMs: since, untilMs: since + s * 1_000 };
          const ticks = timeTicks(range, 840, at);
          expect(ticks.length).toBeLessThanOrEqual(11);
          for (const [i, { ms }] of ticks.entries()) {
            expect(ms).toBeGreaterThanOrEqual(i === 0 ? since : ticks[i - 1].ms + 1);
            expect(ms).toBeLessThan(range.untilMs);
          }
        },
      ),
      { numRuns: propertyRuns(200) },
    );
  });

  it('says the day of a time only where there are several', () => {
    const hour = { sinceMs: NOON, untilMs: NOON + HOUR };
    expect(formatBucketTime(NOON, hour, MINUTE, 'utc')).toBe('12:00');
    expect(formatBucketTime(NOON, hour, 10_000, 'utc')).toBe('12:00:00');
    expect(formatBucketTime(NOON, { sinceMs: NOON, untilMs: NOON + DAY }, HOUR, 'utc')).toBe('Nov 21, 12:00');
  });
});

describe('bars', () => {
  it('have a scale that people count in', () => {
    expect([0, 3, 5, 12, 99, 100, 101, 4_321].map(niceMaximum)).toEqual([4, 4, 5, 20, 100, 100, 200, 5_000]);
    expect(highestCount(counts([1, 2], { errors: [3, 0] }))).toBe(4);
  });

  it('show one error among many lines', () => {
    const { errors, others } = barPaths(counts([10_000, 0], { errors: [1, 0] }), 10_000);
    expect(errors).toBe('M0.07 100.00V97.00h0.86V100.00z');
    expect(others).toBe('M0.07 97.00V0.00h0.86V97.00z');
  });
});

describe('the brush', () => {
  const COUNT = 20;
  const run = (...events: readonly BrushEvent[]): { state: BrushState; results: BrushResult[] } => {
    let state = NO_BRUSH;
    const results: BrushResult[] = [];
    for (const event of events) {
      const next = nextBrush(state, event);
      if (!next) continue;
      state = next[0];
      if (next[1].kind !== 'none') results.push(next[1]);
    }
    return { state, results };
  };
  const key = (name: string, isShift = false): BrushEvent => ({
    kind: 'key',
    key: name,
    isShift,
    count: COUNT,
  });

  it('gives the range that a pointer draws, in either direction; a click gives the bucket', () => {
    const draw = (from: number, to: number) =>
      run(
        { kind: 'press', bucket: from },
        { kind: 'drag', bucket: to },
        { kind: 'leave' },
        { kind: 'release', bucket: to },
      );
    expect(draw(3, 7).results).toEqual([{ kind: 'range', from: 3, to: 7 }]);
    expect(draw(7, 3).results).toEqual([{ kind: 'range', from: 3, to: 7 }]);
    expect(draw(5, 5).results).toEqual([{ kind: 'pick', bucket: 5 }]);
  });

  it('gives nothing that was not begun here, or was interrupted', () => {
    expect(run({ kind: 'hover', bucket: 3 }, { kind: 'release', bucket: 3 }).results).toEqual([]);
    const broken = run({ kind: 'press', bucket: 1 }, { kind: 'cancel' }, { kind: 'release', bucket: 5 });
    expect(broken.results).toEqual([]);
    expect(run({ kind: 'hover', bucket: 3 }, { kind: 'leave' }).state).toEqual(NO_BRUSH);
  });

  it('does the same with keys', () => {
    const left = key('ArrowLeft');
    expect(run(left, left, key('ArrowLeft', true), key('ArrowLeft', true), key('Enter')).results).toEqual([
      { kind: 'range', from: 16, to: 18 },
    ]);
    expect(run(key('Home'), key(' ')).results).toEqual([{ kind: 'pick', bucket: 0 }]);
    expect(run(key('PageUp'), key('PageUp'), key('PageUp')).state.cursor).toBe(0);
    expect(run(key('-')).results).toEqual([{ kind: 'zoom-out' }]);
    expect(run(key('Home', true), key('Escape'), key('Enter')).results).toEqual([
      { kind: 'pick', bucket: 0 },
    ]);
    expect(nextBrush(NO_BRUSH, key('Tab'))).toBeUndefined();
  });
});
