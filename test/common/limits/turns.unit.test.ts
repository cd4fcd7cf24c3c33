import { beforeEach, describe, expect, it } from 'vitest';
import { TimeSlices, TurnBudget, TurnQuota, Turns } from '../../../src/common/limits/turns.ts';

/** The event loop, turn by turn. */
let callbacks: (() => void)[] = [];
let now = 0;
let turns: Turns;
beforeEach(() => {
  callbacks = [];
  now = 0;
  turns = new Turns((callback) => callbacks.push(callback));
});

async function turn(): Promise<void> {
  for (const callback of callbacks.splice(0)) callback();
  await new Promise((resolve) => setImmediate(resolve));
}

/** Work that takes so many milliseconds, one after the other. */
async function work(name: string, ms: number, log: string[]): Promise<void> {
  const slices = new TimeSlices(1, turns, () => now);
  for (let done = 0; done < ms; done++) {
    now += 1;
    log.push(name);
    if (slices.isOver) await slices.next();
  }
}

describe('work in slices', () => {
  it('goes on one slice a turn, and all that wait in turns', async () => {
    const log: string[] = [];
    const all = [work('a', 3, log), work('b', 3, log), work('c', 1, log)];
    expect(log).toEqual(['a', 'b', 'c']);
    for (let i = 0; i < 7; i++) {
      const before = log.length;
      expect(callbacks.length).toBeLessThanOrEqual(1);
      await turn();
      expect(log.length - before).toBeLessThanOrEqual(1);
    }
    await Promise.all(all);
    expect(log).toEqual(['a', 'b', 'c', 'a', 'b', 'a', 'b']);
    expect(callbacks).toEqual([]);
  });

  it('does as much in a slice as its time allows', async () => {
    const slices = new TimeSlices(5, turns, () => now);
    now = 4.9;
    expect(slices.isOver).toBe(false);
    now = 5;
    expect(slices.isOver).toBe(true);
    const next = slices.next();
    now = 100;
    await turn();
    await next;
    expect(slices.isOver).toBe(false);
    now = 105;
    expect(slices.isOver).toBe(true);
  });
});

describe('short works', () => {
  it('of one turn take so much together, and the others have the next ones, in order', async () => {
    const budget = new TurnBudget(
      (callback) => callbacks.push(callback),
      () => now,
    );
    const log: number[] = [];
    for (let i = 0; i < 8; i++)
      budget.run(() => {
        now += 0.8;
        log.push(i);
      });
    expect(log).toEqual([0, 1, 2]);
    await turn();
    expect(log).toEqual([0, 1, 2, 3, 4, 5]);
    // One that comes meanwhile doesn't overtake.
    budget.run(() => log.push(8));
    expect(log).toHaveLength(6);
    await turn();
    expect(log).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (let i = 0; i < 3; i++) await turn();
    expect(callbacks).toEqual([]);
    budget.run(() => log.push(9));
    expect(log.at(-1)).toBe(9);
  });

  it('are caught up with when those that wait were done once, and not those that have come behind them', async () => {
    const budget = new TurnBudget(
      (callback) => callbacks.push(callback),
      () => now,
    );
    const log: string[] = [];
    const long = (name: string) => (): void => {
      now += 3;
      log.push(name);
    };
    budget.whenCaughtUp(() => log.push('nothing waits'));
    expect(log).toEqual(['nothing waits']);
    budget.run(long('a'));
    budget.run(long('b'));
    budget.run(long('c'));
    budget.whenCaughtUp(() => log.push('caught up with works'));
    budget.runRest(long('rest'));
    budget.whenCaughtUp(() => log.push('caught up with rests'));
    budget.run(long('d'));
    budget.runRest(long('rest behind'));
    for (let i = 0; i < 8; i++) await turn();
    expect(log.indexOf('caught up with works')).toBeGreaterThan(log.indexOf('c'));
    expect(log.indexOf('caught up with works')).toBeLessThan(log.indexOf('d'));
    expect(log.indexOf('caught up with rests')).toBeGreaterThan(log.indexOf('rest'));
    expect(log.indexOf('caught up with rests')).toBeLessThan(log.indexOf('rest behind'));
    expect(log).toHaveLength(9);
    expect(callbacks).toEqual([]);
  });

  it('may bring others', async () => {
    const budget = new TurnBudget(
      (callback) => callbacks.push(callback),
      () => now,
    );
    const log: string[] = [];
    budget.run(() => {
      log.push('outer');
      budget.run(() => log.push('inner'));
    });
    await turn();
    expect(log).toEqual(['outer', 'inner']);
  });
});

describe('works of a kind, so many a turn', () => {
  it('are done at once up to that number, and the others in later turns, in their order', async () => {
    const quota = new TurnQuota(3, (callback) => callbacks.push(callback));
    const done: number[] = [];
    const work = async (number: number): Promise<void> => {
      await quota.take();
      done.push(number);
    };
    const all = Array.from({ length: 8 }, (_, i) => work(i));
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual([0, 1, 2]);
    await turn();
    expect(done).toEqual([0, 1, 2, 3, 4, 5]);
    // One that comes meanwhile is behind those that wait.
    all.push(work(8));
    await turn();
    expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    await Promise.all(all);
    // Nothing is left for the turns behind that, and the number is there again.
    await turn();
    expect(callbacks).toEqual([]);
    expect([quota.take(), quota.take(), quota.take()]).toEqual([undefined, undefined, undefined]);
    expect(quota.take()).toBeInstanceOf(Promise);
  });
});
