/** The grammar of searches: what is read from what, and what is said where nothing can be. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseQuery } from '../../../src/logs/query/query-parser.ts';
import { printQuery } from '../../../src/logs/query/query-printer.ts';
import type { AttributeValue, Query, QueryNode } from '../../../src/logs/query/query-syntax.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';

/** A short form: (and a b), (or a b), (not a), 'text', /regex/, name:value. */
function shape(node: QueryNode | undefined): string {
  if (!node) return 'all';
  switch (node.kind) {
    case 'and':
    case 'or':
      return `(${node.kind} ${node.children.map(shape).join(' ')})`;
    case 'not':
      return `(not ${shape(node.child)})`;
    case 'text':
      return `'${node.text}'`;
    case 'regex':
      return `/${node.source}/${node.anyCase ? 'i' : ''}`;
    case 'attribute':
      return `${node.name}:${valueShape(node.value)}`;
  }
}

function valueShape(value: AttributeValue): string {
  switch (value.kind) {
    case 'text':
      return `'${value.text}'`;
    case 'glob':
      return `glob(${value.pattern})`;
    case 'exists':
      return '*';
    case 'regex':
      return `/${value.source}/${value.anyCase ? 'i' : ''}`;
    case 'compare':
      return `${value.operator}'${value.operand}'`;
  }
}

const read = (text: string): string => shape(parseQuery(text).expression);

describe('words and phrases', () => {
  it.each([
    ['', 'all'],
    ['   ', 'all'],
    ['timeout', "'timeout'"],
    ['a b', "(and 'a' 'b')"],
    ['  a   b  c ', "(and 'a' 'b' 'c')"],
    ['a AND b', "(and 'a' 'b')"],
    ['AND', "'AND'"],
    ['a AND', "(and 'a' 'AND')"],
    ['AND a', "(and 'AND' 'a')"],
    ['and or', "(and 'and' 'or')"],
    ['"could not connect"', "'could not connect'"],
    ["'could not connect'", "'could not connect'"],
    ['"it\'s here"', "'it's here'"],
    [`'say "hello"'`, `'say "hello"'`],
    ['"not closed', "'not closed'"],
    ["'tis not", "(and ''tis' 'not')"],
    ["don't", "'don't'"],
    ['5"disk', `'5"disk'`],
    ['"a"b', "(and 'a' 'b')"],
    ['""', 'all'],
    ['"" a', "'a'"],
    ['"(a OR b)"', "'(a OR b)'"],
    ['"a => b"', "'a => b'"],
    ['"*"', "'*'"],
    ['"/path/"', "'/path/'"],
    ['"OR"', "'OR'"],
    ['"a:b"', "'a:b'"],
    ['"-a"', "'-a'"],
    ['back\\slash', "'back\\slash'"],
    ['"back\\"', "'back\\'"],
    ['=>', "'=>'"],
    ['a=>b', "'a=>b'"],
    ['*', "'*'"],
    ['a*b', "'a*b'"],
    ['status=500', "'status=500'"],
    ['/api/users', "'/api/users'"],
    ['/', "'/'"],
    ['//', "'//'"],
    ['ärger', "'ärger'"],
    ['🎉', "'🎉'"],
    ['10.1.2', "'10.1.2'"],
    ['Ordinary', "'Ordinary'"],
    ['ORder', "'ORder'"],
  ])('%j is %s', (text, wanted) => expect(read(text)).toBe(wanted));
});

describe('exclusions', () => {
  it.each([
    ['-a', "(not 'a')"],
    ['-a -b', "(and (not 'a') (not 'b'))"],
    ['a -b', "(and 'a' (not 'b'))"],
    ['-"a b"', "(not 'a b')"],
    ["-'a b'", "(not 'a b')"],
    ['-"status=200"', "(not 'status=200')"],
    ['-(a OR b)', "(not (or 'a' 'b'))"],
    ['-(a b)', "(not (and 'a' 'b'))"],
    ['-program:web', "(not program:'web')"],
    ['-/a b/i', '(not /a b/i)'],
    ['-status:>=500', "(not status:>='500')"],
    ['a OR -b', "(or 'a' (not 'b'))"],
    ['-a OR b', "(or (not 'a') 'b')"],
    ['-a OR -b', "(or (not 'a') (not 'b'))"],
    ['--flag', "(not '-flag')"],
    ['-', 'all'],
    ['a - b', "(and 'a' 'b')"],
    ['a-b', "'a-b'"],
    ['-""', 'all'],
    ['(-a)', "(not 'a')"],
  ])('%j is %s', (text, wanted) => expect(read(text)).toBe(wanted));
});

