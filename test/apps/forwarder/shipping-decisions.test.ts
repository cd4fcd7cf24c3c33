import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classifyIngestStatus } from '../../../src/apps/forwarder/classify-response.ts';
import {
  Backpressure,
  batchFate,
  decideOnError,
  decideOnResponse,
  hasCapacity,
  reportsLossesAfter,
  SendSchedule,
} from '../../../src/apps/forwarder/shipping-decisions.ts';

const policy = { classify: classifyIngestStatus, delayMs: (attempt: number) => 100 * attempt };
const respond = (status: number, attempt = 1, retryAfterMs = 0) =>
  decideOnResponse({ status, retryAfterMs }, attempt, 7, policy);

test('a batch that was accepted needs nothing more', () => {
  expect(respond(204, 3)).toEqual({ outcome: 'delivered', delayMs: 0, warning: '' });
});

test('a refusal is final, and a warning each time', () => {
  for (const attempt of [1, 2])
    expect(respond(413, attempt)).toEqual({
      outcome: 'refused',
      delayMs: 0,
      warning: 'The router refused 7 lines with status 413.',
    });
});

test('an outage is a warning once, and the next attempt comes later each time', () => {
  const start = 'The router takes no lines (status 503); trying again until it does.';
  expect([1, 2, 3].map((attempt) => respond(503, attempt))).toEqual([
    { outcome: 'retry', delayMs: 100, warning: start },
    { outcome: 'retry', delayMs: 200, warning: '' },
    { outcome: 'retry', delayMs: 300, warning: '' },
  ]);
});

test('Retry-After makes an attempt later, never earlier', () => {
  expect(respond(429, 1, 7_000).delayMs).toBe(7_000);
  expect(respond(429, 5, 10).delayMs).toBe(500);
});

test('no response is an outage too, whatever was thrown', () => {
  expect(decideOnError(new Error('reset'), 1, policy)).toEqual({
    outcome: 'retry',
    delayMs: 100,
    warning: 'The router takes no lines (reset); trying again until it does.',
  });
  expect(decideOnError(new TypeError(), 1, policy).warning).toContain('(TypeError)');
  expect(decideOnError('odd', 1, policy).warning).toContain('(odd)');
  expect(decideOnError('odd', 2, policy)).toEqual({ outcome: 'retry', delayMs: 200, warning: '' });
});

test('what wasn’t accepted is lost, unless it is kept on disk when the time is over', () => {
  expect(batchFate(true, true, true)).toBe('accepted');
  expect(batchFate(false, true, true)).toBe('kept');
  expect(batchFate(false, true, false)).toBe('lost');
  expect(batchFate(false, false, true)).toBe('lost');
});

test('losses are reported after what was accepted, and after lines that were lost, not after reports that were', () => {
  expect(reportsLossesAfter('accepted', 1, 1, false)).toBe(true);
  expect(reportsLossesAfter('lost', 3, 2, false)).toBe(true);
  expect(reportsLossesAfter('lost', 2, 2, false)).toBe(false);
  expect(reportsLossesAfter('kept', 3, 0, false)).toBe(false);
  expect(reportsLossesAfter('accepted', 3, 0, true)).toBe(false);
});

test('writers pause from half of the buffer on, and go on at a quarter', () => {
  const pressure = new Backpressure();
  expect([0.49, 0.5, 0.9].map((fill) => pressure.rise(fill))).toEqual([false, true, false]);
  expect([0.5, 0.26, 0.25, 0].map((fill) => pressure.fall(fill))).toEqual([false, false, true, false]);
  expect(pressure.rise(0.5)).toBe(true);
});

test('back-pressure turns on and off alternately, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.double({ min: 0, max: 2, noNaN: true }))), (steps) => {
      const pressure = new Backpressure();
      const reports = steps.flatMap(([comes, fill]) => {
        if (comes) return pressure.rise(fill) ? [true] : [];
        return pressure.fall(fill) ? [false] : [];
      });
      expect(reports).toEqual(reports.map((_, i) => i % 2 === 0));
    }),
  );
});

test('a writer has capacity below its own limit and below half of the buffer', () => {
  expect(hasCapacity(99, 0.49, 100)).toBe(true);
  expect(hasCapacity(100, 0.49, 100)).toBe(false);
  expect(hasCapacity(99, 0.5, 100)).toBe(false);
  expect(hasCapacity(1e9, 0.49, Number.POSITIVE_INFINITY)).toBe(true);
});

test('a batch waits for more lines as long as the queue says, unless somebody waits for it', () => {
  const queue = { readyInMs: (lingerMs: number) => lingerMs - 50 };
  const schedule = new SendSchedule(250);
  expect(schedule.lingerMs(false, queue)).toBe(200);
  expect(schedule.lingerMs(true, queue)).toBe(0);
  schedule.isClosing = true;
  expect(schedule.lingerMs(false, queue)).toBe(0);
});

test('without lingering the queue isn’t even asked', () => {
  const queue = {
    readyInMs: (): number => {
      throw new Error('asked');
    },
  };
  expect(new SendSchedule(0).lingerMs(false, queue)).toBe(0);
});
