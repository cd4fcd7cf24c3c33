import { expect, test } from 'vitest';
import {
  decodeEnvFile,
  EnvFileError,
  formatEnvFile,
  parseEnvFile,
} from '../../../../src/apps/processes/config/env-file.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';

test.each([
  ['A=1\nB=two words\n', { A: '1', B: 'two words' }],
  ['export A=1\n  export B = 2', { A: '1', B: '2' }],
  ['# comment\n\n   # another\nA=1', { A: '1' }],
  ['A=\'it is "literal" \\n $HOME #x\'', { A: 'it is "literal" \\n $HOME #x' }],
  ['A="two\\nlines, a \\"quote\\" and a \\\\ "', { A: 'two\nlines, a "quote" and a \\ ' }],
  ['A="-----BEGIN\nabc\n-----END"\nB=2', { A: '-----BEGIN\nabc\n-----END', B: '2' }],
  ["A='one\ntwo'\nB=2", { A: 'one\ntwo', B: '2' }],
  ['A="  kept  "  # comment', { A: '  kept  ' }],
  ['A=  value   # comment', { A: 'value' }],
  ['A=a#b', { A: 'a#b' }],
  ['A=#b', { A: '#b' }],
  ['A= # nothing\nB=\nC=""', { A: '', B: '', C: '' }],
  ['A="\\d+ \\$x"', { A: '\\d+ $x' }],
  ['A=postgres://u:p@h/db?x=1&y=2', { A: 'postgres://u:p@h/db?x=1&y=2' }],
  ['A=1\r\nB="x"\r\n', { A: '1', B: 'x' }],
  ['A=1\rB="x"\r# c\rC=2\r', { A: '1', B: 'x', C: '2' }],
  ['spring.datasource.url=x', { 'spring.datasource.url': 'x' }],
  ['A: two words # c\nexport B: "x\ny"\nC:\nD=a: b', { A: 'two words', B: 'x\ny', C: '', D: 'a: b' }],
  ['\uFEFFA=1\nA=2', { A: '2' }],
  ['', {}],
])('%j is read', (text, values) => {
  expect(parseEnvFile(text)).toEqual(values);
});

test('a value in another encoding than UTF-8 is refused with its line; a comment may be', () => {
  expect(decodeEnvFile(Buffer.from('# größe\nA=größe\n'))).toBe('# größe\nA=größe\n');
  const latin1 = Buffer.from('A=1\n  # größe\nB=2', 'latin1');
  expect(parseEnvFile(decodeEnvFile(latin1))).toEqual({ A: '1', B: '2' });
  expect(() => decodeEnvFile(Buffer.from('# größe\nA=1\nB="größe"', 'latin1'))).toThrow(
    '.env line 3: there are bytes that are no UTF-8; save the file as UTF-8.',
  );
});

test('a key may have any name, even one that objects are made of', () => {
  expect(Object.entries(parseEnvFile('__proto__=x'))).toEqual([['__proto__', 'x']]);
});

test.each([
  ['A=1\nnonsense', 2, 'no assignment'],
  ['1A=1', 1, 'no assignment'],
  ['A:1', 1, 'no assignment'],
  ['A-B=1', 1, 'no assignment'],
  ['A=1\n\nB="never closed\nC=1', 3, 'never closed'],
  ["A='never closed", 1, 'never closed'],
  ['A="x" y', 1, 'text after the closing "'],
  ['A="x\ny" z', 2, 'text after the closing "'],
  ['A=1\n\0', 2, 'NUL'],
])('%j is refused', (text, line, part) => {
  const parse = () => parseEnvFile(text);
  expect(parse).toThrow(EnvFileError);
  expect(parse).toThrow(expect.objectContaining({ line, message: expect.stringContaining(part) }));
});

test('an error never shows the line, which may hold a secret', () => {
  expect(() => parseEnvFile('password hunter2')).toThrow(expect.not.stringContaining('hunter2'));
});

test('what is written is read again, whatever the values are', () => {
  const random = seededRandom(7);
  const pieces = [
    'a',
    '1',
    ' ',
    '"',
    "'",
    '\\',
    '$',
    '`',
    '\n',
    '\r',
    '\r\n',
    '\t',
    '#',
    ' #',
    '=',
    '\\n',
    'é',
    '😀',
    '\u2028',
  ];
  for (let round = 0; round < 500; round++) {
    const value = () =>
      Array.from(
        { length: Math.floor(random() * 8) },
        () => pieces[Math.floor(random() * pieces.length)],
      ).join('');
    const values = { A: value(), B_2: value(), __proto: value() };
    expect(parseEnvFile(formatEnvFile(values))).toEqual(values);
  }
});
