/** Which lines a search finds. */
import { describe, expect, it } from 'vitest';
import { prepareQuery, QueryMatcher } from '../../../src/logs/query/query-matcher.ts';
import { printQuery } from '../../../src/logs/query/query-printer.ts';
import type { QueryNode } from '../../../src/logs/query/query-syntax.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { LineFilter } from '../../../src/logs/syslog/line-filter.ts';
import { forEachMatch } from '../../../src/logs/tails/line-scan.ts';
import { processorMs } from '../../support/processor-time.ts';
import { propertyRuns, sampleOf } from '../../support/properties/property-runs.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';

interface Line {
  readonly priority?: number;
  readonly host?: string;
  readonly source?: string;
  readonly dyno?: string;
  readonly data?: string;
  readonly message?: string;
}

function batchBytes(lines: readonly Line[]): Buffer {
  const builder = new BatchBuilder();
  const header = new SyslogHeader();
  for (const line of lines) {
    const {
      priority = 190,
      host = 'h',
      source = 'app',
      dyno = 'web.1',
      data = '-',
      message = 'hello',
    } = line;
    const text = Buffer.from(
      `<${priority}>1 2012-12-10T03:00:48.123456+00:00 ${host} t ${dyno} - ${data} ${message}`,
    );
    if (!scanHeader(text, 0, text.length, header)) throw new Error('no line');
    builder.add(text, 0, text.length, header, Buffer.from(source), Buffer.from('h'));
  }
  return Buffer.from(builder.takeBatch()?.bytes ?? []);
}

/** The indexes of the lines that a search finds, as a tail finds them. */
function found(expression: QueryNode | undefined, lines: readonly Line[]): number[] {
  const bytes = batchBytes(lines);
  const batch = { bytes, first: 1, last: lines.length, count: lines.length, storedAtMs: 0 };
  const matcher = expression && new QueryMatcher(expression, '');
  const indexes: number[] = [];
  const range = { after: 0, through: lines.length, count: Number.POSITIVE_INFINITY };
  forEachMatch([batch], range, new LineFilter({ matcher }), (_line, _bytes, sequence) =>
    indexes.push(sequence - 1),
  );
  // Lines one by one, as drains match them: without the search of the whole batch.
  const cursor = new RecordCursor(bytes);
  const single: number[] = [];
  for (let i = 0; cursor.advance(); i++)
    if (!matcher || matcher.matches(cursor, bytes.subarray())) single.push(i);
  if (indexes.join() !== single.join()) expect(indexes).toEqual(single);
  return indexes;
}

const search = (query: string, lines: readonly Line[]): number[] =>
  found(prepareQuery(query).expression, lines);

/** Does a search find a line with this message? */
const finds = (query: string, message: string): boolean => search(query, [{ message }]).length === 1;
const findsLine = (query: string, line: Line): boolean => search(query, [line]).length === 1;