describe('OR and parentheses', () => {
  it.each([
    ['a OR b', "(or 'a' 'b')"],
    ['a OR b OR c', "(or 'a' 'b' 'c')"],
    ['a b OR c d', "(or (and 'a' 'b') (and 'c' 'd'))"],
    ['a (b OR c)', "(and 'a' (or 'b' 'c'))"],
    ['(a OR b) (c OR d)', "(and (or 'a' 'b') (or 'c' 'd'))"],
    ['(a OR b)(c OR d)', "(and (or 'a' 'b') (or 'c' 'd'))"],
    ['((a))', "'a'"],
    ['(a (b (c OR d)))', "(and 'a' 'b' (or 'c' 'd'))"],
    ['(a)OR(b)', "(or 'a' 'b')"],
    ['( a OR b )', "(or 'a' 'b')"],
    ['("a) b" OR c)', "(or 'a) b' 'c')"],
    ["('a) b' OR c)", "(or 'a) b' 'c')"],
    ['(/a)b/ OR c)', '(or /a)b/ ' + "'c')"],
    ['(/api/ OR x)', "(or /api/ 'x')"],
    ['(x OR /api/)', "(or 'x' /api/)"],
    ['main()', "'main()'"],
    ['main(a)', "'main(a)'"],
    ['main(a, b)', "(and 'main(a,' 'b)')"],
    ['(main(a) OR b)', "(or 'main(a)' 'b')"],
    ['()', "'()'"],
    ['a or b', "(and 'a' 'or' 'b')"],
    ['a Or b', "(and 'a' 'Or' 'b')"],
    ['(reading', undefined],
  ])('%j is %s', (text, wanted) => {
    if (wanted === undefined) expect(() => read(text)).toThrow();
    else expect(read(text)).toBe(wanted);
  });
});

describe('attributes', () => {
  it.each([
    ['program:web.1', "program:'web.1'"],
    ['PROGRAM:web', "program:'web'"],
    ['source:router', "source:'router'"],
    ['dyno:web', "dyno:'web'"],
    ['host:db1', "host:'db1'"],
    ['sender:my-app', "sender:'my-app'"],
    ['message:"two words"', "message:'two words'"],
    ["message:'two words'", "message:'two words'"],
    ['facility:local7', "facility:'local7'"],
    ['severity:error', "severity:'error'"],
    ['level:warn', "level:'warn'"],
    ['severity:3', "severity:'3'"],
    ['severity:>=warn', "severity:>='warn'"],
    ['program:(apache OR sshd)', "(or program:'apache' program:'sshd')"],
    ['program:(apache sshd)', "(or program:'apache' program:'sshd')"],
    ['program:("a b" c)', "(or program:'a b' program:'c')"],
    ['program:(a b -c)', "(and (or program:'a' program:'b') (not program:'c'))"],
    ['program:(a OR -b)', "(or program:'a' (not program:'b'))"],
    ['program:((a b) OR c)', "(or program:'a' program:'b' program:'c')"],
    ['program:(-a -b)', "(and (not program:'a') (not program:'b'))"],
    ['-program:(a b)', "(not (or program:'a' program:'b'))"],
    ['program:(a b) message:c', "(and (or program:'a' program:'b') message:'c')"],
    ['status:(>=500 404)', "(or status:>='500' status:'404')"],
    ['status:>=500', "status:>='500'"],
    ['status:>500', "status:>'500'"],
    ['status:<=500', "status:<='500'"],
    ['status:<500', "status:<'500'"],
    ['status:=500', "status:='500'"],
    ['duration:>1s', "duration:>'1s'"],
    ['duration:>1.5s', "duration:>'1.5s'"],
    ['bytes:<10kb', "bytes:<'10kb'"],
    ['bytes:>"10 kb"', "bytes:>'10 kb'"],
    ['user.id:7', "user.id:'7'"],
    ['order.id:o-77', "order.id:'o-77'"],
    ['items[0].id:7', "items[0].id:'7'"],
    ['User.Id:7', "User.Id:'7'"],
    ['user.id:*', 'user.id:*'],
    ['user.name:jo*', 'user.name:glob(jo*)'],
    ['user.name:"jo*"', "user.name:'jo*'"],
    ['path:/api/users', "path:'/api/users'"],
    ['path:/api.*/', 'path:/api.*/'],
    ['path:/api/i', 'path:/api/i'],
    ['x:-5', "x:'-5'"],
    ['x:""', "x:''"],
    ['sample#memory_total:>500MB', "sample#memory_total:>'500MB'"],
    ['x-request-id:ab', "x-request-id:'ab'"],
    ['localhost:3000', "localhost:'3000'"],
    ['url:http://x/y', "url:'http://x/y'"],
  ])('%j is %s', (text, wanted) => expect(read(text)).toBe(wanted));

  it.each([
    ['https://example.com/a', "'https://example.com/a'"],
    ['ActiveRecord::NotFound', "'ActiveRecord::NotFound'"],
    ['10:30', "'10:30'"],
    ['::1', "'::1'"],
    ['Error: broken', "(and 'Error:' 'broken')"],
    ['Error:', "'Error:'"],
    ['program:', "'program:'"],
    ['(Error: OR b)', "(or 'Error:' 'b')"],
    [':a', "':a'"],
  ])('%j has none: %s', (text, wanted) => expect(read(text)).toBe(wanted));
});

