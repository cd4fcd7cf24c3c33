import { describe, expect, it } from 'vitest';
import { endsInThePast, hasRegex, searchFault } from '../../src/web/stream/search-expression.ts';
import { parseAnsi } from '../../src/web/text/ansi.ts';
import { parseFields } from '../../src/web/text/message-fields.ts';
import {
  fieldSearch,
  highlightTerms,
  narrowedSearch,
  searchTerms,
  toFieldSearch,
  toSearchPhrase,
} from '../../src/web/text/search-terms.ts';
import { splitIntoSpans } from '../../src/web/text/text-spans.ts';
import { processorMs } from '../support/processor-time.ts';

const pairs = (text: string) => parseFields(text).fields.map(({ key, value }) => [key, value]);

describe('terminal colors', () => {
  it('become styled ranges of the text that is left', () => {
    const { text, ranges } = parseAnsi(
      'a \x1b[1;31mred\x1b[0m b \x1b[38;5;196mcube\x1b[39m \x1b[48;2;1;2;3mtrue\x1b[m.',
    );
    expect(text).toBe('a red b cube true.');
    expect(
      ranges.map(({ from, to, className, color, background }) => [
        text.slice(from, to),
        className,
        color,
        background,
      ]),
    ).toEqual([
      ['red', 'bold fg-1', undefined, undefined],
      ['cube', '', 'rgb(255 0 0)', undefined],
      ['true', '', undefined, 'rgb(1 2 3)'],
    ]);
  });

  it('can’t carry anything else: numbers are bounded, other sequences and controls are shown', () => {
    expect(parseAnsi('\x1b[38;2;999;-1;url(x)mX').text).toBe('␛[38;2;999;-1;url(x)mX');
    expect(parseAnsi('\x1b[38;2;999;1;1mX').ranges[0].color).toBe('rgb(255 1 1)');
    expect(parseAnsi('\x1b[2J\x07\x7f\u202e\r\nend\r').text).toBe('␛[2J␇␡<U+202E>\nend');
    expect(parseAnsi('tab\tand\nline').text).toBe('tab\tand\nline');
  });
});

describe('fields', () => {
  it('of JSON are flat, in order, whatever text is before them', () => {
    expect(pairs('INFO {"a":{"b":[1,2],"c":null},"d":"x","e":{}}')).toEqual([
      ['a.b', '[1,2]'],
      ['a.c', 'null'],
      ['d', 'x'],
      ['e', '{}'],
    ]);
    expect(pairs('[1,2]')).toEqual([]);
    expect(pairs('{"a":1} and more')).toEqual([]);
    expect(pairs('{broken')).toEqual([]);
  });

  it('of logfmt are pairs, without their quotes', () => {
    expect(pairs('at=info desc="two \\"words\\"" path=/a?b=c n=12ms empty= ')).toEqual([
      ['at', 'info'],
      ['desc', 'two "words"'],
      ['path', '/a?b=c'],
      ['n', '12ms'],
      ['empty', ''],
    ]);
    expect(pairs('set a=b in the middle')).toEqual([]);
  });

  it('are searched for in linear time', () => {
    const hostile = [
      `{${'"a":{'.repeat(10_000)}`,
      `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
      `a="${'\\'.repeat(60_000)}`,
      'k='.repeat(30_000),
      '{'.repeat(60_000),
    ];
    const ms = processorMs(() => {
      for (const text of hostile) expect(parseFields(text).fields.length).toBeLessThan(2);
    });
    expect(ms).toBeLessThan(2_000);
  });
});