describe('words', () => {
  it.each<[string, Line, boolean]>([
    ['timeout', { message: 'A TimeOut occurred' }, true],
    ['imeou', { message: 'A TimeOut occurred' }, true],
    ['10.1.2', { message: 'from 10.1.27' }, true],
    ['10.1.2', { message: 'from 10x1x27' }, false],
    ['"could not connect"', { message: 'ERROR: Could Not Connect' }, true],
    ['"could not connect"', { message: 'could  not connect' }, false],
    ['could connect', { message: 'could not connect' }, true],
    ['"a => b*"', { message: 'x A => B* y' }, true],
    ['ärger', { message: 'Großer ÄRGER' }, true],
    ['web.1', { dyno: 'web.1' }, true],
    ['web.2', { dyno: 'web.1' }, false],
    ['db-host', { host: 'db-host-1' }, true],
    ['app/web.1', {}, true],
    ['app[web.1]', {}, true],
    ['"app[web.1]"', {}, true],
    ['pp/web', {}, true],
    ['"app web.1"', {}, false],
    ['app/web.1', { source: 'other', message: 'see app/web.1' }, true],
    ['/api/users', { message: 'GET /api/users 200' }, true],
    ['/api/users', { message: 'GET api users' }, false],
    ['2012', { message: 'no year' }, false],
    ['190', { message: 'no priority' }, false],
    ['o-77', { data: '[json@32473 order.id="o-77"]' }, true],
    ['order.id', { data: '[json@32473 order.id="o-77"]' }, false],
    ['json', { data: '[json@32473 order.id="o-77"]' }, false],
    ['"say ""', { data: '[a b="x"]', message: 'say ' }, true],
    [`'say "x"]'`, { data: '[a b="say \\"x\\"\\]"]' }, true],
    ['"back\\slash"', { data: '[a b="back\\\\slash"]' }, true],
    ['größe', { data: '[a b="Große GRÖßE"]' }, true],
    ['-web.1', { dyno: 'web.1' }, false],
    ['-web.2', { dyno: 'web.1' }, true],
    ['-"status=200"', { message: 'a status=200 b' }, false],
    ['-"status=200"', { message: 'a status=500 b' }, true],
    ['a OR b', { source: 's', dyno: 'd', message: 'xx b' }, true],
    ['zz OR -yy', { message: 'nothing' }, true],
    ['zz OR -yy', { message: 'yy' }, false],
    ['-zz OR -yy', { message: 'yy' }, true],
    ['(zz OR yy) -xx', { message: 'yy xx' }, false],
    ['"error code=H"', { message: 'at=error code=H12 desc="x"' }, true],
    ['"Error R"', { message: 'Error R14 (Memory quota exceeded)' }, true],
    ['"Error L" -L10', { message: 'Error L10 (drain)' }, false],
    ['Exception -(Timeout OR Refused)', { message: 'TimeoutException' }, false],
    ['Exception -(Timeout OR Refused)', { message: 'KeyException' }, true],
  ])('%j in %j: %s', (query, line, wanted) => expect(findsLine(query, line)).toBe(wanted));
});

describe('attributes of a line', () => {
  it.each<[string, Line, boolean]>([
    ['program:web.1', {}, true],
    ['program:app', {}, true],
    ['program:eb', {}, true],
    ['program:app/web.1', {}, true],
    ['program:heroku', { message: 'heroku' }, false],
    ['program:(apache OR sshd)', { source: 'sshd' }, true],
    ['program:(apache sshd)', { source: 'apache2' }, true],
    ['program:(apache sshd)', { source: 'cron' }, false],
    ['program:(app -web.1)', {}, false],
    ['program:web*', {}, true],
    ['program:*.2', {}, false],
    ['program:=web.1', { dyno: 'web.10' }, false],
    ['program:/^app.web/', {}, true],
    ['source:app', {}, true],
    ['source:ap', {}, false],
    ['source:APP', {}, true],
    ['source:router', { source: 'heroku', dyno: 'router' }, true],
    ['source:heroku', { source: 'heroku', dyno: 'router' }, true],
    ['source:(router db)', { source: 'heroku', dyno: 'router' }, true],
    ['source:her*', { source: 'heroku' }, true],
    ['dyno:web', {}, true],
    ['dyno:web', { dyno: 'webhook.1' }, false],
    ['dyno:web.1', { dyno: 'web.10' }, false],
    ['dyno:web*', { dyno: 'webhook.1' }, true],
    ['dyno:wörker', { dyno: 'wörker.1' }, true],
    ['host:db', { host: 'db1.example.com' }, true],
    ['host:example.com', { message: 'at=info host=example.com status=200' }, true],
    ['sender:example.com', { message: 'at=info host=example.com status=200' }, false],
    ['sender:db', { host: 'db1' }, true],
    ['message:hello', {}, true],
    ['message:app', {}, false],
    ['message:"two words"', { message: 'Two Words here' }, true],
    ['message:/^hel+o$/', {}, true],
    ['message:hel*', {}, true],
    ['message:lo*', {}, false],
    ['facility:local7', {}, true],
    ['facility:23', {}, true],
    ['facility:user', {}, false],
    ['facility:(user mail)', { priority: 22 }, true],
    ['facility:local*', {}, true],
    ['severity:error', { priority: 187 }, true],
    ['severity:error', { priority: 186 }, true],
    ['severity:error', { priority: 188 }, false],
    ['severity:err', { message: 'ERROR: x' }, true],
    ['severity:crit', { message: 'ERROR: x' }, false],
    ['severity:crit', { priority: 186 }, true],
    ['severity:warn', { message: 'level=warn x' }, true],
    ['severity:warn', {}, false],
    ['severity:info', {}, true],
    ['severity:notice', {}, false],
    ['severity:notice', { priority: 189 }, true],
    ['severity:=warn', { priority: 187 }, false],
    ['severity:=warn', { priority: 188 }, true],
    ['severity:<warn', {}, true],
    ['severity:>=warn', { priority: 187 }, true],
    ['severity:>warn', { priority: 188 }, false],
    ['severity:<=3', { priority: 187 }, true],
    ['severity:>3', { priority: 187 }, false],
    ['level:error', { message: 'level=error x' }, true],
    ['-level:info', { priority: 191 }, true],
  ])('%j in %j: %s', (query, line, wanted) => expect(findsLine(query, line)).toBe(wanted));
});

