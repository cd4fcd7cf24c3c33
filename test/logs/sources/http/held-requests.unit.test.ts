import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TailraceError } from '../../../../src/common/errors.ts';
import { HeldRequests } from '../../../../src/logs/sources/http/held-requests.ts';

const AWAY = new TailraceError('unavailable', 'away');
const LIMITS = { holdMs: 5_000, requestsMax: 2, bytesMax: 100 };

let held: HeldRequests;
let isAway = true;
let attempts = 0;
/** A step that is refused while the store is away. */
const step = (): string => {
  attempts++;
  if (isAway) throw AWAY;
  return 'stored';
};
const here = (): boolean => false;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  held = new HeldRequests(LIMITS);
  isAway = true;
  attempts = 0;
});
afterEach(() => void vi.useRealTimers());

/** What becomes of a promise. */
function outcome(promise: Promise<unknown>): { value?: unknown; error?: unknown } {
  const seen: { value?: unknown; error?: unknown } = {};
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}

describe('a request that would be refused for now', () => {
  it('is held, and goes on when the store is back', async () => {
    const seen = outcome(held.run(held.begin(here), step));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(seen).toEqual({});
    expect(attempts).toBeGreaterThan(5);
    isAway = false;
    await vi.advanceTimersByTimeAsync(500);
    expect(seen).toEqual({ value: 'stored' });
  });

  it('is refused after five seconds, of all its steps together', async () => {
    const request = held.begin(here);
    const first = outcome(held.run(request, step));
    await vi.advanceTimersByTimeAsync(3_000);
    isAway = false;
    await vi.advanceTimersByTimeAsync(500);
    expect(first).toEqual({ value: 'stored' });
    isAway = true;
    const second = outcome(held.run(request, step));
    await vi.advanceTimersByTimeAsync(1_400);
    expect(second).toEqual({});
    await vi.advanceTimersByTimeAsync(700);
    expect(second).toEqual({ error: AWAY });
  });

  it('that takes its time to fail isn’t held longer for it', async () => {
    const slow = async (): Promise<never> => {
      attempts++;
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      throw AWAY;
    };
    const seen = outcome(held.run(held.begin(here), slow));
    await vi.advanceTimersByTimeAsync(5_001);
    expect(seen).toEqual({ error: AWAY });
    expect(attempts).toBe(1);
  });

  it('waits for what is under way when its time is over: it might be stored', async () => {
    const slow = async (): Promise<string> => {
      attempts++;
      if (attempts === 1) throw AWAY;
      await new Promise((resolve) => setTimeout(resolve, 9_000));
      return 'stored late';
    };
    const seen = outcome(held.run(held.begin(here), slow));
    await vi.advanceTimersByTimeAsync(8_000);
    expect(seen).toEqual({});
    await vi.advanceTimersByTimeAsync(2_000);
    expect(seen).toEqual({ value: 'stored late' });
  });

  it('whose sender has gone isn’t tried again', async () => {
    let isGone = false;
    const seen = outcome(
      held.run(
        held.begin(() => isGone),
        step,
      ),
    );
    await vi.advanceTimersByTimeAsync(1_000);
    isGone = true;
    isAway = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(seen).toEqual({ error: AWAY });
  });

  it('gets its answer when the server stops', async () => {
    const seen = outcome(held.run(held.begin(here), step));
    await vi.advanceTimersByTimeAsync(100);
    held.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual({ error: AWAY });
    expect(outcome(held.run(held.begin(here), step))).toEqual({});
    await vi.advanceTimersByTimeAsync(0);
    const last = outcome(held.run(held.begin(here), step));
    await vi.advanceTimersByTimeAsync(0);
    expect(last).toEqual({ error: AWAY });
  });
});

describe('at once', () => {
  it('is refused what waiting doesn’t help', async () => {
    for (const code of ['bad_request', 'unauthorized', 'rate_limited', 'too_large'] as const) {
      const error = new TailraceError(code, code);
      const fails = (): never => {
        throw error;
      };
      await expect(held.run(held.begin(here), fails)).rejects.toBe(error);
    }
    const unexpected = new Error('unexpected');
    await expect(held.run(held.begin(here), () => Promise.reject(unexpected))).rejects.toBe(unexpected);
  });

  it('are refused more requests, or bytes, than may be held', async () => {
    const first = outcome(held.run(held.begin(here), step));
    const large = held.begin(here);
    large.bytes = 90;
    const second = outcome(held.run(large, step));
    await vi.advanceTimersByTimeAsync(100);
    const third = outcome(held.run(held.begin(here), step));
    await vi.advanceTimersByTimeAsync(0);
    expect([first, second, third]).toEqual([{}, {}, { error: AWAY }]);
    isAway = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect([first, second]).toEqual([{ value: 'stored' }, { value: 'stored' }]);
    isAway = true;
    const another = held.begin(here);
    another.bytes = 60;
    const fourth = outcome(held.run(another, step));
    await vi.advanceTimersByTimeAsync(10);
    const tooMuch = held.begin(here);
    tooMuch.bytes = 60;
    const fifth = outcome(held.run(tooMuch, step));
    await vi.advanceTimersByTimeAsync(0);
    expect([fourth, fifth]).toEqual([{}, { error: AWAY }]);
  });
});
