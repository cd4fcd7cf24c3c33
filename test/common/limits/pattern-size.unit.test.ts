import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { patternSize } from '../../../src/common/limits/pattern-size.ts';

describe('the size of a pattern', () => {
  it.each([
    'timeout',
    'error|warn(?:ing)?',
    '(?:a?){100}',
    '((x{10}){10}){10}',
    '(?:[ab]{1,50}){1,20}\\W',
    '[]a{5}]{7}',
    '[^]x]{3}y',
    '[[:alpha:]{9}]{4}',
    '\\{100}\\d{20}',
    'a{,5}b{x}',
    '(a(b{30}c){20})?',
    '(?i)(x|y{40})*z{100,}',
  ])('%s is about what RE2 makes of it', (pattern) => {
    const compiled = RE2JS.compile(pattern).programSize();
    expect(patternSize(pattern)).toBeGreaterThanOrEqual(compiled / 3);
    expect(patternSize(pattern)).toBeLessThanOrEqual(compiled * 3 + 10);
  });

  it.each([')))', '(((', '[a', 'a{1000}{1000}', '\\', '{5}'])(
    'of %s, which is none, is a number',
    (pattern) => expect(patternSize(pattern)).toBeGreaterThanOrEqual(0),
  );
});
