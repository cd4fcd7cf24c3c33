/** Requests of a drain: at once after a lull, together while lines come all the time. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  RequestLoad,
  RequestPacer,
  requestIntervalMs,
} from '../../../../src/logs/drains/progress/request-pacer.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
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

it('each of many destinations waits longer, for two seconds at the most; a few wait for 20 ms', () => {
  const counts = [0, 1, 20, 100, 200, 400, 600, 1_000, 5_000];
  expect(counts.map(requestIntervalMs)).toEqual([20, 20, 20, 100, 200, 650, 1_100, 2_000, 2_000]);
});

it('destinations are counted however seldom each has a request, and when there are none any more the next waits for 20 ms', () => {
  /** The interval after twelve seconds in which so many had a request as often as they may. */
  const intervalOf = (count: number): number => {
    const load = new RequestLoad();
    const lastMs = new Array<number>(count).fill(Number.NEGATIVE_INFINITY);
    for (let nowMs = 10_000; nowMs < 22_000; nowMs += 50)
      for (const [i, last] of lastMs.entries()) {
        if (nowMs < last + load.intervalMs(nowMs)) continue;
        load.requestStarted(nowMs, last);
        lastMs[i] = nowMs;
      }
    const interval = load.intervalMs(22_000);
    expect(load.intervalMs(28_000)).toBe(20);
    return interval;
  };
  for (const count of [1, 20, 200, 600, 1_000, 2_000])
    expect(intervalOf(count)).toBe(requestIntervalMs(count));
});

/** So many destinations that always have lines, for ten seconds; when their requests began, after the first five. */
async function startsOf(destinations: number): Promise<number[][]> {
  const load = new RequestLoad();
  const settledMs = performance.now() + 5_000;
  const endMs = settledMs + 5_000;
  const all = Array.from({ length: destinations }, async (_, destination) => {
    const pace = new RequestPacer(() => 5, undefined, load);
    const starts: number[] = [];
    // They get their first lines at different times.
    await new Promise((resolve) => setTimeout(resolve, destination));
    while (performance.now() < endMs) {
      await pace.waitForNext();
      pace.requestStarted();
      if (performance.now() > settledMs) starts.push(performance.now());
    }
    return starts;
  });
  await vi.advanceTimersByTimeAsync(13_000);
  return Promise.all(all);
}

it('those of many destinations begin together, each as far from the one before as it should', async () => {
  for (const destinations of [250, 500]) {
    const intervalMs = requestIntervalMs(destinations);
    const allStarts = await startsOf(destinations);
    const intervals = allStarts.flatMap((starts) => starts.slice(1).map((ms, i) => ms - starts[i]));
    expect(intervals.length).toBeGreaterThan(destinations);
    expect(Math.min(...intervals)).toBeGreaterThanOrEqual(intervalMs - 30);
    expect(Math.max(...intervals)).toBeLessThanOrEqual(intervalMs + 30);
    // Forty moments a second.
    expect(new Set(allStarts.flat()).size).toBeLessThanOrEqual(7 * 40);
  }
});

it('before requests that begin together, all of them are prepared; one whose turn came sooner begins once', async () => {
  const load = new RequestLoad();
  for (let i = 0; i < 1_000; i++) load.requestStarted(performance.now(), Number.NEGATIVE_INFINITY);
  const events: string[] = [];
  let lines = 5;
  const begin = (name: string): RequestPacer => {
    const pace = new RequestPacer(
      () => lines,
      () => events.push(`prepare ${name}`),
      load,
    );
    pace.requestStarted();
    void pace.waitForNext().then(() => events.push(`begin ${name}`));
    return pace;
  };
  const [first] = [begin('first'), begin('second'), begin('third')];
  await vi.advanceTimersByTimeAsync(1_900);
  expect(events).toEqual([]);
  lines = 500;
  first.linesArrived();
  await vi.advanceTimersByTimeAsync(200);
  expect(events).toEqual(['begin first', 'prepare second', 'prepare third', 'begin second', 'begin third']);
});

it('a destination rests until its next request while there are many, and never while there are few', async () => {
  const load = new RequestLoad();
  const pace = new RequestPacer(() => 1, undefined, load);
  expect(pace.isResting).toBe(false);
  pace.requestStarted();
  expect(pace.isResting).toBe(false);
  for (let i = 0; i < 1_000; i++) load.requestStarted(performance.now(), Number.NEGATIVE_INFINITY);
  expect(pace.isResting).toBe(true);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(pace.isResting).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(pace.isResting).toBe(false);
});

it('a request that failed is repeated when others say so, however many destinations there are', async () => {
  const load = new RequestLoad();
  for (let i = 0; i < 1_000; i++) load.requestStarted(performance.now(), Number.NEGATIVE_INFINITY);
  const pace = new RequestPacer(() => 1, undefined, load);
  for (let attempt = 0; attempt < 3; attempt++) {
    pace.requestStarted();
    pace.requestFailed();
    expect(pace.isResting).toBe(false);
    expect(await isThereAfter(0, pace.waitForNext())).toBe(true);
  }
  pace.requestStarted();
  expect(pace.isResting).toBe(true);
  expect(await isThereAfter(1_900, pace.waitForNext())).toBe(false);
});
