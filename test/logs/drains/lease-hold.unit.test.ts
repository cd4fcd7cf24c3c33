import { describe, expect, it } from 'vitest';
import { LeaseHold } from '../../../src/logs/drains/lease-hold.ts';

const LEASE = { name: 'drain/1', owner: 'me', fence: 7 };

function holdUntil(ms: number): { hold: LeaseHold; setTime: (ms: number) => void } {
  let now = 0;
  return {
    hold: new LeaseHold(LEASE, ms, () => now),
    setTime: (ms) => {
      now = ms;
    },
  };
}

describe('a lease', () => {
  it('is held until it may have expired, and again when it was renewed', () => {
    const { hold, setTime } = holdUntil(100);
    expect(hold.isHeld).toBe(true);
    setTime(99);
    expect(hold.isHeld).toBe(true);
    setTime(100);
    expect(hold.isHeld).toBe(false);
    expect(hold.isLost).toBe(false);
    hold.renewed(200);
    expect(hold.isHeld).toBe(true);
    setTime(200);
    expect(hold.isHeld).toBe(false);
  });

  it('that is lost is never held again', () => {
    const { hold } = holdUntil(100);
    hold.lose();
    expect([hold.isHeld, hold.isLost]).toEqual([false, true]);
    hold.renewed(200);
    expect([hold.isHeld, hold.isLost]).toEqual([false, true]);
  });

  it('tells all who wait for it when it is renewed or lost', async () => {
    const { hold } = holdUntil(0);
    const renewed = [hold.changed(), hold.changed()];
    hold.renewed(50);
    await Promise.all(renewed);
    const lost = hold.changed();
    hold.lose();
    await lost;
  });
});
