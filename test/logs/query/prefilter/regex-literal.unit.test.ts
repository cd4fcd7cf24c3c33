import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { regexLiterals } from '../../../../src/logs/query/prefilter/regex-literal.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

describe('the texts, one of which every match of a regular expression has', () => {
  it.each([
    ['status=5\\d\\d', 'status=5'],
    ['payment.*declined', 'declined'],
    ['time-?out', 'time'],
    ['ab+cdef', 'cdef'],
    ['x{2}yz', 'yz'],
    ['^GET /api/v\\d', 'GET /api/v'],
    ['a\\.b\\[c', 'a.b[c'],
    ['[abc]defg[^x]hi', 'defg'],
    ['(?i)abc', ''],
    ['abc|def', 'abc|def'],
    ['abc|d?', ''],
    ['(timeout|refused) at \\d+ ms', 'timeout|refused'],
    ['(a|b) after \\d+ ms', ' after '],
    ['x(?:one|two|)y', 'x'],
    ['x(?P<name>seven|eight)+y', 'seven|eight'],
    ['(seven)?eight(nineteen){0,2}', 'eight'],
    ['((ab|cd)ef|gh(ij|kl))m', 'ef|gh'],
    ['(?i:abc)', ''],
    ['(abc', ''],
    ['abc)', ''],
    ['\\x41bc', ''],
    ['\\pNabc', ''],
    ['\\Qa.b\\E', ''],
    ['[]abc]def', 'def'],
    ['[[:alpha:]]def', ''],
    ['', ''],
  ])('of /%s/ are "%s"', (source, literals) => {
    expect(regexLiterals(source, false).join('|')).toBe(literals);
  });

  it('is in every text that matches', () => {
    const part = fc.constantFrom(
      'a',
      'b',
      'K',
      's',
      '.',
      '\\.',
      'a?',
      'b*',
      'ab+',
      'a{0,2}',
      'b{2}',
      '[ab]',
      '[^a]',
      '\\d',
      '\\w',
      '^',
      '$',
      '\u017f',
      '\u212a',
      ' ',
      '(ab|k)',
      '(?:a|b?)',
      '(b|s)+',
      '(ab)?',
      '(a(b|K)|s)*',
      '|',
    );
    const text = fc.string({ unit: fc.constantFrom(...'abKkSs. 1', '\u017f', '\u212a'), maxLength: 12 });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), text, fc.boolean(), (parts, message, anyCase) => {
        const source = parts.join('');
        let regex: RE2JS;
        try {
          regex = RE2JS.compile(source, anyCase ? RE2JS.CASE_INSENSITIVE : 0);
        } catch {
          return;
        }
        const literals = regexLiterals(source, anyCase).map((one) => one.toLowerCase());
        if (regex.test(message) && literals.length > 0)
          expect(literals.filter((one) => message.toLowerCase().includes(one))).not.toEqual([]);
      }),
      { numRuns: propertyRuns(5_000) },
    );
  });
});
