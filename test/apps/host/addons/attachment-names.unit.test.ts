import { describe, expect, it } from 'vitest';
import {
  chooseAttachmentName,
  parseAddonName,
  parseAttachmentName,
} from '../../../../src/apps/host/addons/model/attachment-names.ts';

describe('an attachment’s name', () => {
  it('is the service’s own, then one with a color, then one with a number', () => {
    const taken = new Set<string>();
    const names = Array.from({ length: 70 }, () => {
      const name = chooseAttachmentName('DATABASE', 'HEROKU_POSTGRESQL', (one) => !taken.has(one));
      taken.add(name);
      return name;
    });
    expect(names[0]).toBe('DATABASE');
    expect(names[1]).toMatch(/^HEROKU_POSTGRESQL_[A-Z]+$/);
    expect(names[69]).toMatch(/^HEROKU_POSTGRESQL_[A-Z]+_3$/);
    expect(taken.size).toBe(70);
  });

  it('is typed in small letters too', () => {
    expect(parseAttachmentName('my-cache_2')).toBe('MY_CACHE_2');
    for (const typed of ['', '2', '_A', 'A B', 'A.B', 'É', 'A'.repeat(101), 'A=B', 'A\n'])
      expect(() => parseAttachmentName(typed)).toThrow(/can't be an attachment's name/);
  });
});

describe('an add-on’s name', () => {
  it('is Heroku’s', () => {
    expect(parseAddonName('redis-clear-48213')).toBe('redis-clear-48213');
    for (const typed of ['a', '1abc', 'a b', 'abc-', 'a/b', '', 'a::b', `a${'b'.repeat(100)}`])
      expect(() => parseAddonName(typed)).toThrow(/Name must start with a letter/);
  });
});
