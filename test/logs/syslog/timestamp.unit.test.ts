import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTimestamp, isTimestamp, timestampBytes } from '../../../src/logs/syslog/timestamp.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';
import { anyTimestamp } from '../../support/senders/odd-fields.ts';

const is = (text: string): boolean => isTimestamp(Buffer.from(`xx${text}xx`), 2, 2 + text.length);

describe('a timestamp', () => {
  it('is written with microseconds and an offset', () => {
    expect(formatTimestamp(Date.UTC(2012, 11, 10, 3, 0, 48, 123))).toBe('2012-12-10T03:00:48.123000+00:00');
    expect(Buffer.from(timestampBytes(0)).toString()).toBe('1970-01-01T00:00:00.000000+00:00');
  });

  it.each([
    '2012-12-10T03:00:48Z',
    '2012-12-10T03:00:48.1Z',
    '2012-12-10T03:00:48.123456Z',
    '2012-12-10T03:00:48.123456789Z',
    '2012-12-10T03:00:48+00:00',
    '2012-12-10T03:00:48.123456-08:00',
    '2016-12-31T23:59:59Z',
    '2000-01-01T00:00:00Z',
    '2000-02-29T00:00:00Z',
    '2024-02-29T23:59:59.999999999+23:59',
    '2012-12-10T03:00:48-00:00',
    formatTimestamp(Date.now()),
    formatTimestamp(Date.now() + 86_400_000),
  ])('%s is kept', (text) => expect(is(text)).toBe(true));

  it.each([
    '',
    '-',
    'yesterday',
    '2012-12-10',
    '2012-12-10 03:00:48Z',
    '2012-12-10T03:00:48',
    '2012-13-10T03:00:48Z',
    '2012-00-10T03:00:48Z',
    '2012-12-32T03:00:48Z',
    '2012-12-10T24:00:48Z',
    '2012-12-10T03:60:48Z',
    '2012-12-10T03:00:61Z',
    '2016-12-31T23:59:60Z',
    '2012-12-10T03:00:48+24:00',
    '2012-12-10T03:00:48+99:99',
    '2012-12-10T03:00:48-00:60',
    '2026-02-30T03:00:48Z',
    '2023-02-29T03:00:48Z',
    '2012-04-31T03:00:48Z',
    '2012-12-00T03:00:48Z',
    '2012-12-10T24:00:00Z',
    '2012-12-10t03:00:48Z',
    '2012-12-10T03:00:48z',
    '2012-12-10T03:00:48.1234567890Z',
    '2012-12-10T03:00:48,123Z',
    '2012-12-10T03:00:48.123456+0:00',
    '2012-12-10T03:00:48.123456Z0',
    '2012-12-10T03:00:48.Z',
    '2012-12-10T03:00:48.12x456Z',
    '2012-12-10T03:00:48+0000',
    '2012-12-10T03:00:48+00:0x',
    '2012-12-10T03:00:48Z\u001b[2J',
    '2o12-12-10T03:00:48Z',
    '1999-12-31T23:59:59Z',
    '1970-01-01T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    formatTimestamp(Date.now() + 2 * 86_400_000),
    '2012-12-10T03:00:48.1234567890123456789Z',
  ])('%j is not one, so the time of arrival is stamped', (text) => expect(is(text)).toBe(false));

  it('that is kept is one that every calendar has', () => {
    fc.assert(
      fc.property(anyTimestamp, (text) => {
        if (!is(text)) return;
        const ms = Date.parse(text);
        expect(ms).not.toBeNaN();
        // Back in the sender's own offset it is the same day and time: nothing ran over.
        const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(text) ?? ['', '+', '0', '0'];
        const offsetMs = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
        expect(new Date(ms + offsetMs).toISOString().slice(0, 19)).toBe(text.slice(0, 19));
      }),
      { numRuns: propertyRuns(5_000) },
    );
  });
});
