import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { addGatheredBytes, atTurnEnd, type TurnPatience } from '../../../src/logs/router/turn-end.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Adds so many callbacks in one turn. @returns after how many milliseconds they were called; 0 at its end */
async function calledAfter(
  count: number,
  patience: TurnPatience,
  callback: () => void = () => {},
): Promise<number> {
  let called = 0;
  for (let i = 0; i < count; i++)
    atTurnEnd(() => {
      called++;
      callback();
    }, patience);
  await turn();
  if (called === count) return 0;
  expect(called).toBe(0);
  for (let ms = 1; ; ms++) {
    vi.advanceTimersByTime(1);
    if (called === 0) continue;
    expect(called).toBe(count);
    return ms;
  }
}

it('calls back together at the end of the turn, and later only where many may wait', async () => {
  for (const patience of ['brief', 'long'] as const) {
    expect(await calledAfter(1, patience)).toBe(0);
    expect(await calledAfter(200, patience)).toBe(0);
    // They gather now, until they are few.
    expect(await calledAfter(1, 'none')).toBe(0);
    expect(await calledAfter(200, patience)).toBeGreaterThan(0);
    expect(await calledAfter(1, patience)).toBeGreaterThan(0);
    expect(await calledAfter(1, patience)).toBe(0);
  }
  expect(await calledAfter(200, 'none')).toBe(0);
  expect(await calledAfter(200, 'none')).toBe(0);
});

it('while the event loop has no rest, gathers by how long the last ones took, and no longer than some patience lasts', async () => {
  let nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const loop = { idle: 0, active: 1, utilization: 1 };
  vi.spyOn(performance, 'eventLoopUtilization').mockImplementation(() => loop);
  const gathers = async (patience: TurnPatience, tookMs: number): Promise<number> => {
    // A number of them that makes the sum exact.
    const take = (): void => {
      nowMs += tookMs / 256;
    };
    // How busy it is is known since the look before.
    for (let before = 0; before < 2; before++) await calledAfter(256, patience, take);
    return calledAfter(256, patience, take);
  };
  expect(await gathers('brief', 40)).toBe(40);
  expect(await gathers('brief', 100)).toBe(60);
  expect(await gathers('long', 40)).toBe(160);
  expect(await gathers('long', 100)).toBe(200);
  expect(await gathers('long', 1)).toBe(15);
  loop.utilization = 0.9;
  expect(await gathers('long', 40)).toBe(8);
});

it('what was gathered is called back at the end of the turn when it is much', async () => {
  await calledAfter(200, 'long');
  let called = 0;
  const gather = (): void => atTurnEnd(() => void called++, 'long');
  gather();
  addGatheredBytes(33_000_000);
  await turn();
  expect(called).toBe(0);
  addGatheredBytes(1_000_000);
  await turn();
  expect(called).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
  // From there on it is counted anew.
  await calledAfter(200, 'long');
  await calledAfter(200, 'long');
  gather();
  addGatheredBytes(1_000_000);
  await turn();
  expect(called).toBe(1);
  vi.runAllTimers();
  expect(called).toBe(2);
});
