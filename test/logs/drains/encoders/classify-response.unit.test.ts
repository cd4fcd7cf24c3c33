import { expect, it } from 'vitest';
import {
  classifyDrainResponse,
  parseRetryAfter,
} from '../../../../src/logs/drains/encoders/classify-response.ts';

it.each([
  [200, 'accepted'],
  [201, 'accepted'],
  [202, 'accepted'],
  [204, 'accepted'],
  [301, 'retry'],
  [400, 'refused'],
  [401, 'retry'],
  [402, 'retry'],
  [403, 'retry'],
  [404, 'retry'],
  [405, 'retry'],
  [406, 'refused'],
  [408, 'retry'],
  [413, 'refused'],
  [415, 'refused'],
  [422, 'refused'],
  [423, 'retry'],
  [425, 'retry'],
  [426, 'retry'],
  [429, 'retry'],
  [451, 'retry'],
  [500, 'retry'],
  [502, 'retry'],
  [503, 'retry'],
  [504, 'retry'],
])('%i: %s', (status, meaning) => expect(classifyDrainResponse(status)).toBe(meaning));

const SENT = 'Mon, 30 Nov 2026 13:00:00 GMT';
const FROM_NOW = new Date(Date.now() + 90_000).toUTCString();

it.each([
  ['120', '', 120],
  ['0', '', 0],
  ['5, 7', '', 7],
  ['99999999999999999999', '', 3_600],
  ['-5', '', 0],
  ['Thu, 01 Jan 1970 00:00:00 GMT', '', 0],
  // By the clock of whoever says it, however that is set.
  ['Mon, 30 Nov 2026 13:00:30 GMT', SENT, 30],
  ['Mon, 30 Nov 2026 12:59:00 GMT', SENT, 0],
  ['Tue, 30 Nov 2027 13:00:30 GMT', SENT, 3_600],
  ['soon', SENT, undefined],
  ['', SENT, undefined],
])('Retry-After: %s, sent at %j: %s s', (header, date, seconds) =>
  expect(parseRetryAfter(header, date)).toBe(seconds === undefined ? undefined : seconds * 1_000),
);

it.each(['', 'no date'])(
  'Retry-After with a date is by our clock when the answer has no Date (%j)',
  (date) => {
    expect(Math.abs((parseRetryAfter(FROM_NOW, date) ?? 0) - 90_000)).toBeLessThan(60_000);
  },
);
