import { expect, it } from 'vitest';
import { refusedForNow } from '../../../src/cli/logs/tail-message.ts';

it.each([
  [429, '30', { why: 'lost', detail: 'the server answered 429, and asks for 30 s', retryAfterMs: 30_000 }],
  [408, undefined, { why: 'lost', detail: 'the server answered 408' }],
  [425, '0', { why: 'lost', detail: 'the server answered 425' }],
  [
    503,
    'Mon, 30 Nov 2026 12:00:10 GMT',
    { detail: 'the server answered 503, and asks for 10 s', retryAfterMs: 10_000 },
  ],
  [502, 'soon', { why: 'lost', detail: 'the server answered 502' }],
])('a tail that is answered %i (Retry-After: %s) goes on later', (status, retryAfter, end) => {
  // By the clock of whoever answers, which may be wrong.
  expect(refusedForNow(status, { retryAfter, date: 'Mon, 30 Nov 2026 12:00:00 GMT' })).toMatchObject(end);
});

it.each([400, 401, 403, 404, 410, 422])('a tail that is answered %i ends', (status) => {
  expect(refusedForNow(status, { retryAfter: '1', date: undefined })).toBeUndefined();
});
