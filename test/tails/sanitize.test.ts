import fc from 'fast-check';
import { expect, it } from 'vitest';
import { harmlessJson, sanitize, stripColours } from '../../src/tails/sanitize.ts';

it.each([
  ['plain', 'plain'],
  ['tab\tstays', 'tab\tstays'],
  ['grüße 🎉 日本', 'grüße 🎉 日本'],
  ['\x1b[31mred', '\x1b[31mred\x1b[0m'],
  ['\x1b[31mred\x1b[0m', '\x1b[31mred\x1b[0m'],
  ['\x1b]0;title\x07', '\\x1b]0;title\\x07'],
  ['\x1b[2J\x1b[H', '\\x1b[2J\\x1b[H'],
  ['\x9b2J', '\\x9b2J'],
  ['over\rwritten', 'over\\x0dwritten'],
  ['one\ntwo', 'one\n    two'],
  ['evil \u202etxt', 'evil \\u202etxt'],
])('shows %j as %j', (message, shown) => {
  expect(sanitize(message)).toBe(shown);
});

/** Everything that a terminal may obey (ECMA-48: C0, DEL, C1) but tabs and line feeds, when colours are gone. */
const OBEYED = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

it('leaves nothing that a terminal obeys, whatever the message', () => {
  const nasty = fc.constantFrom(
    '\x1b',
    '[',
    ']',
    '0',
    ';',
    'm',
    'J',
    '\x07',
    '\x9b',
    '\n',
    '\r',
    'é',
    '\u2028',
  );
  const message = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: nasty }));
  fc.assert(
    fc.property(message, (text) => {
      expect(stripColours(sanitize(text))).not.toMatch(OBEYED);
      for (const line of sanitize(text).split('\n').slice(1)) expect(line.startsWith('    ')).toBe(true);
    }),
  );
});

it('leaves nothing in JSON either, and the value is the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (message) => {
      const json = harmlessJson({ message });
      expect(json).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/);
      expect(JSON.parse(json)).toEqual({ message });
    }),
  );
});
