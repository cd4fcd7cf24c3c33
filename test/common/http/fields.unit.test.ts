import { expect, test } from 'vitest';
import { readAuthorization } from '../../../src/common/http/authorization.ts';
import { parseCount, trimOws } from '../../../src/common/http/fields.ts';

test('spaces and tabs around a value are no part of it, and nothing else is white space', () => {
  expect(trimOws(' \t a b\t ')).toBe('a b');
  expect(trimOws(' \t ')).toBe('');
  expect(trimOws('name:  value \r\n', 5, 13)).toBe('value');
  for (const other of ['\xa0', '\x85', '\x0b', '\x0c', '\0', '\u2003', '\ufeff', '\r', '\n'])
    expect(trimOws(`${other}a${other}`)).toBe(`${other}a${other}`);
});

test('a count is made of digits', () => {
  expect(['0', '7', '007', '999999999'].map(parseCount)).toEqual([0, 7, 7, 999_999_999]);
  for (const none of [
    '',
    '-1',
    '+1',
    '1.5',
    '1e3',
    '0x1',
    '1_0',
    ' 1',
    '1\xa0',
    '١',
    '1000000000',
    undefined,
    ['1'],
  ])
    expect(parseCount(none)).toBeUndefined();
});

test('credentials with byte 0xA0 around them are others', () => {
  expect(readAuthorization('Bearer  key ')).toEqual({ kind: 'key', key: 'key' });
  expect(readAuthorization('Bearer key\xa0')).toEqual({ kind: 'key', key: 'key\xa0' });
});
