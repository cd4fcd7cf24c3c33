import { afterEach, expect, it } from 'vitest';
import { parseQuery } from '../../../src/logs/query/query-parser.ts';
import { withTimes, zonedSearch } from '../../../src/logs/query/query-times.ts';

const TIME = '2026-01-31T12:00:00.000Z';
const write = (): string => TIME;

it.each([
  ['a -b OR c', 'a -b OR c'],
  ['(a "b c") since:yesterday', `(a "b c") since:"${TIME}"`],
  ['a OR b since:1h', `a OR b since:"${TIME}"`],
  ["a since:'2026-01-31 12:00' OR b", `a since:"${TIME}" OR b`],
  ['Since:"1h" x until:now', `since:"${TIME}" x until:"${TIME}"`],
  ['until:1h', `until:"${TIME}"`],
  ['x since:"yesterday 03:00', `x since:"${TIME}"`],
  // Written anew, it would be two phrases.
  [`'it is since:1h x"'y' '`, `'it is since:1h x"'y' '`],
  [`it's "x since:1h`, `it's "x since:1h`],
  [`it's since:1h x"`, `it's since:"${TIME}" x"`],
])('%j with times of another zone is %j', (text, wanted) => {
  const written = withTimes(text, write);
  expect(written).toBe(wanted);
  expect(parseQuery(written).expression).toEqual(parseQuery(text).expression);
});

it('what can’t be read is refused', () => expect(() => withTimes('(a', write)).toThrow(/isn't closed/));

const zone = process.env.TZ;
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const NOW = Date.parse('2026-12-01T03:30:00Z');

it.each([
  ['since:"2026-12-01 08:30" x', 'since:"2026-12-01T03:00:00.000Z" x'],
  ['until:08:30', 'until:"2026-12-01T03:00:00.000Z"'],
  ['since:today', 'since:"2026-11-30T18:30:00.000Z"'],
  ['since:yesterday', 'since:"2026-11-29T18:30:00.000Z"'],
  ['since:10m', 'since:10m'],
  ['since:"2 hours ago"', 'since:"2 hours ago"'],
  ['since:2026-12-01T03:00:00Z', 'since:"2026-12-01T03:00:00.000Z"'],
  ['(x', '(x'],
])('in India at 9 o’clock %j is %j', (text, wanted) => {
  process.env.TZ = 'Asia/Kolkata';
  expect(zonedSearch(text, NOW)).toBe(wanted);
});
