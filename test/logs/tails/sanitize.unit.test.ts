import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stripColors } from '../../../src/common/text/colors.ts';
import { hasHiddenCharacter } from '../../../src/common/text/hidden-characters.ts';
import { sanitize, sanitizeText, terminalSafeJson } from '../../../src/logs/tails/output/sanitize.ts';
import { isHiddenCharacter } from '../../../src/logs/tails/output/utf8.ts';
import { FIRST_SEED, propertyRuns } from '../../support/properties/property-runs.ts';

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
    ['marks of a direction', 'a\u200e\u200f\u061cb', 'a\\u200e\\u200f\\u061cb'],
    ['spaces without a width', 'a\u200b\u2060\ufeffb', 'a\\u200b\\u2060\\ufeffb'],
    ['a byte order mark at the front', '\ufeffa\ufeffb', '\ufeffa\\ufeffb'],
    ['joiners between letters that have none', 'pay\u200cpal\u200d', 'pay\\u200cpal\\u200d'],
    ['a soft hyphen', 'pass\u00adword', 'pass\\xadword'],
    ['letters without a shape', 'a\u115f\u3164\uffa0\u034fb', 'a\\u115f\\u3164\\uffa0\\u034fb'],
    ['tags, which spell words unseen', 'a\u{e0041}\u{e007f}b', 'a\\u{e0041}\\u{e007f}b'],
    ['variants of letters', 'a\ufe0fb\ufe00\u{e0100}', 'a\\ufe0fb\\ufe00\\u{e0100}'],
    ['notes between lines', 'a\ufff9b\ufffac\ufffb', 'a\\ufff9b\\ufffac\\ufffb'],
    [
      'emoji that are made of several',
      '👩\u200d👧 👩🏽\u200d💻 ❤\ufe0f\u200d🔥 ✔\ufe0f 1\ufe0f\u20e3',
      '👩\u200d👧 👩🏽\u200d💻 ❤\ufe0f\u200d🔥 ✔\ufe0f 1\ufe0f\u20e3',
    ],
    ['joiners of scripts that have them', 'می\u200cخواهم क्\u200dष', 'می\u200cخواهم क्\u200dष'],
    ['spaces of all widths', 'a\u00a0\u2003\u3000b', 'a\u00a0\u2003\u3000b'],
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
      '\u200b',
      '\u200d',
      '\ufe0f',
      '\u{e0041}',
      '👩',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(odd, fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 30 }),
        (parts) => {
          const shown = sanitize(parts.join('')).replace(/\x1b\[[0-9;:]*m/g, '');
          expect(shown).not.toMatch(
            /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\u{e0041}]/u,
          );
        },
      ),
      { numRuns: propertyRuns(1_000) },
    );
  });

  it('no message can pass itself off as another line', () => {
    const forged = 'x\n2012-12-10T03:00:48.123456+00:00 heroku[router]: at=info';
    for (const text of sanitize(forged).split('\n').slice(1)) expect(text).toMatch(/^ {4}/);
  });

  it('of a text of several lines the lines stay', () => {
    expect(sanitizeText(`one\ntwo\t${ESC}[2J\r\n\u202ethree`)).toBe('one\ntwo\t\\x1b[2J\\x0d\n\\u202ethree');
    expect(JSON.parse(terminalSafeJson({ a: ['\u202e\u{e0041}\n'] }, 2))).toEqual({
      a: ['\u202e\u{e0041}\n'],
    });
    expect(terminalSafeJson({ a: '\u202e' }, 2)).toBe('{\n  "a": "\\u202e"\n}');
  });

  it('colors can be removed', () => {
    expect(stripColors(`${ESC}[1;31mred${ESC}[0m and ${ESC}[38:5:1mmore${ESC}[m`)).toBe('red and more');
  });
});

it('the characters that are shown by number are the same in text and in bytes', () => {
  const differing: string[] = [];
  const bytes = Buffer.alloc(4);
  // Those of the first plane and of tags, and of the others, of which none is hidden, a part.
  const step = 20 / propertyRuns(20);
  for (let code = 0x80; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    if (code > 0xffff && code >> 12 !== 0xe0 && code % step !== FIRST_SEED % step) continue;
    const character = String.fromCodePoint(code);
    bytes.write(character);
    if (isHiddenCharacter(bytes, 0) !== hasHiddenCharacter(character)) differing.push(code.toString(16));
  }
  expect(differing).toEqual([]);
});

it('JSON has nothing that a terminal interprets, and the value is the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (message) => {
      const json = terminalSafeJson({ message });
      expect(json).not.toMatch(/[\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\u{e0000}-\u{e0fff}]/u);
      expect(JSON.parse(json)).toEqual({ message });
    }),
    { numRuns: propertyRuns(100, 20) },
  );
});