describe('regular expressions', () => {
  it.each([
    ['/status=5\\d\\d/', '/status=5\\d\\d/'],
    ['/a b/', '/a b/'],
    ['/a/i', '/a/i'],
    ['/a/ b', "(and /a/ 'b')"],
    ['/a\\/b/', '/a\\/b/'],
    ['/a/x', "'/a/x'"],
    ['/a "b" (c)/', '/a "b" (c)/'],
    ['a OR /b OR c/', "(or 'a' /b OR c/)"],
  ])('%j is %s', (text, wanted) => expect(read(text)).toBe(wanted));
});

describe('times', () => {
  it.each<[string, Query]>([
    ['since:10m', { expression: undefined, since: '10m' }],
    ['until:yesterday a', { expression: { kind: 'text', text: 'a' }, until: 'yesterday' }],
    ['since:"2026-01-31 12:00"', { expression: undefined, since: '2026-01-31 12:00' }],
    [
      'since:2026-01-31T12:00:00Z until:1h',
      { expression: undefined, since: '2026-01-31T12:00:00Z', until: '1h' },
    ],
    ['SINCE:03:00', { expression: undefined, since: '03:00' }],
  ])('%j is a range', (text, wanted) => expect(parseQuery(text)).toEqual(wanted));
});

describe("what can't be read says where, and what to do:", () => {
  it.each([
    ['(a', /parenthesis at character 1 isn't closed: add "\)"/],
    ['a (b (c)', /parenthesis at character 3 isn't closed/],
    ['program:(a', /parenthesis at character 9 isn't closed/],
    ['a)', /parenthesis at character 2 closes none/],
    ['a OR b) c', /parenthesis at character 7 closes none/],
    ['OR a', /"OR" at character 1 has nothing before it/],
    ['a OR', /"OR" at character 3 has nothing behind it/],
    ['a OR OR b', /"OR" at character 6 has nothing before it/],
    ['(OR a)', /"OR" at character 2 has nothing before it/],
    ['(a OR)', /"OR" at character 4 has nothing behind it/],
    ['status:>', /at character 8, status:> has nothing behind it/],
    ['status:>= 500', /at character 8, status:>= has nothing behind it/],
    ['status:>x', /at character 1, status:> takes a number such as 500, 1.5s or 10kb, not "x"/],
    ['a program:>5', /at character 3, program: can't be compared/],
    ['severity:loud', /at character 1, severity: takes emerg/],
    ['level:/x/', /level: takes emerg/],
    ['facility:x', /facility: takes kern/],
    ['since:soon', /since: at character 1: "soon" is no time: write/],
    ['a until:5', /until: at character 3: "5" has no unit: write 5s/],
    ['since:1h since:2h', /since: at character 10 is there twice/],
    ['-since:1h', /can't be left out: use until:/],
    ['(a since:1h)', /hold for the whole search: write them outside/],
    ['since:1h OR a', /"OR" at character 10 has nothing before it/],
    ['program:( )', /program:\(\) at character 1 is empty/],
    ['a'.repeat(1_001), /1000 characters at the most/],
    ['a '.repeat(21), /20 terms at the most/],
    [`program:(${'a '.repeat(21)})`, /20 terms at the most/],
    [`${'('.repeat(21)}a${')'.repeat(21)}`, /20 deep at the most/],
    [`a${'(b '.repeat(300)}`, /./],
    ['('.repeat(1_000), /20 deep at the most/],
    ['-('.repeat(500), /20 deep at the most/],
  ])('%j', (text, why) => {
    expect(() => parseQuery(text)).toThrow(why);
    try {
      parseQuery(text);
    } catch (error) {
      expect(error).toMatchObject({ name: 'QuerySyntaxError', message: expect.stringMatching(/^[^\n]+\.$/) });
    }
  });
});

/** An expression by chance, as the parser would make it. */
function anyNode(random: () => number, depth: number, terms: { left: number }): QueryNode {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const text = (): string => {
    let made = '';
    const length = 1 + Math.floor(random() * 6);
    for (let i = 0; i < length; i++) made += pick([...'aB7 ()*/:-.=>\\[]ß', 'OR', ' OR ', '"']);
    return made;
  };
  const kind = depth <= 0 || terms.left < 4 ? 5 + Math.floor(random() * 5) : Math.floor(random() * 10);
  if (kind < 4) {
    const own = kind % 2 === 0 ? 'and' : 'or';
    const children: QueryNode[] = [];
    while (children.length < 2 || random() < 0.3) {
      const child = anyNode(random, depth - 1, terms);
      // Those in one of the same kind are its own.
      if (child.kind !== own) children.push(child);
    }
    return { kind: own, children };
  }
  if (kind === 4) return { kind: 'not', child: anyNode(random, depth - 1, terms) };
  terms.left--;
  if (kind < 7) return { kind: 'text', text: text() };
  const regex = {
    kind: 'regex',
    source: pick(['a b', 'x\\/y', '[)(]', 'a|b', '"']),
    anyCase: random() < 0.5,
  } as const;
  if (kind === 7) return regex;
  const name = pick(['program', 'user.id', 'a[0].b', 'x-y', 'message', 'sample#load']);
  const values: AttributeValue[] = [
    { kind: 'text', text: text() },
    { kind: 'exists' },
    { kind: 'glob', pattern: pick(['a*', '*b', 'a*b*c', '*(x)']) },
    { kind: 'compare', operator: '=', operand: text() },
    regex,
  ];
  if (name === 'user.id')
    values.push({ kind: 'compare', operator: pick(['<', '>', '<=', '>='] as const), operand: '1.5s' });
  return { kind: 'attribute', name, value: pick(values) };
}

it('what is printed is read as what it was', () => {
  for (let run = 0; run < propertyRuns(3_000); run++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const query: Query = {
      expression: anyNode(random, 3, { left: 15 }),
      ...(random() < 0.2 && { since: '1h' }),
    };
    const text = printQuery(query);
    if (text.length > 1_000) continue;
    let again: unknown;
    try {
      again = parseQuery(text);
    } catch (error) {
      again = error;
      if (/20 terms/.test(String(error))) continue;
    }
    expect(again, `seed ${seed}: ${text}`).toEqual(query);
  }
});

it('whatever is written is read, or refused with a sentence', () => {
  for (let run = 0; run < propertyRuns(3_000); run++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const parts = [
      '(',
      ')',
      '"',
      "'",
      '-',
      ' ',
      'OR',
      'AND',
      ':',
      'a',
      'status',
      '>=',
      '5',
      '/',
      '*',
      '\\',
      'since',
      '🎉',
      '\0',
    ];
    let text = '';
    while (random() < 0.95) text += parts[Math.floor(random() * parts.length)];
    try {
      const query = parseQuery(text);
      // A text with quotes of both kinds may be in none of them.
      if (!text.includes("'")) expect(parseQuery(printQuery(query)), `seed ${seed}: ${text}`).toEqual(query);
    } catch (error) {
      expect(error, `seed ${seed}: ${text}`).toMatchObject({ name: 'QuerySyntaxError' });
    }
  }
});

describe('docs/search.md', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/search.md'), 'utf8');

  it('has only searches that can be read', () => {
    const rows = text.split('\n').filter((line) => line.startsWith('| `'));
    const searches = rows.flatMap((row) =>
      [...row.split(' | ')[0].matchAll(/`([^`]+)`/g)].map(([, one]) => one),
    );
    expect(searches.length).toBeGreaterThan(40);
    for (const search of searches) expect(() => parseQuery(search), search).not.toThrow();
    for (const [, search] of text.matchAll(/ -q '([^']+)'/g))
      expect(() => parseQuery(search), search).not.toThrow();
  });

  it('shows refusals as they are', () => {
    const shown = [...text.matchAll(/^ {4}q: (.+)$/gm)].map(([, sentence]) => sentence);
    const given = ['program:(a', 'a OR', 'status:>x'].map((search) => {
      try {
        return parseQuery(search);
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(given).toEqual(shown);
  });
});
