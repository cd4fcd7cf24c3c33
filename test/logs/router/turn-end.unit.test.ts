import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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

describe('what nobody reads', () => {
  // Later than all tests before.
  let nowMs = 1e9;
  const loop = { idle: 0, active: 1, utilization: 0.5 };
  beforeEach(async () => {
    loop.utilization = 0.5;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    vi.spyOn(performance, 'eventLoopUtilization').mockImplementation(() => loop);
    // Nothing gathers any more.
    advance(2_000);
    for (let i = 0; i < 3; i++) await calledAfter(1, 'long');
    advance(2_000);
  });
  afterEach(() => advance(2_000));

  function advance(ms: number): void {
    for (let i = 0; i < ms; i++) {
      nowMs++;
      vi.advanceTimersByTime(1);
    }
  }

  /** Adds so many of them. @returns when each was called back, in milliseconds from now on */
  function gather(count: number): number[] {
    const startMs = nowMs;
    const calledMs: number[] = [];
    for (let i = 0; i < count; i++) atTurnEnd(() => calledMs.push(nowMs - startMs), 'unread');
    return calledMs;
  }

  it('is called back as what is patient while it is little', async () => {
    const called = gather(99);
    await turn();
    expect(called).toEqual(Array(99).fill(0));
    const more = gather(1);
    await turn();
    expect(more).toEqual([0]);
  });

  it('gathers for half a second while it is much, in the order in which it came, and not all at one time', async () => {
    const before = gather(100);
    await turn();
    expect(before).toHaveLength(100);
    const order: number[] = [];
    const calledMs: number[] = [];
    for (let i = 0; i < 400; i++) {
      const addedMs = nowMs;
      atTurnEnd(() => {
        order.push(i);
        calledMs.push(nowMs - addedMs);
      }, 'unread');
      if (i % 10 === 9) advance(2);
    }
    await turn();
    expect(order).toEqual([]);
    advance(480);
    expect(order.length).toBeGreaterThan(100);
    expect(order.length).toBeLessThan(400);
    advance(100);
    expect(order).toEqual(Array.from({ length: 400 }, (_, i) => i));
    expect(Math.min(...calledMs)).toBeGreaterThanOrEqual(490);
    expect(Math.max(...calledMs)).toBeLessThanOrEqual(510);
  });

  it('gathers for as long when the event loop has no rest', async () => {
    loop.utilization = 1;
    gather(100);
    await turn();
    const waiting = gather(200);
    advance(480);
    expect(waiting).toEqual([]);
    advance(40);
    expect(waiting).toHaveLength(200);
  });

  it('waits no longer once it is little', async () => {
    gather(100);
    await turn();
    const rounds: number[][] = [];
    for (let round = 0; round < 10; round++) {
      rounds.push(gather(150));
      advance(200);
    }
    advance(600);
    for (const calledMs of rounds)
      expect(new Set(calledMs.map((ms) => Math.round(ms / 20) * 20))).toEqual(new Set([500]));
    const few = gather(1);
    await turn();
    advance(8);
    expect(few).toHaveLength(1);
  });

  it('is called back at the end of the turn when it is much memory, and when another one has failed', async () => {
    gather(100);
    await turn();
    const first = gather(150);
    addGatheredBytes(33_000_000);
    await turn();
    expect(first).toEqual([]);
    addGatheredBytes(1_000_000);
    await turn();
    expect(first).toHaveLength(150);
    gather(100);
    await turn();
    const called: number[] = [];
    atTurnEnd(() => {
      throw new Error('one has failed');
    }, 'unread');
    for (let i = 0; i < 3; i++) atTurnEnd(() => called.push(i), 'unread');
    expect(() => advance(600)).toThrow('one has failed');
    await turn();
    expect(called).toEqual([0, 1, 2]);
  });
});
