import { describe, expect, it } from 'vitest';
import { PageSessions } from '../../src/api/addons/page-sessions.ts';

const HOUR_MS = 3_600_000;

describe('a browser that was signed on', () => {
  it('stays so for one add-on, while it looks at its page twice a day', () => {
    let now = 1_000;
    const sessions = new PageSessions(() => now);
    const secret = sessions.start('a');
    for (let i = 0; i < 4; i++) {
      now += 11 * HOUR_MS;
      expect(sessions.isValid(secret, 'a')).toBe(true);
      expect(sessions.isValid(secret, 'b')).toBe(false);
    }
    expect(sessions.isValid('', 'a')).toBe(false);
    now += 12 * HOUR_MS;
    expect(sessions.isValid(secret, 'a')).toBe(false);
  });

  it('is signed off when it was idle for longest among too many', () => {
    const sessions = new PageSessions();
    const [idle, used] = [sessions.start('a'), sessions.start('a')];
    for (let i = 0; i < 9_998; i++) sessions.start('b');
    expect(sessions.isValid(used, 'a')).toBe(true);
    sessions.start('b');
    expect(sessions.isValid(idle, 'a')).toBe(false);
    expect(sessions.isValid(used, 'a')).toBe(true);
  });
});
