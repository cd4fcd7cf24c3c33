/** Many searches at once find what each of them finds alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GramScanner, Hits } from '../../../../drains/viewer/alerts/matching/gram-scanner.ts';
import { SearchSet } from '../../../../drains/viewer/alerts/matching/search-set.ts';
import { prepareQuery } from '../../../../src/logs/query/query-matcher.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';
import { recordsOf } from './record-batches.ts';

function matchesAtOnce(queries: readonly string[], batch: Buffer): string[] {
  const set = new SearchSet(queries.map((query) => prepareQuery(query).expression));
  const found: string[] = [];
  if (!set.startBatch(batch)) return found;
  const line = new RecordCursor(batch);
  for (let i = 0; line.advance(); i++)
    set.match(line, batch, (search) => found.push(`${i} ${queries[search]}`));
  return found.sort();
}

function matchesOneByOne(queries: readonly string[], batch: Buffer): string[] {
  const found: string[] = [];
  for (const query of queries) {
    const { matcher } = prepareQuery(query);
    if (matcher && !matcher.mayMatch(batch)) continue;
    const line = new RecordCursor(batch);
    for (let i = 0; line.advance(); i++)
      if (matcher?.matches(line, batch) ?? true) found.push(`${i} ${query}`);
  }
  return found.sort();
}

/** Has it no more terms than it may? */
function isReadable(query: string): boolean {
  try {
    prepareQuery(query);
    return true;
  } catch {
    return false;
  }
}

const WORDS = [
  'error',
  'Timeout',
  'H12',
  'R14',
  'status=500',
  'user.id=7',
  '{"code":"E_CONN","n":12}',
  'web.1',
  'ab',
  'könig',
  'a/b[c]',
  '"x"',
  'GET',
  '/api/users',
  '\x1b[31merr\x1b[0mor',
  'time\x1b[1mout',
  'k',
  '',
];
const QUERIES = [
  'error',
  'timeout',
  'h12',
  'R1',
  'status:500',
  'status:>=400',
  'user.id:7',
  'code:E_CONN',
  'source:app',
  'program:app/web',
  '-error',
  'error OR h12',
  '"error timeout"',
  'severity:warn',
  '/time.?out/i',
  'könig',
  'a/b',
  '"b[c]"',
  'get -api',
  'api/users',
  'sender:host-1',
  'dyno:web',
  'x',
  'outage',
  'n:>3',
  'app[web.1]',
  '',
  'get (h12 OR r14) -timeout',
];

const line = fc.record({
  header: fc.constantFrom('host-1 app web.1', 'd.abc heroku router', 'db-1 app worker.2'),
  message: fc.array(fc.constantFrom(...WORDS), { maxLength: 8 }).map((words) => words.join(' ')),
});

const FIELDS = ['status', 'user.id', 'msg', 'duration', 'id', 'n', 'size_kb', 'tags', 'a.b'];
const VALUES = [
  '500',
  '404',
  '7',
  '-7',
  '7.0',
  '1.5s',
  '30ms',
  '2kb',
  '1e3',
  '97%',
  'ok',
  'was refused',
  'refused',
  '/api/users/1',
  'Ünï',
  'x_y',
  '',
  'null',
  'a=b',
  '(7)',
  '😀 7',
];
const field = fc.constantFrom(...FIELDS);
const value = fc.constantFrom(...VALUES);
const pair = fc
  .tuple(field, value, fc.constantFrom('', '', '', 'sample#', '(', '{', 'x'))
  .chain(([name, is, before]) =>
    fc.constantFrom(
      `${before}${name}="${is}"`,
      `${before}${name}=${is.replaceAll(' ', '_')}`,
      `${before}${name.toUpperCase()}=${is.replaceAll(' ', '')},`,
      `text="says ${name}=${is} \\"${name}=7\\" "`,
      `${name}:${is}`,
    ),
  );
const json = fc
  .tuple(field, value, field, value)
  .chain(([one, is, other, isOther]) =>
    fc.constantFrom(
      JSON.stringify({ [one]: is, nested: { [other]: Number(isOther) || isOther } }),
      JSON.stringify({ user: { id: is }, [other]: [isOther, { id: 7 }], a: { b: null } }),
      `{"${one}" : "${is}", "cut":`,
      JSON.stringify({ text: `${one}=${is}` }),
    ),
  );
const written = fc.record({
  header: fc.constantFrom('host-1 app web.1', 'd.abc heroku router', 'db-1 app worker.2', 'status app id.7'),
  priority: fc.constantFrom(190, 187, 14, 45),
  data: fc.constantFrom(
    '-',
    '-',
    '-',
    '[json@32473 user.id="7" msg="was refused"]',
    '[meta@1 status="500" tags="[1,{\\"id\\":7}\\]"][a b="x y"]',
  ),
  message: fc
    .array(fc.oneof(pair, pair, json, fc.constantFrom(...WORDS, 'level=error', 'ERROR', 'a\\b')), {
      maxLength: 6,
    })
    .map((parts) => parts.join(' ')),
});

