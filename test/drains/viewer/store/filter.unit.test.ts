import { describe, expect, it } from 'vitest';
import { batchOfLines, LogLines, seededRandom } from '../../../../bench/viewer/log-lines.ts';
import { filterPlan } from '../../../../drains/viewer/store/filter/filter-plan.ts';
import { GramSet } from '../../../../drains/viewer/store/filter/grams.ts';
import { encodeFilter, PartFilter } from '../../../../drains/viewer/store/filter/part-filter.ts';
import { addRecordGrams } from '../../../../drains/viewer/store/filter/wasm-grams.ts';
import { QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import { parseQuery } from '../../../../src/logs/query/query-parser.ts';
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import { HEADROOM, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { FIRST_SEED, propertyRuns } from '../../../support/properties/property-runs.ts';

const BLOCKS = 21;
const BLOCK_LINES = 300;

const source = new LogLines(5, Date.UTC(2026, 10, 1), 50);
const blocks = Array.from({ length: BLOCKS }, (_, i) => {
  const lines = Array.from({ length: BLOCK_LINES }, () => source.next());
  // What is in one block alone, and odd lines.
  lines[7] = `<14>1 2026-11-01T00:00:00Z box${i} app web.1 - [x@1 p="a\\]b${i}cdefgh"] Grüße aus dem Quetzal tlaloc${String.fromCharCode(97 + i)}xiuh, [10.20.${i}.77] K\u212A`;
  return lines;
});
const batches = blocks.map((lines) => batchOfLines(lines));
const filter = (() => {
  const bytes = encodeFilter(
    batches.map((batch) => {
      const grams = new GramSet();
      const line = new RecordCursor(batch.bytes);
      while (line.advance()) grams.add(batch.bytes, line.hostStart, line.textEnd);
      return grams;
    }),
  );
  return new PartFilter((offset, length) => bytes.subarray(offset, offset + length));
})();

/** Of each block: may it have a line that matches, and has it one? */
function compared(node: QueryNode): { readonly may: boolean[]; readonly has: boolean[] } {
  const plan = filterPlan(node);
  const bits = plan && filter.evaluate(plan);
  const has = batches.map(({ bytes }) => {
    const matcher = new QueryMatcher(node, '');
    const line = new RecordCursor(bytes);
    let found = false;
    if (matcher.mayMatch(bytes)) while (!found && line.advance()) found = matcher.matches(line, bytes);
    return found;
  });
  return { may: has.map((_one, i) => (bits ? ((bits[i >> 3] >> (i & 7)) & 1) === 1 : true)), has };
}

function expectNothingHidden(node: QueryNode): void {
  const { may, has } = compared(node);
  for (const [i, one] of has.entries())
    if (one && !may[i]) expect.fail(`FUZZ_SEED=${FIRST_SEED}: ${JSON.stringify(node)} is in block ${i}`);
}

describe('the filter of a part', () => {
  it(`hides no block with any fragment of a line, in any case (first seed ${FIRST_SEED})`, () => {
    const random = seededRandom(FIRST_SEED);
    for (let i = 0; i < propertyRuns(150, 20); i++) {
      const lines = blocks[Math.floor(random() * BLOCKS)];
      const line = lines[random() < 0.1 ? 7 : Math.floor(random() * BLOCK_LINES)];
      const from = line.indexOf(' ', 40) + Math.floor(random() * 120);
      const fragment = line.slice(from, from + 3 + Math.floor(random() * 30));
      const text =
        random() < 0.5 ? fragment : random() < 0.5 ? fragment.toUpperCase() : fragment.toLowerCase();
      if (text !== '') expectNothingHidden({ kind: 'text', text });
    }
  });

  it.each([
    'status:503',
    'status:>=500',
    'user.id:7 OR quetzal',
    'level:error request_id=00',
    'p:a]b7cdefgh',
    '"a]b17cdefgh"',
    'source:heroku method:POST',
    'dyno:web.3',
    'program:app/web.1',
    'app[web.1]',
    'host:box3',
    'sender:box1',
    'grüße',
    'kk',
    'message:Quetzal*',
    'event:cache.*',
    '-router -json',
    '/quetzal/i',
    '[10.20.7.77]',
  ])('hides no block that has a line for %s', (q) => {
    expectNothingHidden(parseQuery(q).expression!);
  });

  it('leaves few blocks for what is in few', () => {
    for (const [q, most] of [
      ['TLALOCexiuh', 2],
      ['10.20.17.77', 4],
      ['tlatelolco', 0],
      [
        blocks[4]
          .find((line) => line.includes('request_id='))!
          .split('request_id=')[1]
          .slice(3, 20),
        2,
      ],
      ['quetzal tlatelolco', 0],
    ] as const) {
      const { may } = compared(parseQuery(q).expression!);
      expect([q, may.filter((one) => one).length <= most]).toEqual([q, true]);
    }
  });

  it('has the same pieces of a block at once as line by line', () => {
    const random = seededRandom(9);
    const odd = Array.from({ length: 400 }, () => {
      const text = Array.from({ length: Math.floor(random() * 90) }, () =>
        random() < 0.4
          ? 'a7bZ'[Math.floor(random() * 4)]
          : String.fromCharCode(32 + Math.floor(random() * 224)),
      );
      return `<14>1 2026-11-01T00:00:00Z box app web.1 - - ${text.join('')}`;
    });
    for (const lines of [odd, [odd[0]], [`${odd[1]}${'x1y2 z'.repeat(60_000)}`], ...blocks]) {
      const records = batchOfLines(lines).bytes.subarray(HEADROOM);
      const atOnce = new GramSet();
      addRecordGrams(atOnce, records);
      const oneByOne = new GramSet();
      const line = new RecordCursor(records, 0);
      while (line.advance()) oneByOne.add(records, line.hostStart, line.textEnd);
      expect(rowsOf(atOnce)).toEqual(rowsOf(oneByOne));
    }
  });
});

function rowsOf(grams: GramSet): number[] {
  const rows: number[] = [];
  grams.forEach((row) => {
    rows.push(row);
  });
  return rows;
}
