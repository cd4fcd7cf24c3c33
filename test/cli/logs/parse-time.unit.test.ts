import { expect, it } from 'vitest';
import { parseTimeOption } from '../../../src/cli/logs/parse-time.ts';

it.each(['10m', '1h30m', '2012-12-10T03:00:48Z', '2012-12-10T03:00:48+01:00'])('passes %s on', (text) => {
  expect(parseTimeOption(text)).toBe(text);
});

it('takes times of this zone', () => {
  const morning = new Date(2012, 11, 10, 3, 0).toISOString();
  expect(parseTimeOption('2012-12-10 03:00')).toBe(morning);
  expect(parseTimeOption('2012-12-10T03:00:00')).toBe(morning);
  expect(parseTimeOption('2012-12-10')).toBe(new Date(2012, 11, 10).toISOString());
});

it('takes a time of day as the last one there was', () => {
  const time = new Date(parseTimeOption('03:00'));
  expect([time.getHours(), time.getMinutes(), time.getSeconds()]).toEqual([3, 0, 0]);
  expect(Date.now() - time.getTime()).toBeGreaterThanOrEqual(0);
  expect(Date.now() - time.getTime()).toBeLessThan(25 * 3_600_000);
});

it.each(['soon', '25:00', '10:61', '2012-13-10', '10'])('refuses %s', (text) => {
  expect(() => parseTimeOption(text)).toThrow(/such as/);
});
