import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { regexLiteral } from '../../../../src/logs/query/prefilter/regex-literal.ts';

describe('the text that every match of a regular expression has', () => {
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
    ['abc|def', ''],
    ['\\x41bc', ''],
    ['\\pNabc', ''],
    ['\\Qa.b\\E', ''],
    ['[]abc]def', 'def'],
    ['[[:alpha:]]def', ''],
    ['', ''],
  ])('of /%s/ is "%s"', (source, literal) => {
    expect(regexLiteral(source, false)).toBe(literal);
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
        if (regex.test(message))
          expect(message.toLowerCase()).toContain(regexLiteral(source, anyCase).toLowerCase());
      }),
      { numRuns: 5_000 },
    );
  });
});
