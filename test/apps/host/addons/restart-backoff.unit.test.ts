import { describe, expect, it } from 'vitest';
import { describeEnd, RestartBackoff } from '../../../../src/apps/host/addons/local/restart-backoff.ts';

const KILLED = { wasReady: true, status: 137, ranMs: 5_000 };

describe('the next start of a service', () => {
  it('is at once after a kill, however often, and at most once a second', () => {
    const backoff = new RestartBackoff();
    for (let i = 0; i < 20; i++) expect(backoff.afterRun(KILLED)).toBe(0);
    expect(backoff.afterRun({ ...KILLED, ranMs: 300 })).toBe(700);
    expect(backoff.afterRun({ ...KILLED, status: 143 })).toBe(0);
  });

  it('is later each time, up to a minute, when it can’t start or ends by itself again and again', () => {
    for (const run of [
      { wasReady: false, status: 1, ranMs: 20 },
      { wasReady: false, status: 137, ranMs: 20 },
      { wasReady: true, status: 1, ranMs: 2_000 },
      { wasReady: true, status: 139, ranMs: 2_000 },
    ]) {
      const backoff = new RestartBackoff();
      const delays = Array.from({ length: 10 }, () => backoff.afterRun(run));
      expect(delays).toEqual([
        Math.max(0, 1_000 - run.ranMs),
        1_000,
        2_000,
        4_000,
        8_000,
        16_000,
        32_000,
        60_000,
        60_000,
        60_000,
      ]);
      expect(backoff.afterRun(KILLED)).toBe(0);
      expect(backoff.afterRun({ ...run, ranMs: 2_000 })).toBe(0);
    }
  });

  it('counts anew after it has worked for a minute', () => {
    const backoff = new RestartBackoff();
    for (let i = 0; i < 5; i++) backoff.afterRun({ wasReady: true, status: 1, ranMs: 100 });
    expect(backoff.afterRun({ wasReady: true, status: 1, ranMs: 61_000 })).toBe(0);
    expect(backoff.afterRun({ wasReady: true, status: 1, ranMs: 1_500 })).toBe(0);
  });

  it('is later each time, too, when nothing could be started', () => {
    const backoff = new RestartBackoff();
    expect(Array.from({ length: 4 }, () => backoff.afterFailedStart())).toEqual([1_000, 1_000, 2_000, 4_000]);
  });

  it('is told to the app’s owner in one sentence', () => {
    expect(describeEnd('redis.1', 137, 0, false)).toBe(
      'redis.1 was killed (SIGKILL); it is started again at once.',
    );
    expect(describeEnd('redis.1', 139, 4_000, false)).toBe(
      'redis.1 was ended by signal 11; it is started again in 4 seconds.',
    );
    expect(describeEnd('redis.1', 1, 60_000, true)).toBe(
      "redis.1 ended by itself (exit status 1) while the server's disk is full: make space there. What it confirmed is kept; it is started again in 60 seconds.",
    );
  });
});
