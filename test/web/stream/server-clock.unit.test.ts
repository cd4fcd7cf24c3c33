import { afterEach, describe, expect, it } from 'vitest';
import { noteServerDate, serverNowMs } from '../../../src/web/stream/server-clock.ts';

const HOUR_MS = 3_600_000;

/** What an answer with this time says, which took so long. */
function answer(aheadMs: number, tookMs = 20): void {
  const now = Date.now();
  noteServerDate(new Date(now + aheadMs).toUTCString(), now - tookMs, now);
}

const ahead = (): number => Math.round((serverNowMs() - Date.now()) / 1_000);

describe('the time of the server', () => {
  afterEach(() => answer(0));

  it.each([5 * HOUR_MS, -5 * HOUR_MS, 366 * 24 * HOUR_MS])('is what its answers say: %i ms ahead', (ms) => {
    answer(ms);
    expect(Math.abs(ahead() * 1_000 - ms)).toBeLessThanOrEqual(1_000);
  });

  it('is the browser’s when they differ by the way of an answer', () => {
    answer(3_000);
    expect(ahead()).toBe(0);
    answer(-3_000);
    expect(ahead()).toBe(0);
  });

  it('is the browser’s again when its clock is set', () => {
    answer(HOUR_MS);
    answer(0);
    expect(ahead()).toBe(0);
  });

  it('isn’t told by answers that took long, went back in time, or have no time that can be read', () => {
    const now = Date.now();
    answer(HOUR_MS, 60_000);
    noteServerDate(new Date(now + HOUR_MS).toUTCString(), now + 5_000, now);
    noteServerDate(null, now, now);
    noteServerDate('yesterday', now, now);
    expect(ahead()).toBe(0);
  });
});
