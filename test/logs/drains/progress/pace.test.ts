/** Requests of a drain: at once after a lull, together while lines come all the time. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Pace } from '../../../../src/logs/drains/progress/pace.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Has it resolved after so many milliseconds more? */
async function isThereAfter(ms: number, promise: Promise<void>): Promise<boolean> {
  let isThere = false;
  void promise.then(() => {
    isThere = true;
  });
  await vi.advanceTimersByTimeAsync(ms);
  return isThere;
}

it('the first request begins at once, and so does one after a lull', async () => {
  const pace = new Pace(() => 1);
  expect(await isThereAfter(0, pace.next())).toBe(true);
  pace.begins();
  await vi.advanceTimersByTimeAsync(20);
  expect(await isThereAfter(0, pace.next())).toBe(true);
});

it('the next one waits until 20 ms after the one before has begun', async () => {
  const pace = new Pace(() => 1);
  pace.begins();
  await vi.advanceTimersByTimeAsync(5);
  const next = pace.next();
  pace.look();
  expect(await isThereAfter(14, next)).toBe(false);
  expect(await isThereAfter(1, next)).toBe(true);
});

it('who has nothing to send doesn’t wait for it', async () => {
  const pace = new Pace(() => 0);
  pace.begins();
  expect(await isThereAfter(0, pace.next())).toBe(true);
});

it('many lines don’t wait, however they come', async () => {
  let lines = 500;
  const pace = new Pace(() => lines);
  pace.begins();
  expect(await isThereAfter(0, pace.next())).toBe(true);
  lines = 1;
  pace.begins();
  const next = pace.next();
  expect(await isThereAfter(5, next)).toBe(false);
  lines = 499;
  pace.look();
  expect(await isThereAfter(5, next)).toBe(false);
  lines = 500;
  pace.look();
  expect(await isThereAfter(0, next)).toBe(true);
});