const quoted = (text: string): string => (text === '' || /[^\w./-]/.test(text) ? `"${text}"` : text);
const leaf = fc.oneof(
  fc.constantFrom(
    ...QUERIES.filter((query) => query !== ''),
    ...[
      'severity:error',
      'severity:=info',
      'level:<warn',
      'facility:local7',
      'facility:1',
      'source:heroku',
      'host:db',
    ],
    ...[
      'program:/web/',
      'sender:*',
      'dyno:worker',
      'message:refused',
      'message:/7$/',
      'message:"a=b"',
      'refused',
    ],
    ...[
      '/(refused|timeout) .*7/',
      '/\\d{3}/',
      'says',
      '"was refused"',
      '"status=500"',
      'user.id',
      '404',
      '7',
    ],
  ),
  fc.tuple(field, value).map(([name, is]) => `${name}:${quoted(is)}`),
  fc
    .tuple(
      field,
      fc.constantFrom('>', '<', '>=', '<=', '='),
      fc.constantFrom('7', '500', '1s', '1kb', '29.5', '0'),
    )
    .map(([name, operator, number]) => `${name}:${operator}${number}`),
  fc
    .tuple(field, fc.constantFrom('*', '/api/*', '*used', '/7|ok/', '/^was/i', 'was*ref*', '5*'))
    .map((all) => all.join(':')),
);
const { query: anyQuery } = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3 },
    leaf,
    leaf.map((one) => `-${one}`),
    fc.tuple(tie('query'), tie('query')).map(([a, b]) => `(${a}) (${b})`),
    fc.tuple(tie('query'), tie('query')).map(([a, b]) => `(${a} OR ${b})`),
    tie('query').map((one) => `-(${one})`),
  ),
}));

describe('many searches at once', () => {
  it('find the lines that each of them finds alone', () => {
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.subarray(QUERIES, { minLength: 1 }),
        fc.integer({ min: 0, max: 7 }),
        (lines, queries, shift) => {
          const batch = recordsOf(lines, shift);
          expect(matchesAtOnce(queries, batch)).toEqual(matchesOneByOne(queries, batch));
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  });

  it('ask of fields, severities and programs, and of all that together, what each of them asks alone', () => {
    fc.assert(
      fc.property(
        fc.array(written, { minLength: 1, maxLength: 10 }),
        fc.array(anyQuery, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 7 }),
        (lines, queries, shift) => {
          const batch = recordsOf(lines, shift);
          const known = queries.filter(isReadable);
          expect(matchesAtOnce(known, batch)).toEqual(matchesOneByOne(known, batch));
        },
      ),
      { numRuns: propertyRuns(300) },
    );
  });

  it('are the same for texts of any characters', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aAbB1 /"\\[]=é'), minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(
        fc.array(text, { minLength: 1, maxLength: 6 }),
        fc.array(text, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 3 }),
        (words, messages, shift) => {
          const queries = words
            .filter((word) => !word.includes('"') && word.trim() !== '')
            .map((word) => `"${word}"`);
          const batch = recordsOf(
            messages.map((message) => ({ header: 'host app web.1', message })),
            shift,
          );
          expect(matchesAtOnce(queries, batch)).toEqual(matchesOneByOne(queries, batch));
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  });

  it('finds a field whose name is written with escapes', () => {
    const message = String.raw`{"st\u0061tus":500,"n":1}`;
    const batch = recordsOf([{ header: 'host app web.1', message }]);
    expect(matchesAtOnce(['status:500', 'status:404'], batch)).toEqual(['0 status:500']);
    expect(matchesOneByOne(['status:500', 'status:404'], batch)).toEqual(['0 status:500']);
  });

  it('compare numbers where they stand as each of them compares alone', () => {
    const names = ['took', 'size_kb', 'n', 'elapsed_s'];
    const operands = ['0', '5', '5.5', '100', '100ms', '0.1s', '1s', '2m', '10kb', '0.5mb'];
    const units = ['', 'ms', 's', 'm', 'MS', 'kb', 'm2s', '.', '.5', '..5', 'e2', ' ', ',', '%'];
    const number = fc.oneof(
      fc.constantFrom('0', '5', '5.5', '100', '05', '.5', '-1', '123456789012345', '1234567890123456789'),
      fc.integer({ min: 0, max: 120_000 }).map(String),
      fc.double({ min: 0, max: 200, noNaN: true }).map((one) => one.toFixed(3)),
    );
    const text = fc.record({
      name: fc.constantFrom(...names),
      number,
      unit: fc.constantFrom(...units),
      isJson: fc.boolean(),
    });
    const comparison = fc
      .tuple(fc.constantFrom(...names), fc.constantFrom('>', '>=', '<', '<='), fc.constantFrom(...operands))
      .map((parts) => `${parts[0]}:${parts[1]}${parts[2]}`);
    // With two of them, and what all of some have in common.
    const query = fc
      .tuple(comparison, fc.option(comparison), fc.boolean())
      .map(([one, other, isRouter]) => [one, other ?? '', isRouter ? 'source:router' : ''].join(' ').trim());
    fc.assert(
      fc.property(
        fc.array(text, { minLength: 1, maxLength: 30 }),
        fc.uniqueArray(query, { maxLength: 40 }),
        (texts, queries) => {
          const batch = recordsOf(
            texts.map(({ name, number: digits, unit, isJson }, i) => ({
              header: i % 2 === 0 ? 'host heroku router' : 'host app web.1',
              message: isJson
                ? `{"other":1,"${name}":${i % 3 === 0 ? `"${digits}${unit}"` : digits}}`
                : `a=b ${name}=${digits}${unit} took=${i}`,
            })),
          );
          expect(matchesAtOnce(queries, batch)).toEqual(matchesOneByOne(queries, batch));
        },
      ),
      { numRuns: propertyRuns(300) },
    );
  });

  it('says at once that nothing in a batch matches', () => {
    const set = new SearchSet([prepareQuery('timeout').expression, prepareQuery('status:500').expression]);
    expect(set.startBatch(recordsOf([{ header: 'host app web.1', message: 'all is well' }]))).toBe(false);
  });
});