describe('fields', () => {
  const ROUTER =
    'at=info method=GET path="/api/users?a=b status=500" host=x.com service=1500ms status=200 bytes=10100';
  const JSON_LINE =
    '{"user":{"id":7,"name":"Jo Doe"},"items":[{"id":1},{"id":22}],"tags":["a-b","c"],"msg":"took status=500","n":null,"big":1234567890123456789,"t":1.50,"ok":true,"e":{},"u":"\\u00e4\\"q\\""}';
  it.each<[string, string, boolean]>([
    ['status:200', ROUTER, true],
    ['status:500', ROUTER, false],
    ['status:20', ROUTER, false],
    ['status:>=200', ROUTER, true],
    ['status:>200', ROUTER, false],
    ['status:<500', ROUTER, true],
    ['status:=200', ROUTER, true],
    ['status:200.0', ROUTER, true],
    ['status:2*', ROUTER, true],
    ['status:*', ROUTER, true],
    ['nothing:*', ROUTER, false],
    ['-status:200', ROUTER, false],
    ['-nothing:1', ROUTER, true],
    ['status:(200 404)', ROUTER, true],
    ['status:(>=500 404)', ROUTER, false],
    ['STATUS:200', ROUTER, true],
    ['service:>1s', ROUTER, true],
    ['service:<1s', ROUTER, false],
    ['service:>1400', ROUTER, true],
    ['service:>1.4s', ROUTER, true],
    ['service:=1500ms', ROUTER, true],
    ['service:=1.5s', ROUTER, true],
    ['bytes:<10kb', ROUTER, true],
    ['bytes:<10000', ROUTER, false],
    ['bytes:>1mb', ROUTER, false],
    ['method:get', ROUTER, true],
    ['method:ge', ROUTER, false],
    ['path:/api/users', ROUTER, true],
    ['path:users', ROUTER, true],
    ['path:use', ROUTER, false],
    ['path:/^.api/', ROUTER, true],
    ['path:"/api/users?a=b status=500"', ROUTER, true],
    ['user.id:7', JSON_LINE, true],
    ['user.id:70', JSON_LINE, false],
    ['user.id:>6', JSON_LINE, true],
    ['user.id:*', JSON_LINE, true],
    ['user:*', JSON_LINE, true],
    ['user:7', JSON_LINE, false],
    ['id:7', JSON_LINE, false],
    ['user.name:jo', JSON_LINE, true],
    ['user.name:"jo doe"', JSON_LINE, true],
    ['user.name:"o d"', JSON_LINE, false],
    ['user.name:j*doe', JSON_LINE, true],
    ['items.id:22', JSON_LINE, true],
    ['items.1.id:22', JSON_LINE, true],
    ['items[1].id:22', JSON_LINE, true],
    ['items[].id:22', JSON_LINE, true],
    ['items.0.id:22', JSON_LINE, false],
    ['tags:a-b', JSON_LINE, true],
    ['tags:c', JSON_LINE, true],
    ['tags.1:c', JSON_LINE, true],
    ['tags.0:c', JSON_LINE, false],
    ['status:500', JSON_LINE, false],
    ['n:*', JSON_LINE, false],
    ['n:null', JSON_LINE, true],
    ['big:1234567890123456789', JSON_LINE, true],
    ['big:1234567890123456788', JSON_LINE, false],
    ['t:1.5', JSON_LINE, true],
    ['ok:true', JSON_LINE, true],
    ['e:*', JSON_LINE, true],
    ['u:ä', JSON_LINE, true],
    [`u:'ä"q"'`, JSON_LINE, true],
    ['user.id:7', `INFO before ${JSON_LINE}`, true],
    ['a.b:1', '{"a.b":1}', true],
    ['b:1', '{"a":{"a":{"b":2}},"b":1}', true],
    ['a:1', '{"a":1,"cut":"in the mid', true],
    ['a:1', '{"b":"{\\"a\\":1}"}', false],
    ['a:1', 'x {"b":2} {"a":1}', true],
    ['a:1', '{ "a" : 1 }', true],
    ['took:3ms', 'completed (status=500, took=3ms)', true],
    ['status:500', 'completed (status=500, took=3ms)', true],
    ['msg:"two words"', 'msg="two words" a=1', true],
    ['msg:"say \\"x"', 'msg="say \\"x\\"" a=1', false],
    [`msg:'say "x"'`, 'msg="say \\"x\\"" a=1', true],
    ['a:1', 'msg="a=1" b=2', false],
    ['a:1', 'msg="x a=1" b=2', false],
    ['b:2', 'msg="x a=1" b=2', true],
    ['a:1', 'msg="x \\" a=1" b=2', false],
    ['desc:""', 'desc="" a=1', true],
    ['desc:""', 'desc="x" a=1', false],
    ['memory_total:>20MB', 'source=web.1 sample#memory_total=21.00MB', true],
    ['sample#memory_total:>20MB', 'source=web.1 sample#memory_total=21.00MB', true],
    ['load:>0.5', 'sample#load=0.75', true],
    ['status:500', 'path=/a#status=500 status=200', false],
    ['status:500', 'path=/a?status=500 status=200', false],
    ['status:500', 'xstatus=500 status=200', false],
    ['status:200', 'path=/a#status=500 xstatus=1 status=200', true],
    ['duration:>1s', 'duration=1500', true],
    ['duration:>1s', '{"duration":999.5}', false],
    ['duration_s:>1s', '{"duration_s":1.5}', true],
    ['elapsed:>1m', 'elapsed=1m30.5s', true],
    ['elapsed:>1s', 'elapsed=1200µs', false],
    ['size:>1kb', 'size=10ms', false],
    ['size_kb:>1mb', 'size_kb=2048', true],
    ['usage:>90', 'usage=97%', true],
    ['delta:<0', 'delta=-5', true],
    ['x:7', 'x=-7', false],
    ['x:007', 'x=7', true],
    ['localhost:3000', 'listening on localhost:3000', true],
    ['localhost:3001', 'listening on localhost:3000', false],
    ['foo:b*r', 'has foo:b*r in it', true],
    ['https://x.com/a', 'GET https://x.com/a', true],
  ])('%j in %j: %s', (query, message, wanted) => expect(finds(query, message)).toBe(wanted));

  it.each<[string, string, boolean]>([
    ['order.id:o-77', '[json@32473 order.id="o-77" user="7"]', true],
    ['order.id:o-77', '[json@32473 order.id="o-771"]', false],
    ['user:7', '[json@32473 order.id="o-77" user="7"]', true],
    ['user:>6', '[json@32473 user="7"]', true],
    ['order.id:*', '[json@32473 order.id="o-77"]', true],
    ['json.order.id:o-77', '[json@32473 order.id="o-77"]', true],
    ['meta.sequenceId:5', '[meta sequenceId="5"][origin ip="10.0.0.1"]', true],
    ['origin.ip:10.0.0.1', '[meta sequenceId="5"][origin ip="10.0.0.1"]', true],
    ['ip:10.0.0.1', '[meta sequenceId="5"][origin ip="10.0.0.1"]', true],
    ['meta.ip:10.0.0.1', '[meta sequenceId="5"][origin ip="10.0.0.1"]', false],
    ['user.id:7', '[json@32473 user="{\\"id\\":7,\\"tags\\":[\\"x\\"\\]}"]', true],
    ['user.id:8', '[json@32473 user="{\\"id\\":7}"]', false],
    ['user.tags:x', '[json@32473 user="{\\"id\\":7,\\"tags\\":[\\"x\\"\\]}"]', true],
    ['tags:x', '[json@32473 tags="[\\"x\\",\\"y\\"\\]"]', true],
    ['q:\'say "x"\'', '[a q="say \\"x\\""]', true],
    ['a_name_that_is_longer_than_32_bytes:1', '[a a_name_that_is_longer_than_32_byt="1"]', true],
    ['b:2', '[a b="] b=2"]', true],
    ['b:3', '[a b="] b=2"]', false],
  ])('%j in %j: %s', (query, data, wanted) => expect(findsLine(query, { data })).toBe(wanted));
});

