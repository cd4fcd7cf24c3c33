import { expect, it } from 'vitest';
import { parseDuration, parseTimeOrAgo } from '../../../src/common/time-expression.ts';

const NOW = Date.parse('2012-12-10T12:00:00Z');

it.each([
  ['10m', '2012-12-10T11:50:00.000Z'],
  ['1h30m', '2012-12-10T10:30:00.000Z'],
  ['1.5h', '2012-12-10T10:30:00.000Z'],
  ['90s', '2012-12-10T11:58:30.000Z'],
  ['500ms', '2012-12-10T11:59:59.500Z'],
  ['2d', '2012-12-08T12:00:00.000Z'],
  ['1w', '2012-12-03T12:00:00.000Z'],
  ['2012-12-10T03:00:48Z', '2012-12-10T03:00:48.000Z'],
  ['2012-12-10T03:00:48.123456+01:00', '2012-12-10T02:00:48.123Z'],
  ['2012-12-10t03:00z', '2012-12-10T03:00:00.000Z'],
  // A plus that wasn't escaped in an address.
  ['2012-12-10T03:00:48 01:00', '2012-12-10T02:00:48.000Z'],
])('%s is %s', (text, time) => {
  expect(new Date(parseTimeOrAgo(text, NOW) ?? 0).toISOString()).toBe(time);
});

it.each([
  '',
  '10',
  'm',
  '10 m',
  '-10m',
  'yesterday',
  '2012-12-10',
  '2012-13-10T03:00:48Z',
  '2012-12-10T03:00:48',
])('%j is no moment', (text) => {
  expect(parseTimeOrAgo(text, NOW)).toBeUndefined();
});

it('reads durations in milliseconds', () => {
  expect(parseDuration('1h1m1s1ms')).toBe(3_661_001);
  expect(parseDuration('10')).toBeUndefined();
});