describe('the scan for many texts', () => {
  it('finds every text wherever it stands, in any case, and nothing else', () => {
    const letters = fc.string({ unit: fc.constantFrom(...'abAB1'), minLength: 3, maxLength: 12 });
    fc.assert(
      fc.property(
        fc.uniqueArray(
          letters.map((text) => text.toLowerCase()),
          { minLength: 1, maxLength: 20 },
        ),
        fc.string({ unit: fc.constantFrom(...'abAB1@`'), maxLength: 60 }),
        fc.integer({ min: 0, max: 5 }),
        fc.boolean(),
        (texts, haystack, shift, usesWasm) => {
          const bytes = Buffer.from(new ArrayBuffer(haystack.length + shift), shift);
          bytes.write(haystack);
          const long = new Hits();
          const short = new Hits();
          new GramScanner(texts, usesWasm).scan(bytes, long, short);
          const found = [long, short].flatMap((hits) =>
            Array.from({ length: hits.count }, (_, i) => `${hits.positions[i]} ${texts[hits.texts[i]]}`),
          );
          const lower = haystack.toLowerCase();
          const expected = texts.flatMap((text) =>
            [...lower].flatMap((_, at) => (lower.startsWith(text, at) ? [`${at} ${text}`] : [])),
          );
          // One may be found by two of its grams.
          expect([...new Set(found)].sort()).toEqual(expected.sort());
          for (const { positions, count } of [long, short])
            expect([...positions.subarray(0, count)]).toEqual(
              [...positions.subarray(0, count)].sort((a, b) => a - b),
            );
        },
      ),
      { numRuns: propertyRuns(500) },
    );
  });

  it('finds the same in WebAssembly, over pieces of its memory, with more found than fits, and with two that take turns', () => {
    const texts = Array.from({ length: 2_000 }, (_, i) => `${i % 3 === 0 ? 'abc' : 'a long text '}${i}`);
    const [some, others] = [texts.slice(0, 1_500), texts.slice(900)];
    // Whatever is found stands at the edges of pieces, too.
    const bytes = Buffer.from(
      'x'.repeat(131_072 - 7) + texts.join('') + ' Abc0 A LONG TEXT 1'.repeat(30_000),
    );
    const found = (scanner: GramScanner): readonly Int32Array[] => {
      const [long, short] = [new Hits(), new Hits()];
      scanner.scan(bytes, long, short);
      return [long, short].flatMap((hits) => [
        hits.positions.slice(0, hits.count),
        hits.texts.slice(0, hits.count),
      ]);
    };
    const scanners = [some, others].map(
      (all) => [new GramScanner(all), new GramScanner(all, false)] as const,
    );
    const wanted = scanners.map(([, scalar]) => occurrences(found(scalar)));
    for (let turn = 0; turn < 2; turn++)
      for (const [i, [wasm]] of scanners.entries()) {
        const hits = found(wasm);
        expect(hits[0].length + hits[2].length).toBeGreaterThan(i === 0 ? 60_000 : 1_000);
        expect(Buffer.compare(bytesOf(occurrences(hits)), bytesOf(wanted[i]))).toBe(0);
      }
  });

  it('finds all of more texts than there is room for in WebAssembly', () => {
    const texts = Array.from({ length: 20_000 }, (_, i) => `${(i * 7_919).toString(36)} of ${i}`);
    const bytes = Buffer.from(texts.slice(-50).join('\n'));
    const [long, short] = [new Hits(), new Hits()];
    new GramScanner(texts).scan(bytes, long, short);
    expect(new Set([...long.texts.slice(0, long.count), ...short.texts.slice(0, short.count)]).size).toBe(50);
  });
});

/** Once each: one may be found by two of its grams. */
function occurrences([longAt, longTexts, shortAt, shortTexts]: readonly Int32Array[]): Float64Array {
  const all = new Float64Array(longAt.length + shortAt.length);
  for (let i = 0; i < longAt.length; i++) all[i] = longAt[i] * 10_000 + longTexts[i];
  for (let i = 0; i < shortAt.length; i++) all[longAt.length + i] = shortAt[i] * 10_000 + shortTexts[i];
  return all.sort().filter((one, i, sorted) => one !== sorted[i - 1]);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
