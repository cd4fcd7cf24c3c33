import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FrameQueue } from '../../../src/web/stream/feed/frame-queue.ts';

const FRAME_MS = 16;
let page: EventTarget & { hidden: boolean };
let abort: AbortController;
let frames: number[][];
let queue: FrameQueue<number>;

beforeEach(() => {
  vi.useFakeTimers();
  page = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal('document', page);
  vi.stubGlobal('requestAnimationFrame', (draw: () => void) => setTimeout(draw, FRAME_MS));
  abort = new AbortController();
  frames = [];
  queue = new FrameQueue<number>((items) => frames.push([...items]), abort.signal);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const lines = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

it('gives all that came before a frame to it, in order', () => {
  queue.push([1, 2]);
  queue.push([3]);
  expect(frames).toEqual([]);
  vi.advanceTimersByTime(FRAME_MS);
  queue.push([4]);
  vi.advanceTimersByTime(FRAME_MS);
  expect(frames).toEqual([[1, 2, 3], [4]]);
});

it('draws seldom what nobody can read: behind many lines the next frame waits, the longer the more they were', () => {
  const drawnAtMs: number[] = [];
  const startMs = performance.now();
  const flood = new FrameQueue<number>(() => drawnAtMs.push(performance.now() - startMs), abort.signal);
  for (let ms = 0; ms < 3_000; ms++) {
    flood.push(lines(10));
    vi.advanceTimersByTime(1);
  }
  expect(drawnAtMs.length).toBeGreaterThanOrEqual(9);
  expect(drawnAtMs.length).toBeLessThanOrEqual(12);
  vi.advanceTimersByTime(600); // the last of them, and the wait behind these
  const drawn = drawnAtMs.length;
  flood.push([1]);
  vi.advanceTimersByTime(FRAME_MS);
  expect(drawnAtMs).toHaveLength(drawn + 1);
});

it('loses nothing of a flood, whose last lines wait no longer than the others', () => {
  queue.push(lines(5_000));
  vi.advanceTimersByTime(FRAME_MS);
  queue.push([1]);
  vi.advanceTimersByTime(299);
  expect(frames.map((items) => items.length)).toEqual([5_000]);
  vi.advanceTimersByTime(1);
  expect(frames[1]).toEqual([1]);
});

it('is taken in twice a second while the page is hidden, and at once when it is seen again', () => {
  page.hidden = true;
  queue.push([1]);
  vi.advanceTimersByTime(499);
  expect(frames).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(frames).toEqual([[1]]);
  queue.push([2]);
  page.hidden = false;
  page.dispatchEvent(new Event('visibilitychange'));
  expect(frames).toEqual([[1], [2]]);
});

it('forgets what waits when it is told so, and when it has ended', () => {
  queue.push([1]);
  queue.clear();
  vi.advanceTimersByTime(FRAME_MS);
  queue.push([2]);
  abort.abort();
  vi.advanceTimersByTime(FRAME_MS);
  expect(frames).toEqual([]);
});
