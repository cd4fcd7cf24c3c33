/** Many searches at once find what each of them finds alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GramScanner, Hits } from '../../../../drains/viewer/alerts/matching/gram-scanner.ts';
import { SearchSet } from '../../../../drains/viewer/alerts/matching/search-set.ts';
import { prepareQuery } from '../../../../src/logs/query/query-matcher.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
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
      { numRuns: 400 },
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
      { numRuns: 400 },
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
        (texts, haystack, shift) => {
          const bytes = Buffer.from(new ArrayBuffer(haystack.length + shift), shift);
          bytes.write(haystack);
          const long = new Hits();
          const short = new Hits();
          new GramScanner(texts).scan(bytes, long, short);
          const found = [long, short].flatMap((hits) =>
            Array.from({ length: hits.count }, (_, i) => `${hits.positions[i]} ${texts[hits.texts[i]]}`),
          );
          const lower = haystack.toLowerCase();
          const expected = texts.flatMap((text) =>
            [...lower].flatMap((_, at) => (lower.startsWith(text, at) ? [`${at} ${text}`] : [])),
          );
          expect(found.sort()).toEqual(expected.sort());
          for (const { positions, count } of [long, short])
            expect([...positions.subarray(0, count)]).toEqual(
              [...positions.subarray(0, count)].sort((a, b) => a - b),
            );
        },
      ),
      { numRuns: 500 },
    );
  });
});
