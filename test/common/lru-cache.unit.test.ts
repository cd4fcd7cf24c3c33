import { describe, expect, it } from 'vitest';
import { LruCache } from '../../src/common/lru-cache.ts';

/** A cache of `max` entries to which the keys 0, 1 … were added. */
function filled(max: number, count: number): LruCache<number, string> {
  const cache = new LruCache<number, string>(max);
  for (let key = 0; key < count; key++) cache.set(key, `value ${key}`);
  return cache;
}

describe('LruCache', () => {
  it('holds no more than its limit, and the newest half in any case', () => {
    for (const max of [2, 3, 10])
      for (let count = 1; count <= 3 * max; count++) {
        const keys = Array.from({ length: count }, (_, key) => key);
        // To look is to use: each look is at a cache of its own.
        const held = keys.filter((key) => filled(max, count).get(key) === `value ${key}`);
        expect(held.length).toBeLessThanOrEqual(max);
        expect(held).toEqual(keys.slice(-held.length));
        expect(held.length).toBeGreaterThanOrEqual(Math.min(count, Math.floor(max / 2)));
      }
  });

  it('keeps an entry that is used while others come and go', () => {
    const cache = new LruCache<number, string>(10);
    cache.set(0, 'used');
    for (let key = 1; key < 1_000; key++) {
      cache.set(key, 'passing');
      if (cache.get(0) !== 'used') expect.fail(`it’s gone with ${key}`);
    }
    expect(cache.get(1)).toBeUndefined();
  });

  it('gives the newest value of a key that both generations hold', () => {
    const cache = new LruCache<number, string>(4);
    cache.set(0, 'first');
    cache.set(1, '');
    cache.set(2, '');
    cache.set(0, 'second');
    expect(cache.get(0)).toBe('second');
  });

  it('forgets an entry of either generation, and all of them', () => {
    const cache = filled(4, 3);
    cache.delete(0);
    cache.delete(2);
    expect([cache.get(0), cache.get(1), cache.get(2)]).toEqual([undefined, 'value 1', undefined]);
    cache.clear();
    expect(cache.get(1)).toBeUndefined();
  });

  it('counts a value that is set again once', () => {
    const cache = new LruCache<number, string>(4);
    cache.set(0, 'kept');
    for (let i = 0; i < 100; i++) cache.set(1, `value ${i}`);
    expect(cache.get(0)).toBe('kept');
    expect(cache.get(1)).toBe('value 99');
  });
});
