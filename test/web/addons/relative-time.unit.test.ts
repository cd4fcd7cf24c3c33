import { describe, expect, it } from 'vitest';

/** Not known to the compiler here: what it imports needs the browser's types. */
const MODULE: string = '../../../src/web/addons/shared/relative-time.tsx';
const { relativeTime }: { relativeTime: (ms: number, nowMs: number) => string } = await import(MODULE);

describe('how long ago something was', () => {
  it('is said in the words that are needed, whatever the clock says', () => {
    const now = new Date(2026, 10, 28, 14, 5, 9).getTime();
    const MINUTE_MS = 60_000;
    const HOUR_MS = 60 * MINUTE_MS;
    for (const [ago, said] of [
      [0, 'now'],
      [44_000, 'now'],
      [-30_000, 'now'],
      [MINUTE_MS, '1 min ago'],
      [59 * MINUTE_MS, '59 min ago'],
      [5 * HOUR_MS, '5 h ago'],
      [8 * HOUR_MS, '06:05'],
      [-HOUR_MS, '15:05'],
      [24 * HOUR_MS, 'Nov 27'],
      [400 * 24 * HOUR_MS, 'Oct 24, 2025'],
      [Number.NaN, '?'],
    ] as const)
      expect([ago, relativeTime(now - ago, now)]).toEqual([ago, said]);
  });
});
