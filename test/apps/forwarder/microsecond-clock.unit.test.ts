import { expect, test } from 'vitest';
import { MicrosecondClock } from '../../../src/apps/forwarder/microsecond-clock.ts';

test('timestamps have microseconds, and never go backwards', () => {
  const clock = new MicrosecondClock();
  const before = Date.now();
  const stamps = Array.from({ length: 20_000 }, () => clock.timestamp());
  const wrong = stamps.filter((stamp) => !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/.test(stamp));
  expect(wrong).toEqual([]);
  expect(stamps.toSorted()).toEqual(stamps);
  expect(new Set(stamps).size).toBeGreaterThan(100);
  expect(Date.parse(stamps[0])).toBeGreaterThanOrEqual(before - 2);
  expect(Date.parse(stamps[19_999])).toBeLessThanOrEqual(Date.now() + 2);
});
