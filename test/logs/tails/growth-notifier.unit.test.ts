import { expect, it, vi } from 'vitest';
import { Turns } from '../../../src/common/limits/turns.ts';
import { GrowthNotifier } from '../../../src/logs/tails/growth-notifier.ts';

/** A stream, tails that take so many milliseconds each, and turns of the event loop that a test begins. */
function scene(count: number, takesMs: number) {
  let now = 0;
  let grow = (): void => {};
  const due: (() => void)[] = [];
  const reader = {
    onAppend: (listener: () => void) => {
      grow = listener;
      return () => {
        grow = () => {};
      };
    },
  };
  const notifier = new GrowthNotifier(reader, new Turns((callback) => due.push(callback)), () => now);
  const calls: number[] = Array.from({ length: count }, () => 0);
  const remove = calls.map((_, i) =>
    notifier.add(() => {
      calls[i]++;
      now += takesMs;
    }),
  );
  return {
    calls,
    remove,
    grow: () => grow(),
    total: () => calls.reduce((sum, n) => sum + n, 0),
    pass: (ms: number) => {
      now += ms;
    },
    /** @returns whether there was anything to do in it */
    turn: async () => {
      const callback = due.shift();
      callback?.();
      await new Promise((resolve) => setImmediate(resolve));
      return callback !== undefined;
    },
  };
}

it('notifies some tails at once, and of many a few in each turn of the event loop', async () => {
  const few = scene(2, 0.125);
  few.grow();
  expect(few.calls).toEqual([1, 1]);

  const many = scene(7, 0.125);
  many.grow();
  const seen = [many.total()];
  while (await many.turn()) seen.push(many.total());
  expect(seen).toEqual([2, 4, 6, 7]);
});

it('notifies again of what has come during a round, after a pause, each tail once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { grow, turn, total, calls } = scene(5, 1);
    grow();
    grow();
    grow();
    while (await turn());
    expect(total()).toBe(5);
    expect(vi.getTimerCount()).toBe(1);
    // Four times as long as the round was: most of the time is for others.
    vi.advanceTimersByTime(19);
    while (await turn());
    expect(total()).toBe(5);
    vi.advanceTimersByTime(1);
    while (await turn());
    expect(calls).toEqual([2, 2, 2, 2, 2]);
  } finally {
    vi.useRealTimers();
  }
});

it('leaves out who has gone in the middle of a round, and ends with the last one', async () => {
  const { grow, turn, calls, remove } = scene(5, 0.125);
  grow();
  remove[3]();
  await turn();
  expect(calls).toEqual([1, 1, 1, 0, 1]);
  for (const end of remove) end();
  while (await turn());
  grow();
  expect(calls).toEqual([1, 1, 1, 0, 1]);
});
