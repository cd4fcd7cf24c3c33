import { describe, expect, it } from 'vitest';
import { AddonLinks } from '../../src/api/addons/addon-links.ts';
import { PageSessions } from '../../src/api/addons/page-sessions.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('a link to a page', () => {
  it('works once, within five minutes', () => {
    let now = 1_000;
    const links = new AddonLinks(() => now);
    const [first, second, third] = [links.issue('a'), links.issue('b'), links.issue('a')];
    expect(links.redeem(first)).toBe('a');
    expect(links.redeem(first)).toBeUndefined();
    now += 5 * MINUTE_MS - 1;
    expect(links.redeem(second)).toBe('b');
    now += 1;
    expect(links.redeem(third)).toBeUndefined();
  });

  it('is forgotten when too many were made', () => {
    const links = new AddonLinks();
    const first = links.issue('a');
    for (let i = 0; i < 10_000; i++) links.issue('b');
    expect(links.redeem(first)).toBeUndefined();
    expect(links.redeem(links.issue('a'))).toBe('a');
  });
});

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