it('a batch is searched as a whole, wherever its lines begin and however many there are', () => {
  const lines = Array.from({ length: 2_500 }, (_, i) => ({
    message: i % 97 === 0 ? `${'x'.repeat(i % 300)} needle` : `hay ${i} ${'y'.repeat(i % 50)}`,
  }));
  const wanted = lines.flatMap(({ message }, i) => (message.includes('needle') ? [i] : []));
  expect(search('needle', lines)).toEqual(wanted);
  expect(search('needle OR "hay 17 "', lines)).toEqual([...wanted, 17].sort((a, b) => a - b));
  expect(search('-needle', lines)).toHaveLength(lines.length - wanted.length);
  expect(search('needle -xxx', lines).length).toBeLessThan(wanted.length);
  expect(search('nowhere', lines)).toEqual([]);
});

/** What the grammar means, without anything that makes it fast. */
function matchesNaively(
  node: QueryNode,
  line: Required<Pick<Line, 'host' | 'source' | 'dyno' | 'message'>>,
): boolean {
  switch (node.kind) {
    case 'and':
      return node.children.every((child) => matchesNaively(child, line));
    case 'or':
      return node.children.some((child) => matchesNaively(child, line));
    case 'not':
      return !matchesNaively(node.child, line);
    case 'text': {
      const { host, source, dyno, message } = line;
      const places = [host, `${source}/${dyno}`, `${source}[${dyno}]`, message];
      return places.some((place) => place.toLowerCase().includes(node.text.toLowerCase()));
    }
    case 'attribute': {
      if (node.value.kind !== 'text') throw new Error('not made here');
      const { text } = node.value;
      if (node.name === 'message') return line.message.toLowerCase().includes(text.toLowerCase());
      const isPair = line.message.split(' ').includes(`${node.name}=${text}`);
      return isPair || line.message.includes(`${node.name}:${text}`);
    }
    default:
      throw new Error('not made here');
  }
}