describe('a search', () => {
  it('highlights its words and phrases, not excluded ones, and no patterns', () => {
    const terms = searchTerms('Time "Not Found" -skip -"skip this" /a b/i /api/users');
    expect(terms).toEqual(['time', 'not found', '/api/users']);
    const text = 'TIME: /api/users not found';
    expect(highlightTerms(text, terms).map(({ from, to }) => text.slice(from, to))).toEqual([
      'TIME',
      'not found',
      '/api/users',
    ]);
  });

  it('for a value is a phrase wherever it has to be', () => {
    expect(toSearchPhrase('12ms')).toBe('12ms');
    expect(toSearchPhrase('/orders')).toBe('"/orders"');
    expect(toSearchPhrase('two words')).toBe('"two words"');
    expect(toSearchPhrase('say "x"')).toBe(`'say "x"'`);
    expect(toSearchPhrase('-5')).toBe('"-5"');
    expect(toSearchPhrase('a:b')).toBe('"a:b"');
    expect(toSearchPhrase('OR')).toBe('"OR"');
    expect(toSearchPhrase(`it's "x"`)).toBe(`"it's  x "`);
  });

  it('for a field keeps its key, where that is read again as what it is', () => {
    expect(toFieldSearch('user.id', '7')).toBe('user.id:7');
    expect(toFieldSearch('msg', 'two words')).toBe('msg:"two words"');
    expect(toFieldSearch('path', '/api/')).toBe('path:"/api/"');
    expect(toFieldSearch('x', '>=5')).toBe('x:">=5"');
    expect(toFieldSearch('x', '*')).toBe('x:"*"');
    expect(toFieldSearch('x', '(a')).toBe('x:"(a"');
    expect(toFieldSearch('url', 'http://x/y')).toBe('url:"http://x/y"');
    expect(toFieldSearch('my key', '7')).toBe('7');
    expect(toFieldSearch('7', 'x')).toBe('x');
    expect(toFieldSearch('level', 'warn')).toBe('warn');
    expect(toFieldSearch('since', '1h')).toBe('1h');
    expect(toFieldSearch('x', `it's "y"`)).toBe(`"it's  y "`);
  });

  it('keeps the key also where a search would take it for something else', () => {
    const field = (key: string, value: string, message: string, kind: 'text' | 'list' = 'text') =>
      fieldSearch({ key, value, kind }, message);
    expect(field('user.id', '7', '{"user":{"id":7}}')).toBe('user.id:7');
    expect(field('level', 'warn', 'level=warn a=b')).toBe('"level=warn"');
    expect(field('level', 'warn', '{"level":"warn"}')).toBe(`'"level":"warn"'`);
    expect(field('level', 'warn', '{"level": "warn"}')).toBe(`'"level": "warn"'`);
    expect(field('host', 'a b', 'host="a b" x=1')).toBe(`'host="a b"'`);
    expect(field('my key', '7', '{"my key":7}')).toBe(`'"my key":7'`);
    expect(field('list', '[1]', 'list=[1]', 'list')).toBe('"[1]"');
    // Of structured data that isn't in the message.
    expect(field('level', 'warn', 'x')).toBe('warn');
    expect(searchFault(field('level', `it's "x"`, `{"level":"it's \\"x\\""}`))).toBe('');
  });

  it('is narrowed by one term more, or by what it mustn’t have', () => {
    expect(narrowedSearch('', 'a:1', false)).toBe('a:1');
    expect(narrowedSearch('', 'a:1', true)).toBe('-a:1');
    expect(narrowedSearch('x y', 'a:1', false)).toBe('x y a:1');
    expect(narrowedSearch('x OR y', '"b c"', true)).toBe('(x OR y) -"b c"');
    expect(narrowedSearch('x since:1h', 'a:1', true)).toBe('since:1h x -a:1');
    // Twice is once, and the opposite goes.
    expect(narrowedSearch('x a:1', 'a:1', false)).toBe('x a:1');
    expect(narrowedSearch('a:1 x', 'a:1', true)).toBe('x -a:1');
    expect(narrowedSearch('-a:1', 'a:1', false)).toBe('a:1');
    expect(narrowedSearch('(unfinished', 'a:1', false)).toBe('a:1');
  });

  it('highlights what may be there of alternatives and fields', () => {
    expect(searchTerms(`(a OR 'b c') -d msg:e program:f x:>5 y:* /z/ -(g OR h)`)).toEqual(['a', 'b c', 'e']);
    expect(searchTerms('(unfinished')).toEqual([]);
  });

  it('says what is wrong with it, and what only the server can say', () => {
    expect(searchFault('a OR b')).toBe('');
    expect(searchFault('(a')).toMatch(/^The parenthesis at character 1 isn't closed/);
    expect(hasRegex('a -x:/b/')).toBe(true);
    expect(hasRegex('"/b/" (')).toBe(false);
    expect(endsInThePast('a until:1h')).toBe(true);
    expect(endsInThePast('a since:1h')).toBe(false);
  });
});

describe('styled ranges', () => {
  it('may overlap: the text is cut into spans where they begin and end, and none of it is lost', () => {
    const spans = splitIntoSpans('abcdef', [
      { from: 1, to: 4, className: 'x' },
      { from: 3, to: 99, className: 'y', color: 'rgb(1 2 3)' },
    ]);
    expect(spans.map(({ text, classNames }) => [text, classNames])).toEqual([
      ['a', ''],
      ['bc', 'x'],
      ['d', 'x y'],
      ['ef', 'y'],
    ]);
  });
});
