/** Requests of a drain: at once after a lull, together while lines come all the time. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RequestLoad, RequestPacer } from '../../../../src/logs/drains/progress/request-pacer.ts';

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

it('the first request begins at once, and so does one after a pause', async () => {
  const pace = new RequestPacer(() => 1);
  expect(await isThereAfter(0, pace.waitForNext())).toBe(true);
  pace.requestStarted();
  await vi.advanceTimersByTimeAsync(20);
  expect(await isThereAfter(0, pace.waitForNext())).toBe(true);
});

it('the next one waits until 20 ms after the one before has begun', async () => {
  const pace = new RequestPacer(() => 1);
  pace.requestStarted();
  await vi.advanceTimersByTimeAsync(5);
  const next = pace.waitForNext();
  pace.linesArrived();
  expect(await isThereAfter(14, next)).toBe(false);
  expect(await isThereAfter(1, next)).toBe(true);
});

it('with nothing to send there is no wait', async () => {
  const pace = new RequestPacer(() => 0);
  pace.requestStarted();
  expect(await isThereAfter(0, pace.waitForNext())).toBe(true);
});

it('many lines are sent at once, however they come', async () => {
  let lines = 500;
  const pace = new RequestPacer(() => lines);
  pace.requestStarted();
  expect(await isThereAfter(0, pace.waitForNext())).toBe(true);
  lines = 1;
  pace.requestStarted();
  const next = pace.waitForNext();
  expect(await isThereAfter(5, next)).toBe(false);
  lines = 499;
  pace.linesArrived();
  expect(await isThereAfter(5, next)).toBe(false);
  lines = 500;
  pace.linesArrived();
  expect(await isThereAfter(0, next)).toBe(true);
});

it('of many destinations each waits longer: there are about a thousand requests a second, and each has one a second', () => {
  /** The interval when so many have got four requests in each of two seconds; long after that it is the shortest. */
  const intervalOf = (count: number): number => {
    const load = new RequestLoad();
    for (let nowMs = 10_000; nowMs < 12_000; nowMs += 250)
      for (let i = 0; i < count; i++) load.requestStarted(nowMs, nowMs - 250);
    const interval = load.intervalMs(11_900);
    expect(load.intervalMs(14_000)).toBe(20);
    return interval;
  };
  expect(intervalOf(1)).toBe(20);
  expect(intervalOf(20)).toBe(20);
  expect(intervalOf(200)).toBe(200);
  expect(intervalOf(5_000)).toBe(1_000);
});

it('those of many destinations begin together, each as far from the one before as it should', async () => {
  const load = new RequestLoad();
  const destinations = 300;
  const allStarts: number[][] = [];
  const settledMs = performance.now() + 3_000;
  const endMs = performance.now() + 6_000;
  const send = async (destination: number): Promise<void> => {
    const pace = new RequestPacer(() => 5, load);
    const starts: number[] = [];
    allStarts.push(starts);
    // They get their first lines at different times.
    await new Promise((resolve) => setTimeout(resolve, destination));
    while (performance.now() < endMs) {
      await pace.waitForNext();
      pace.requestStarted();
      if (performance.now() > settledMs) starts.push(performance.now());
    }
  };
  const all = Array.from({ length: destinations }, (_, destination) => send(destination));
  await vi.advanceTimersByTimeAsync(7_000);
  await Promise.all(all);
  const intervals = allStarts.flatMap((starts) => starts.slice(1).map((ms, i) => ms - starts[i]));
  expect(intervals.length).toBeGreaterThan(destinations * 8);
  expect(Math.min(...intervals)).toBeGreaterThanOrEqual(270);
  expect(Math.max(...intervals)).toBeLessThanOrEqual(330);
  // Forty moments a second, in 3.3 s.
  expect(new Set(allStarts.flat()).size).toBeLessThanOrEqual(140);
});