it('finds what the plainest reading of the grammar finds', () => {
  for (let run = 0; run < propertyRuns(1_000); run++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
    const words = ['a', 'aa', 'ab', 'AB', 'k=1', 'k=2', 'x', 'xx/y', '/', '[a]', 'ä', 'k:1', '"', '\\'];
    const node = (depth: number): QueryNode => {
      const kind = Math.floor(random() * (depth > 0 ? 8 : 4));
      if (kind === 0)
        return { kind: 'attribute', name: 'k', value: { kind: 'text', text: pick(['1', '2', 'z']) } };
      if (kind === 1)
        return { kind: 'attribute', name: 'message', value: { kind: 'text', text: pick(words) } };
      if (kind < 4) return { kind: 'text', text: pick(words) + pick(['', '', 'a', ' a']) };
      if (kind === 4) return { kind: 'not', child: node(depth - 1) };
      return { kind: kind < 6 ? 'and' : 'or', children: [node(depth - 1), node(depth - 1)] };
    };
    const lines = Array.from({ length: 1 + Math.floor(random() * 30) }, () => ({
      host: pick(['h', 'ab', 'x']),
      source: pick(['xx', 'app', 'a']),
      dyno: pick(['y', 'a', 'web.1']),
      message: Array.from({ length: Math.floor(random() * 5) }, () => pick(words)).join(' '),
    }));
    const query = node(3);
    const wanted = lines.flatMap((line, i) => (matchesNaively(query, line) ? [i] : []));
    expect(found(query, lines), `seed ${seed}: ${JSON.stringify(query)}`).toEqual(wanted);
  }
});

