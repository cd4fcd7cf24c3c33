import { describe, expect, it } from 'vitest';
import { originWithKeys, parseRecordsMessage } from '../../../../src/logs/store/redis/records-message.ts';

/** As the script of a transaction puts it together. */
const messageOf = (keys: readonly string[], scope = ''): string =>
  `${originWithKeys(
    'o-R_1',
    keys.map((key) => ({ key, value: 1 })),
  )} 12 ${scope}`;

describe('a notification of changed records', () => {
  it.each([
    [['token/t.1'], ''],
    [['name/a b', 'app/ü,%2C/\n', 'x'], ''],
    [['ein/Schlüssel'], 'scope with blanks\nand lines'],
  ])('says which %j', (keys, scope) => {
    expect(parseRecordsMessage(messageOf(keys, scope))).toEqual({
      origin: 'o-R_1',
      revision: 12,
      scope,
      keys,
    });
  });

  it('doesn’t say it of none or very many, and those of earlier versions never do', () => {
    const many = Array.from({ length: 500 }, (_, i) => `token/${i}`);
    for (const message of [messageOf([]), messageOf(many), 'o-R_1 12 '])
      expect(parseRecordsMessage(message)).toEqual({
        origin: 'o-R_1',
        revision: 12,
        scope: '',
        keys: undefined,
      });
  });

  it('is read by earlier versions as one of another router', () => {
    const [, origin, revision, scope] = /^(\S+) (\d+) (.*)$/s.exec(messageOf(['a b/c'], '')) ?? [];
    expect([origin !== 'o-R_1', revision, scope]).toEqual([true, '12', '']);
  });

  it.each(['', 'x', 'o/%E0%A4%A 1 ', 'o 1', 'o x '])('is anything: %j', (message) => {
    expect(parseRecordsMessage(message)?.keys).toBeUndefined();
  });
});
