import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sanitize, stripColors, terminalSafeJson } from '../../../src/logs/tails/output/sanitize.ts';

const ESC = '\x1b';

describe('a message for a terminal', () => {
  it.each([
    ['plain words', 'hello world', 'hello world'],
    ['a tab', 'a\tb', 'a\tb'],
    ['UTF-8', 'Grüße 水 🚰', 'Grüße 水 🚰'],
    ['colours', `${ESC}[31mred${ESC}[0m`, `${ESC}[31mred${ESC}[0m`],
    ['256 colours', `${ESC}[38;5;196mred${ESC}[0m`, `${ESC}[38;5;196mred${ESC}[0m`],
    ['a colour that isn’t ended', `${ESC}[31mred`, `${ESC}[31mred${ESC}[0m`],
    ['clearing the screen', `${ESC}[2J`, '\\x1b[2J'],
    ['the window’s title', `${ESC}]0;owned\x07`, '\\x1b]0;owned\\x07'],
    ['the clipboard', `${ESC}]52;c;cm0gLXJm${ESC}\\`, '\\x1b]52;c;cm0gLXJm\\x1b\\'],
    ['a question that the terminal would answer', `${ESC}[6n`, '\\x1b[6n'],
    ['the other alphabet', '\x0e', '\\x0e'],
    ['a bell', '\x07', '\\x07'],
    ['a backspace', 'rm\b\bls', 'rm\\x08\\x08ls'],
    ['NUL', 'a\0b', 'a\\x00b'],
    ['one byte CSI', '\x9b2J', '\\x9b2J'],
    ['DEL', '\x7f', '\\x7f'],
    ['a carriage return', 'real\rfake', 'real\\x0dfake'],
    ['right to left', 'a\u202eb', 'a\\u202eb'],
    ['an isolate', 'a\u2066b', 'a\\u2066b'],
    ['a line separator', 'a\u2028b', 'a\\u2028b'],
    ['an escape in the middle of a colour', `${ESC}[3${ESC}[2Jm`, '\\x1b[3\\x1b[2Jm'],
    ['another line', 'a\nb', 'a\n    b'],
  ])('%s', (_name, message, shown) => expect(sanitize(message)).toBe(shown));

  it('nothing that a terminal interprets is kept but colors, whatever comes', () => {
    const odd = fc.constantFrom(
      ESC,
      '[',
      'm',
      '31',
      ';',
      '\x9b',
      '\x07',
      '\n',
      '\r',
      '\x08',
      ']',
      '0',
      'J',
      'a',
      '\u202e',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(odd, fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 30 }),
        (parts) => {
          const shown = sanitize(parts.join('')).replace(/\x1b\[[0-9;:]*m/g, '');
          expect(shown).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('no message can pass itself off as another line', () => {
    const forged = 'x\n2012-12-10T03:00:48.123456+00:00 heroku[router]: at=info';
    for (const text of sanitize(forged).split('\n').slice(1)) expect(text).toMatch(/^ {4}/);
  });

  it('colors can be removed', () => {
    expect(stripColors(`${ESC}[1;31mred${ESC}[0m and ${ESC}[38:5:1mmore${ESC}[m`)).toBe('red and more');
  });
});

it('JSON has nothing that a terminal interprets, and the value is the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (message) => {
      const json = terminalSafeJson({ message });
      expect(json).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/);
      expect(JSON.parse(json)).toEqual({ message });
    }),
  );
});
