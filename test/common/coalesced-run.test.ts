import { describe, expect, it } from 'vitest';
import { CoalescedRun } from '../../src/common/coalesced-run.ts';

/** A run that ends when `end` is called, and the number of those that were started. */
function controlledRun(): { run: () => Promise<void>; started: () => number; end: (error?: Error) => void } {
  let count = 0;
  let settle: ((error?: Error) => void) | undefined;
  return {
    run: () => {
      count++;
      return new Promise((resolve, reject) => {
        settle = (error) => (error ? reject(error) : resolve());
      });
    },
    started: () => count,
    end: (error) => settle?.(error),
  };
}

/** Lets all promises that are settled take effect. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('CoalescedRun', () => {
  it('runs once for requests of one turn', async () => {
    const { run, started, end } = controlledRun();
    const coalesced = new CoalescedRun(run);
    const requests = [coalesced.request(), coalesced.request()];
    await settled();
    end();
    await Promise.all(requests);
    expect(started()).toBe(1);
  });

  it('runs once more, behind the first, for whatever is requested meanwhile', async () => {
    const { run, started, end } = controlledRun();
    const coalesced = new CoalescedRun(run);
    void coalesced.request();
    await settled();
    let ended = false;
    void coalesced.request().then(() => {
      ended = true;
    });
    void coalesced.request();
    await settled();
    expect(started()).toBe(1);
    end();
    await settled();
    expect(started()).toBe(2);
    expect(ended).toBe(false);
    end();
    await settled();
    expect(ended).toBe(true);
    expect(started()).toBe(2);
  });

  it('misses no request that comes as a run ends', async () => {
    // In every microtask from the end of a run on, one of these requests something.
    for (let ticks = 0; ticks < 20; ticks++) {
      let runs = 0;
      const coalesced = new CoalescedRun(async () => {
        runs++;
      });
      void coalesced.request();
      for (let tick = 0; tick < ticks; tick++) await undefined;
      const before = runs;
      await coalesced.request();
      expect(runs).toBeGreaterThan(before);
    }
  });

  it('runs again when the run itself asks for it', async () => {
    let runs = 0;
    const coalesced: CoalescedRun = new CoalescedRun(async () => {
      if (++runs < 3) void coalesced.request();
    });
    await coalesced.request();
    expect(runs).toBe(3);
  });

  it('resolves `idle` when nothing runs, without a run for that', async () => {
    const { run, started, end } = controlledRun();
    const coalesced = new CoalescedRun(run);
    await coalesced.idle();
    expect(started()).toBe(0);
    void coalesced.request();
    let idle = false;
    void coalesced.idle().then(() => {
      idle = true;
    });
    await settled();
    expect(idle).toBe(false);
    end();
    await settled();
    expect(idle).toBe(true);
  });

  it('fails with a run that fails, and runs at the next request', async () => {
    const { run, started, end } = controlledRun();
    const coalesced = new CoalescedRun(run);
    const first = coalesced.request();
    await settled();
    end(new Error('unavailable'));
    await expect(first).rejects.toThrow('unavailable');
    const second = coalesced.request();
    await settled();
    end();
    await second;
    expect(started()).toBe(2);
  });
});
