/** What each check that needs no process says, by what it sees. */
import { describe, expect, it } from 'vitest';
import { checkClock } from '../../../src/cli/doctor/clock.ts';
import { type CheckedDrain, checkDrains } from '../../../src/cli/doctor/drains.ts';
import { checkNodeVersion } from '../../../src/cli/doctor/node.ts';

describe('the doctor', () => {
  it('reports a Node.js that is too old', () => {
    expect(checkNodeVersion('20.18.3')).toMatchObject({
      level: 'trouble',
      text: expect.stringContaining('20.19'),
    });
    for (const version of ['20.19.0', '22.1.0', '24.0.0']) expect(checkNodeVersion(version).level).toBe('ok');
  });

  it('compares clocks, without the time on the network', () => {
    const now = Date.now();
    expect(checkClock(now - 3_000, now - 20_000, now).level).toBe('ok');
    expect(checkClock(now + 60_000, now, now)).toMatchObject({
      level: 'concern',
      text: expect.stringMatching(/^60 s behind/),
    });
    expect(checkClock(now - 60_000, now, now)).toMatchObject({
      level: 'concern',
      text: expect.stringMatching(/^60 s ahead/),
    });
  });

  it('reports drains that retry, are paused, behind, or have lost lines', () => {
    const drain = (delivery: Partial<CheckedDrain['delivery']>): CheckedDrain => ({
      url: 'https://logs.example/x',
      token: 'd.1',
      delivery: { state: 'idle', lost: 0, lagLines: 0, lagMs: 0, ...delivery },
    });
    const findings = checkDrains('rill', [
      drain({}),
      drain({ state: 'retrying', lagLines: 12_345, lastError: '503 from the server' }),
      drain({ state: 'paused' }),
      drain({ state: 'delivering', lagLines: 9, lagMs: 120_000 }),
      drain({ lost: 7 }),
    ]);
    expect(findings.map(({ level, text }) => `${level}: ${text}`)).toEqual([
      'trouble: https://logs.example/x of rill takes no lines, 12,345 lines wait: 503 from the server. See tailrace drains:info -a rill d.1.',
      'note: https://logs.example/x of rill is paused: tailrace drains:resume -a rill d.1.',
      expect.stringMatching(/^concern: .* 120 s behind, 9 lines wait/),
      expect.stringMatching(/^concern: .* lost 7 lines/),
    ]);
  });
});
