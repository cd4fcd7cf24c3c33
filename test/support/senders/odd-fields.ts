/** Header fields as they shouldn't be, for tests of what becomes of them. */
import fc from 'fast-check';

const two = (max: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max }).map((number) => String(number).padStart(2, '0'));

/** What looks like a timestamp of RFC 5424: most name a day, a time and an offset that exist, many just don't. */
export const anyTimestamp: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(fc.integer({ min: 2000, max: 2026 }), fc.integer({ min: 0, max: 9_999 })),
    two(13),
    two(32),
    fc.constantFrom('T', 'T', 'T', 'T', 't', ' '),
    two(24),
    two(60),
    two(61),
    fc.oneof(
      fc.constant(''),
      fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 11 }).map((digits) => `.${digits}`),
    ),
    fc.oneof(
      fc.constantFrom('Z', 'Z', 'z', '', '+0000', '+00:0', '-00:00', '+99:99', '+24:00'),
      fc
        .tuple(fc.constantFrom('+', '-'), two(25), two(61))
        .map(([sign, hours, minutes]) => `${sign}${hours}:${minutes}`),
    ),
  )
  .map(
    ([year, month, day, separator, hour, minute, second, fraction, zone]) =>
      `${String(year).padStart(4, '0')}-${month}-${day}${separator}${hour}:${minute}:${second}${fraction}${zone}`,
  );
