import { describe, expect, it } from 'vitest';
import { PageSessions } from '../../src/api/addons/page-sessions.ts';

const HOUR_MS = 3_600_000;

describe('a browser that was signed on', () => {
  it('stays so for one add-on, while it looks at its page twice a day', () => {
    let now = 1_000;
    const sessions = new PageSessions(() => now);
    const secret = sessions.start({ addon: 'a', by: 'key' });
    for (let i = 0; i < 4; i++) {
      now += 11 * HOUR_MS;
      expect(sessions.grantHash(secret, 'a')).toBe('key');
      expect(sessions.grantHash(secret, 'b')).toBeUndefined();
    }
    expect(sessions.grantHash('', 'a')).toBeUndefined();
    now += 12 * HOUR_MS;
    expect(sessions.grantHash(secret, 'a')).toBeUndefined();
  });

  it('is signed off when it was idle for longest among too many', () => {
    const sessions = new PageSessions();
    const [idle, used] = [
      sessions.start({ addon: 'a', by: 'key' }),
      sessions.start({ addon: 'a', by: 'key' }),
    ];
    for (let i = 0; i < 9_998; i++) sessions.start({ addon: 'b', by: 'key' });
    expect(sessions.grantHash(used, 'a')).toBe('key');
    sessions.start({ addon: 'b', by: 'key' });
    expect(sessions.grantHash(idle, 'a')).toBeUndefined();
    expect(sessions.grantHash(used, 'a')).toBe('key');
  });
});
