import { expect, it } from 'vitest';
import { seededRandom } from '../support/properties/seeded-random.ts';
import { toReport, toSvg } from './report.ts';
import { grows, type Point, trendOf } from './trend.ts';

const random = seededRandom(1);
const POINTS = 180;
const BOUND = { share: 0.05, floor: 2 };
/** An hour, of which every tenth value is a peak. */
const noisy = (perHour: number): Point[] =>
  Array.from({ length: POINTS }, (_, i) => [
    (i * 3_600) / POINTS,
    100 + (perHour * i) / POINTS + random() * 4 + (i % 10 === 0 ? 300 * random() : 0),
  ]);

it('a slope is found beneath noise and peaks, and none where there is none', () => {
  const rising = trendOf(noisy(20));
  expect(rising.perHour).toBeGreaterThan(18);
  expect(rising.perHour).toBeLessThan(22);
  expect(rising.perHourAtLeast).toBeGreaterThan(15);
  expect(rising.lastQuarter - rising.firstQuarter).toBeGreaterThan(12);
  expect(grows(rising, BOUND)).toBe(true);
  const level = trendOf(noisy(0));
  expect(Math.abs(level.perHour)).toBeLessThan(1.5);
  expect(grows(level, BOUND)).toBe(false);
  expect(grows(trendOf(noisy(-20)), BOUND)).toBe(false);
});

it('what grows by less than counts isn’t a leak, and one step is', () => {
  const steps = Array.from({ length: 100 }, (_, i): Point => [i, i < 50 ? 10 : 13]);
  expect(grows(trendOf(steps), { share: 0, floor: 5 })).toBe(false);
  expect(grows(trendOf(noisy(1)), BOUND)).toBe(false);
  const threads = Array.from({ length: 100 }, (_, i): Point => [i, 12 + Math.floor(i / 10)]);
  expect(grows(trendOf(threads), { share: 0, floor: 0 })).toBe(true);
});

it('of a few points nothing is said', () => {
  const few = trendOf(noisy(20).slice(0, 7));
  expect(few.perHour).toBeNaN();
  expect(grows(few, BOUND)).toBe(false);
});

it('a report says it in a table, and a plot shows each value', () => {
  const series = { name: 'heap', title: 'heap', unit: 'MB', points: noisy(20) } as const;
  const trend = { firstQuarter: 100, lastQuarter: 115.26, perHour: 20.4, perHourAtLeast: 18 };
  const report = toReport('an hour', ['a fact'], [{ series, trend, isGrowing: true }]);
  expect(report).toContain('| heap | 100 | 115 | +20.4 | MB | **grows** |');
  expect(report).toContain('![heap](heap.svg)');
  const svg = toSvg(series);
  expect(svg.match(/\d+\.\d,\d+\.\d/g)).toHaveLength(POINTS);
  expect(svg).toContain('>500</text>');
  expect(svg).toContain('>60 min</text>');
  expect(svg).not.toContain('NaN');
  expect(toSvg({ ...series, points: [] })).not.toContain('NaN');
});
