import { describe, expect, it } from 'vitest';
import { StoreClock, type TimeSources } from '../../../../src/logs/store/embedded/store-clock.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A machine whose clock is set by hand. */
class Machine {
  wallMs = Date.UTC(2026, 10, 28);
  monotonicMs = 5_000_000;
  uptimeMs = 9_000_000;
  bootId = 'first';

  get sources(): TimeSources {
    return {
      wall: () => this.wallMs,
      monotonic: () => this.monotonicMs,
      uptime: () => this.uptimeMs,
      bootId: this.bootId,
    };
  }

  pass(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
    this.uptimeMs += ms;
  }

  sleep(ms: number): void {
    this.wallMs += ms;
    this.uptimeMs += ms;
  }

  /** Another process, with a monotonic clock of its own. */
  restart(clock: StoreClock): StoreClock {
    const saved = clock.save();
    this.monotonicMs = 100;
    return new StoreClock(JSON.parse(JSON.stringify(saved)), this.sources);
  }
}

describe('the store’s clock', () => {
  it('tells the age of a stamp, also of one from before it began', () => {
    const machine = new Machine();
    const old = machine.wallMs - DAY_MS;
    const clock = new StoreClock(undefined, machine.sources);
    const stamp = clock.stamp();
    expect(stamp).toBe(machine.wallMs);
    machine.pass(HOUR_MS);
    expect(clock.ageOf(stamp)).toBe(HOUR_MS);
    expect(clock.ageOf(old)).toBe(DAY_MS + HOUR_MS);
  });

  it.each([-HOUR_MS, DAY_MS, -400 * DAY_MS, 400 * DAY_MS])(
    'is not set when the system’s is, by %i ms',
    (byMs) => {
      const machine = new Machine();
      const clock = new StoreClock(undefined, machine.sources);
      const stamps = [clock.stamp()];
      for (const setBy of [byMs, -byMs, byMs]) {
        machine.pass(10 * MINUTE_MS);
        machine.wallMs += setBy;
        const before = clock.now();
        stamps.push(clock.stamp());
        expect(clock.now()).toBe(before);
        expect(clock.ageOf(stamps[0])).toBe((stamps.length - 1) * 10 * MINUTE_MS);
      }
      machine.pass(10 * MINUTE_MS);
      // Where a stamp was given twice, the later time counts.
      for (const [i, stamp] of stamps.entries()) {
        expect(clock.ageOf(stamp)).toBeGreaterThanOrEqual(0);
        expect(clock.ageOf(stamp)).toBeLessThanOrEqual((4 - i) * 10 * MINUTE_MS);
      }
      expect(clock.ageOf(stamps[3])).toBe(10 * MINUTE_MS);
    },
  );

  it.each([-HOUR_MS, DAY_MS])(
    'knows what passed between two processes when the system’s is set meanwhile, by %i ms',
    (byMs) => {
      const machine = new Machine();
      const clock = new StoreClock(undefined, machine.sources);
      const stamp = clock.stamp();
      machine.pass(MINUTE_MS);
      const before = clock.now();
      machine.wallMs += byMs;
      const saved = clock.save();
      machine.pass(MINUTE_MS);
      machine.monotonicMs = 100;
      const next = new StoreClock(JSON.parse(JSON.stringify(saved)), machine.sources);
      expect(next.now()).toBe(before + MINUTE_MS);
      expect(next.ageOf(stamp)).toBe(2 * MINUTE_MS);
      const later = next.stamp();
      machine.pass(MINUTE_MS);
      expect(next.ageOf(later)).toBe(MINUTE_MS);
      expect(next.ageOf(stamp)).toBe(3 * MINUTE_MS);
    },
  );

  it('knows it too when nothing was saved after the clock was set', () => {
    const machine = new Machine();
    const clock = new StoreClock(undefined, machine.sources);
    const saved = clock.save();
    const stamp = clock.stamp();
    machine.pass(MINUTE_MS);
    machine.wallMs += DAY_MS;
    machine.monotonicMs = 100;
    const next = new StoreClock(saved, machine.sources);
    expect(next.ageOf(stamp)).toBe(MINUTE_MS);
  });

  it('believes the system’s over a restart of the machine, unless that would be the past', () => {
    const machine = new Machine();
    const clock = new StoreClock(undefined, machine.sources);
    const stamp = clock.stamp();
    machine.pass(MINUTE_MS);
    const saved = clock.save();
    machine.bootId = 'second';
    machine.uptimeMs = 10_000;
    machine.wallMs += DAY_MS;
    expect(new StoreClock(saved, machine.sources).ageOf(stamp)).toBe(DAY_MS + MINUTE_MS);
    // Its battery is empty: it begins in 1970, and is set when the network is there.
    machine.wallMs = 1_000;
    const next = new StoreClock(saved, machine.sources);
    expect(next.ageOf(stamp)).toBe(MINUTE_MS);
    const early = next.stamp();
    machine.pass(MINUTE_MS);
    machine.wallMs = Date.UTC(2026, 10, 30);
    expect(next.stamp()).toBe(machine.wallMs);
    expect(next.ageOf(stamp)).toBe(2 * MINUTE_MS);
    expect(next.ageOf(early)).toBe(MINUTE_MS);
  });

  it('counts the time in which the machine slept', () => {
    const machine = new Machine();
    const clock = new StoreClock(undefined, machine.sources);
    const stamp = clock.stamp();
    machine.sleep(10 * HOUR_MS);
    const later = clock.stamp();
    machine.pass(MINUTE_MS);
    expect(clock.ageOf(stamp)).toBe(10 * HOUR_MS + MINUTE_MS);
    expect(clock.ageOf(later)).toBe(MINUTE_MS);
    expect(machine.restart(clock).ageOf(later)).toBe(MINUTE_MS);
  });

  it('counts a stamp from the future as given now', () => {
    const machine = new Machine();
    const future = machine.wallMs + 400 * DAY_MS;
    const clock = new StoreClock(undefined, machine.sources);
    expect(clock.ageOf(future)).toBe(0);
  });

  it('remembers a bounded number of times that the clock was set', () => {
    const machine = new Machine();
    const clock = new StoreClock(undefined, machine.sources);
    let steps = 0;
    clock.onStep = () => steps++;
    for (let i = 0; i < 500; i++) {
      machine.pass(MINUTE_MS);
      machine.wallMs += i % 2 === 0 ? HOUR_MS : -HOUR_MS;
      clock.stamp();
    }
    expect(steps).toBe(500);
    expect(clock.save().steps.length).toBeLessThan(100);
    clock.forgetBefore(10 * MINUTE_MS);
    expect(clock.save().steps.length).toBeLessThan(13);
    const stamp = clock.stamp();
    machine.pass(MINUTE_MS);
    expect(clock.ageOf(stamp)).toBe(MINUTE_MS);
  });
});