it('numbers are compared as they are read, whatever stands around them', () => {
  const names = [
    'status',
    'Status',
    'a.status',
    'x_status',
    'statuses',
    '"status"',
    '{"status"',
    '{"a":{"status"',
    'n',
  ];
  const signs = ['=', ':', ': ', '="', ':"', ': "', ' = ', '=\\"', ':[', '\x1b[1m='];
  const numbers = [
    '0',
    '200',
    '499',
    '500',
    '503',
    '500.0',
    '499.99',
    '5',
    '-500',
    '+501',
    '5e2',
    '500.',
    '.5',
    '007',
    '0.3',
  ];
  const behind = [
    '',
    ' ',
    ',',
    '}',
    '}}',
    '"',
    '"}',
    'ms',
    ' ms',
    'k',
    '%',
    ';',
    ')',
    ',5',
    '\t',
    ']}',
    '.',
    '123456789012',
    '\x1b[0m',
  ];
  for (let run = 0; run < propertyRuns(3_000); run++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
    const pair = (): string => pick(names) + pick(signs) + pick(numbers) + pick(behind);
    const lines = Array.from({ length: 1 + Math.floor(random() * 20) }, () => ({
      message: Array.from({ length: Math.floor(random() * 4) }, pair).join(pick([' ', ', ', ''])),
      data: random() < 0.2 ? `[m status="${pick(numbers)}" n="${pick(numbers)}"]` : '-',
    }));
    const compared = `${pick(['status', 'a.status', 'n'])}:${pick(['>=', '<=', '>', '<', '='])}${pick(numbers.slice(0, 9))}`;
    const query = pick(['', '-', 'n OR ', '503 ']) + compared;
    try {
      search(query, lines);
    } catch (error) {
      throw new Error(`seed ${seed}: ${query}`, { cause: error });
    }
  }
});

