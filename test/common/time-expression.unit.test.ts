import { describe, expect, it } from 'vitest';
import {
  explainDuration,
  explainTime,
  parseAgo,
  parseDuration,
  parseTime,
} from '../../src/common/time-expression.ts';
import { processorMs } from '../support/processor-time.ts';

/** A Monday afternoon here, wherever here is. */
const NOW = new Date(2012, 11, 10, 15, 4, 5, 678).getTime();
const local = (day: number, hours = 0, minutes = 0, seconds = 0): number =>
  new Date(2012, 11, day, hours, minutes, seconds).getTime();
const utc = (text: string): number => Date.parse(text);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('a time', () => {
  it.each<[string, number]>([
    // How long ago.
    ['90s', NOW - 90_000],
    ['30m', NOW - 30 * MINUTE],
    ['12h', NOW - 12 * HOUR],
    ['7d', NOW - 7 * DAY],
    ['2w', NOW - 14 * DAY],
    ['1h30m', NOW - 90 * MINUTE],
    ['1.5h', NOW - 90 * MINUTE],
    ['500ms', NOW - 500],
    ['10m ago', NOW - 10 * MINUTE],
    ['-10m', NOW - 10 * MINUTE],
    ['2 h ago', NOW - 2 * HOUR],
    ['2 hours 5 min ago', NOW - 125 * MINUTE],
    ['  1d  ', NOW - DAY],
    ['now', NOW],
    // A time of day, the last one there was.
    ['03:00', local(10, 3)],
    ['3:00', local(10, 3)],
    ['15:04', local(10, 15, 4)],
    ['15:04:05', local(10, 15, 4, 5)],
    ['15:04:06', local(9, 15, 4, 6)],
    ['23:59', local(9, 23, 59)],
    ['3:04 pm', local(10, 15, 4)],
    ['3:05 PM', local(9, 15, 5)],
    ['3am', local(10, 3)],
    ['12 a.m.', local(10, 0)],
    ['12:30pm', local(10, 12, 30)],
    // Days.
    ['today', local(10)],
    ['yesterday', local(9)],
    ['Yesterday 03:00', local(9, 3)],
    ['yesterday at 11:30 pm', local(9, 23, 30)],
    // Dates: local without a zone.
    ['2012-12-10', local(10)],
    ['2012-12-09 03:00', local(9, 3)],
    ['2012-12-09T03:00:48', local(9, 3, 0, 48)],
    ['2012-12-09 03:00:48.5', local(9, 3, 0, 48) + 500],
    ['2012-12-10T03:00:48Z', utc('2012-12-10T03:00:48.000Z')],
    ['2012-12-10t03:00z', utc('2012-12-10T03:00:00.000Z')],
    ['2012-12-10T03:00:48.123456+01:00', utc('2012-12-10T02:00:48.123Z')],
    ['2012-12-10 03:00:48,123 -0130', utc('2012-12-10T04:30:48.123Z')],
    ['2012-12-10 03:00:48 UTC', utc('2012-12-10T03:00:48.000Z')],
    // A plus that wasn't escaped in an address.
    ['2012-12-10T03:00:48 01:00', utc('2012-12-10T02:00:48.000Z')],
    ['2012-02-29T00:00Z', utc('2012-02-29T00:00:00.000Z')],
    // Go's zero time: before everything.
    ['0001-01-01T00:00:00Z', utc('0001-01-01T00:00:00.000Z')],
    // Unix time.
    ['1355108448', 1_355_108_448_000],
    ['1355108448.25', 1_355_108_448_250],
    ['1355108448250', 1_355_108_448_250],
    ['@1355108448', 1_355_108_448_000],
  ])('%j', (text, ms) => expect(parseTime(text, NOW)).toBe(ms));

  it.each([
    '',
    ' ',
    '5',
    '10',
    '2012',
    '135510844',
    '13551084480',
    '1355108448250000',
    'm',
    'h1',
    '1y',
    '1M',
    '1month',
    '10m5',
    '10m!',
    '--10m',
    '1e3s',
    'ago',
    'soon',
    'tomorrow',
    'yesterdays',
    'yesterday 5',
    'yesterday at',
    '24:00',
    '25:00',
    '10:61',
    '10:10:60',
    '0 pm',
    '13 pm',
    '3',
    '3:4',
    '2012-13-10T03:00:48Z',
    '2012-00-10',
    '2012-12-00',
    '2012-12-32',
    '2011-02-29',
    '2012-11-31T00:00Z',
    '2012-12-10T24:00Z',
    '2012-12-10T03:60Z',
    '2012-12-10T03:00.5Z',
    '2012-12-10T03:00+25:00',
    '2012-12-10T03',
    '12/10/2012',
    'constructor',
    '1constructor',
  ])('isn’t %j', (text) => expect(parseTime(text, NOW)).toBeUndefined());

  it('that can’t be read: the error names what to write', () => {
    expect(explainTime('5')).toBe(
      '"5" has no unit: write 5s, 5m, 5h or 5d for how long ago, or a time such as 03:00, yesterday or 2026-01-31T12:00:00Z.',
    );
    expect(explainTime('soon')).toMatch(/^"soon" is no time: write how long ago \(/);
  });

  it('is parsed in linear time', () => {
    const ms = processorMs(() => {
      for (const part of ['1h', '1 h ', '1', 'a', ' ', '-', ' ago', '2012-12-10 '])
        expect(parseTime(`${part.repeat(20_000)}!`, NOW)).toBeUndefined();
    });
    expect(ms).toBeLessThan(1_000);
  });

  it.each(['90s', '1h30m', '2w', '03:00', '3:04 pm', 'yesterday', '2026-01-31 12:00', '1769860800'])(
    'can be %s, as the explanation says',
    (form) => {
      expect(explainTime('soon')).toContain(form);
      expect(parseTime(form, NOW)).toBeTypeOf('number');
    },
  );
});

describe('a duration', () => {
  it.each<[string, number]>([
    ['90s', 90_000],
    ['1h1m1s1ms', 3_661_001],
    ['1.005s', 1_005],
    ['0s', 0],
    ['2 weeks', 14 * DAY],
    ['1 day 2 hrs', 26 * HOUR],
  ])('%j', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '10', '10 ago', '10m ago', '-10m', '03:00', 'h', '1 2h', '1..5h', '1234567890s'])(
    'isn’t %j',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );

  it('is a time in the past with `ago` or a minus', () => {
    expect([parseAgo('10m'), parseAgo('10m ago'), parseAgo('-10m')]).toEqual(Array(3).fill(600_000));
    expect(parseAgo('03:00')).toBeUndefined();
  });

  it('that can’t be read: the error names what to write', () => {
    expect(explainDuration('7')).toBe('"7" has no unit: write 7s, 7m, 7h or 7d for how long.');
    expect(explainDuration('7 parsecs')).toBe(
      '"7 parsecs" is no duration: write a number with its unit, such as 90s, 30m, 12h, 7d, 2w, 1h30m.',
    );
  });
});
