import { expect, it } from 'vitest';
import { withTimes } from '../../../src/logs/query/query-times.ts';

const write = (): string => '2026-01-31T12:00:00.000Z';

it.each([
  ['a -b OR c', 'a -b OR c'],
  ['(a "b c") since:yesterday', 'since:"2026-01-31T12:00:00.000Z" a "b c"'],
  ['a OR b since:1h', 'since:"2026-01-31T12:00:00.000Z" (a OR b)'],
  ['until:1h', 'until:"2026-01-31T12:00:00.000Z"'],
  // It would be two phrases elsewhere.
  [`'it is since:1h x"'y' '`, undefined],
])('%j with times of another zone is %j', (text, wanted) =>
  expect(withTimes(text, write)).toBe(wanted ?? text),
);

it('what can’t be read is refused', () => expect(() => withTimes('(a', write)).toThrow(/isn't closed/));
