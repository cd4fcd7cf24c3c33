/** A search that finds nothing since it is written as elsewhere says how it is written here. */
import { describe, expect, it } from 'vitest';
import { readQuery } from '../../../src/logs/query/read-query.ts';
import { searchHint } from '../../../src/logs/query/search-hint.ts';

describe('searches as others write them', () => {
  it.each([
    ['status>=500', 'A field is compared with a colon: status:>=500.'],
    ['error status > 500', 'A field is compared with a colon: status:>500.'],
    ['duration<1.5s', 'A field is compared with a colon: duration:<1.5s.'],
    ['status:[500 TO 599]', 'A range is written status:>=500 status:<=599.'],
    ['status:500..599', 'A range is written status:>=500 status:<=599.'],
    ['level=error', 'level:error finds lines of this level and more serious ones, however they say it.'],
    ['user.id=7', 'user.id:7 finds the field in JSON and structured data too, not just as this text.'],
    ['*broke*', 'Words are found within other words without a *, which is for fields (path:/api/*).'],
    ['timeout or refused', 'OR is written in capitals: in small letters it is a word that is looked for.'],
    ['timeout || refused', 'OR is written as a word, in capitals; words side by side must all be there.'],
    ['status:[500 TO *]', 'A range is written status:>=500.'],
    ['status:{* TO 600}', 'A range is written status:<600.'],
    ['_exists_:user.id', 'user.id:* finds lines that have the field.'],
    ['@http.status:500', 'A field is named as the lines have it, without an @: http.status:….'],
    ['status: 500', 'A value stands right behind the colon: status:500.'],
    ['shop status: >= 500', 'A value stands right behind the colon: status:>=500.'],
    ['msg: "was refused"', 'A value stands right behind the colon: msg:"…".'],
    ['status=~"5.."', 'A regular expression on a field stands between slashes: status:/5\\d\\d/.'],
    ['+timeout +db', 'Words side by side must all be there: timeout is found without a + in front of it.'],
    ['error|warn', 'Alternatives are written error OR warn, or /error|warn/.'],
    ['time.*out', 'A regular expression stands between slashes: /time.*out/.'],
    ['^plain', 'A regular expression stands between slashes: /time.*out/.'],
    ['“could not connect”', 'A phrase stands between straight quotes: "could not connect".'],
    [
      'timeout and db',
      'AND is written in capitals, or left out: in small letters it is a word that is looked for.',
    ],
    ['error AND NOT debug', '-debug leaves out lines with this word.'],
    ['NOT debug', '-debug leaves out lines with this word.'],
    ['timeout !health', '-health leaves out lines with this word.'],
    ['timeout not health', '-health leaves out lines with this word.'],
    [
      'shop |= "timeout"',
      'Words are written side by side here, and a word with a - in front of it is left out.',
    ],
  ])('%s', (text, hint) => {
    expect(searchHint(text)).toBe(hint);
  });

  it.each([
    'timeout',
    'status:>=500 OR severity:error',
    '"status>=500"',
    '-"a or b" /x=5\\d*/',
    'path:/api/*',
    'path:/^.api.*=5/',
    'source:router service:>1s -path:/health since:1h',
    'msg:"level=error"',
    'a=>b',
    'localhost:3000',
    'Error: could be',
    'don’t',
    'a AND b',
    'user@example.com',
    'C++ c# 100%',
    '2026-01-31 12:00',
  ])('%s is written as here', (text) => {
    expect(searchHint(text)).toBeUndefined();
  });

  it('what a hint says to write can be read', () => {
    for (const text of ['status>=500', 'status:[5 TO 9]', 'level=error', 'user.id=7', 'timeout !health']) {
      const [, written] = /((?:\w[\w.]*:\S+?)(?: \w[\w.]*:\S+?)*|-\w+)(?:\.$| finds| leaves)/.exec(
        searchHint(text) ?? '',
      ) ?? [''];
      expect(() => readQuery(written, 'q')).not.toThrow();
      expect(written).not.toBe('');
    }
  });
});
