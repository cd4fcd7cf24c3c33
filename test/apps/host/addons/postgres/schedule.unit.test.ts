import { describe, expect, it } from 'vitest';
import { isDue, parseSchedule } from '../../../../../src/apps/host/addons/databases/schedule.ts';

const due = (hour: number, timezone: string, since: string, now: string): boolean =>
  isDue({ uuid: '', addon: '', name: '', hour, timezone, since }, new Date(now));

describe('a daily backup', () => {
  it.each([
    [
      'not on the day it was made, after its hour',
      2,
      'UTC',
      '2026-03-01T10:00:00Z',
      '2026-03-01T23:59:00Z',
      false,
    ],
    ['at its hour', 2, 'UTC', '2026-03-01T10:00:00Z', '2026-03-02T02:00:00Z', true],
    ['not a moment before', 2, 'UTC', '2026-03-01T10:00:00Z', '2026-03-02T01:59:59Z', false],
    ['not twice', 2, 'UTC', '2026-03-02T02:00:04Z', '2026-03-02T02:30:00Z', false],
    ['later, when no server ran', 2, 'UTC', '2026-03-01T10:00:00Z', '2026-03-04T17:12:00Z', true],
    ['in its time zone', 2, 'Europe/Berlin', '2026-01-01T10:00:00Z', '2026-01-02T01:00:00Z', true],
    ['not an hour early', 2, 'Europe/Berlin', '2026-01-01T10:00:00Z', '2026-01-02T00:59:00Z', false],
    ['at midnight', 0, 'UTC', '2026-03-01T10:00:00Z', '2026-03-02T00:00:10Z', true],
    [
      'in a zone of three quarters',
      6,
      'Asia/Kathmandu',
      '2026-03-01T10:00:00Z',
      '2026-03-02T00:15:00Z',
      true,
    ],
    [
      'not within an hour that has come again',
      2,
      'Europe/Berlin',
      '2026-10-25T01:00:10Z',
      '2026-10-25T01:40:00Z',
      false,
    ],
    [
      'not where the hour is left out',
      2,
      'Europe/Berlin',
      '2026-03-28T03:00:00Z',
      '2026-03-29T04:00:00Z',
      false,
    ],
    ['when the clock was set back', 2, 'UTC', '2027-01-01T00:00:00Z', '2026-03-02T02:00:00Z', false],
  ])('%s', (_name, hour, timezone, since, now, expected) => {
    expect(due(hour, timezone, since, now)).toBe(expected);
  });

  it('of an hour and a zone that there are', () => {
    expect(parseSchedule('02', 'Europe/Berlin')).toEqual({ hour: 2, timezone: 'Europe/Berlin' });
    for (const hour of ['24', '-1', 'two', 1.5])
      expect(() => parseSchedule(hour, 'UTC')).toThrow(/from 0 to 23/);
    expect(() => parseSchedule(2, 'Mars/Olympus')).toThrow(/no time zone "Mars\/Olympus"/);
  });
});