describe('what can’t be compiled', () => {
  it.each([
    ['/(/', /q: \/\(\/ is not a regular expression/],
    [
      'b /(?=a)/',
      /^q: \/\(\?=a\)\/ is not a regular expression: at character 4, \(\?= looks ahead or behind/,
    ],
    ['/(?<!a)b/', /at character 2, \(\?<! looks ahead or behind/],
    ['a:/(/', /is not a regular expression: at character 4, "\("/],
    ['"/a(/" -(x OR /a(/)', /at character 17, "\(" isn't closed: add "\)", or write \\\(/],
    ['/a(b[(]\\((c)/', /at character 3, "\("/],
    ['/(a)\\)]b)/', /at character 9, "\)" closes none/],
    ['😀 /[a/', /at character 5, "\[" isn't closed/],
    ['/a|*b/', /at character 4, "\*" has nothing before it/],
    ['/a++/', /at character 3, "\+\+" repeats a repetition/],
    ['/a{3,2}/', /at character 3, "\{3,2\}" repeats too often/],
    ['/(a)\\1/', /at character 5, \\1 would repeat what a group found/],
    ['/\\Z/', /at character 2, \\Z means nothing: the end is \$/],
    ['/\\y/', /at character 2, \\y means nothing here/],
    ['/\\u00e9/', /at character 2, \\u is no character/],
    ['/[z-a]/', /at character 3, "z-a" goes backwards/],
    ['/\\p{Foo}/', /at character 2, there is no class \\p\{Foo\}/],
    ['/(?P<n>a)(?P<n>b)/', /at character 14, two groups have the name n/],
    ['/(?P<n/', /at character 2, the name of a group/],
    ['/(?>a)/', /at character 2, \(\?> is no group/],
    [`x /${'a'.repeat(251)}/`, /the regular expression at character 3 has 251 characters/],
    [`/${'a'.repeat(251)}/`, /it may have 250 at the most/],
    ['/(a{100}){100}/', /repeats too much/],
    [
      Array(6)
        .fill(`/${'a{90}'.repeat(5)}/`)
        .join(' '),
      /too large together/,
    ],
    ['(a', /^q: the parenthesis at character 1 isn't closed/],
  ])('%j is said in a sentence', (query, why) => expect(() => prepareQuery(query)).toThrow(why));

  it('a name of its own is said', () =>
    expect(() => prepareQuery('/(/', '--query')).toThrow(/^--query: \/\(\/ is not/));
});

it('takes linear time for every line', () => {
  const hostile = [
    '{'.repeat(10_000),
    '{"a":'.repeat(2_000),
    '[{"a":['.repeat(1_400),
    'a='.repeat(5_000),
    'a="'.repeat(3_000),
    ' a="x'.repeat(2_000),
    '(a=('.repeat(2_500),
    ' a='.repeat(3_000),
    `${' a="'}${'\\'.repeat(9_000)}`,
    'a'.repeat(9_000),
    `x${' '.repeat(9_000)}`,
    '{"":'.repeat(2_500),
    '"a":'.repeat(2_500),
  ];
  const queries = [
    'a:1',
    'a.a.a:1',
    'a:>1',
    'a:*x*y*z*',
    'a:/x+y/',
    'a.0.b:*',
    'aaaaaaaaaaab',
    '"a a a b"',
    'program:(a b) -a:1',
  ];
  const some = sampleOf(hostile, 4);
  const ms = processorMs(() => {
    for (const query of queries)
      search(query, [
        ...some.map((message) => ({ message })),
        ...some.map((message) => ({ message, data: `[x a="${'{\\"a\\":'.repeat(600)}"]` })),
      ]);
  });
  expect(ms).toBeLessThan(5_000);
});

it('a search with quotes of both kinds in an attribute finds the same when it is printed and read again', () => {
  for (let run = 0; run < propertyRuns(500); run++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)];
    const letters = Array.from({ length: 1 + Math.floor(random() * 5) }, () =>
      pick(['a', 'B', '"', "'", '(', ')', ' ', '/', '.', '=']),
    );
    const text = [...letters, '"', "'"].sort(() => random() - 0.5).join('');
    const name = pick(['msg', 'message', 'sender', 'program', 'user.id']);
    const value = pick([
      { kind: 'text', text },
      { kind: 'glob', pattern: `${text.replaceAll(' ', '')}*` },
      { kind: 'compare', operator: '=', operand: text },
    ] as const);
    const attribute: QueryNode = { kind: 'attribute', name, value };
    const others: QueryNode[] = [
      { kind: 'text', text: pick(['x', "it's", '"y"']) },
      { kind: 'not', child: { kind: 'attribute', name: 'other', value: { kind: 'text', text: "don't" } } },
    ];
    const expression: QueryNode = {
      kind: pick(['and', 'or']),
      children: [attribute, ...others].sort(() => random() - 0.5),
    };
    const lines = [text, `z ${text} z`, `a${text}a`, text.toUpperCase(), 'x', "it's"].flatMap((one) => [
      { message: JSON.stringify({ msg: one, user: { id: one }, other: pick(['', "don't"]) }) },
      { message: `${one} x` },
      { message: `msg:${one}`, host: one.replaceAll(' ', '') || 'h' },
    ]);
    const printed = printQuery({ expression });
    if (printed.length > 1_000) continue;
    expect(found(prepareQuery(printed).expression, lines), `seed ${seed}: ${printed}`).toEqual(
      found(expression, lines),
    );
  }
});
