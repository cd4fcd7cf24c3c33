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

/** A token of no app: what counts is its form. */
export const FOREIGN_TOKEN = 't.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d';

const piece = fc.constantFrom(
  ...[
    'web',
    '.1',
    '-',
    'x'.repeat(15),
    'y'.repeat(100),
    '\u202e',
    'ü',
    '\x1b[31m',
    '\x00',
    '\t',
    '\x7f',
    '\r',
    'T',
    't.',
  ],
  ...[FOREIGN_TOKEN, FOREIGN_TOKEN.toUpperCase(), FOREIGN_TOKEN.slice(0, 32), FOREIGN_TOKEN.slice(0, 16)],
);

/** A header field, mostly one that RFC 5424 doesn't allow. */
export const anyField: fc.Arbitrary<string> = fc
  .array(piece, { maxLength: 5 })
  .map((pieces) => pieces.join(''));

const name = fc.constantFrom(
  'a',
  'exampleSDID@32473',
  'k',
  'tailrace@32473',
  'token',
  'n'.repeat(40),
  FOREIGN_TOKEN,
  '-',
);
const value = fc
  .array(
    fc.constantFrom(
      'v',
      'grüße',
      '\u202e',
      '\\"',
      '\\]',
      '\\\\',
      '\\x',
      '[',
      '=',
      ' ',
      '\n',
      '\x1b[2J',
      FOREIGN_TOKEN,
    ),
    { maxLength: 4 },
  )
  .map((pieces) => pieces.join(''));

/** Structured data by the grammar of RFC 5424 section 6.3: elements with and without parameters. */
export const validStructuredData: fc.Arbitrary<string> = fc
  .array(fc.tuple(name, fc.array(fc.tuple(name, value), { maxLength: 3 })), { minLength: 1, maxLength: 3 })
  .map((elements) =>
    elements
      .map(([id, parameters]) => `[${id}${parameters.map(([key, text]) => ` ${key}="${text}"`).join('')}]`)
      .join(''),
  );

/** The same with something in it doubled, left out, or put elsewhere. */
export const oddStructuredData: fc.Arbitrary<string> = fc
  .tuple(
    validStructuredData,
    fc.nat(),
    fc.constantFrom('', ' ', '  ', ']', '[', '"', '\\', '\t', '=', 'x'),
    fc.nat(1),
  )
  .map(([text, at, inserted, removed]) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + inserted + text.slice(place + removed);
  });
