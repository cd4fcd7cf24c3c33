/** The level of a line that was read to be searched is the one that `lineLevel` tells. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { scannedLineLevel, searchWindow } from '../../../../src/logs/query/prefilter/wasm-search.ts';
import { HEADROOM, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { lineLevel } from '../../../../src/logs/syslog/record.ts';
import { batchOfOldLines } from '../../../support/old-lines.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

/** Of each line both levels, the one in the memory that is searched first; it is the same for bytes elsewhere. */
function levelsOf(messages: readonly string[]): [string, string][] {
  const { bytes } = batchOfOldLines(messages.map((message) => ({ message })));
  const plain = Buffer.from(bytes);
  const window = searchWindow();
  window.fill('e', 0, plain.length + 64);
  plain.copy(window, 5);
  const scanned = window.subarray(5, 5 + plain.length);
  const [one, other] = [new RecordCursor(scanned, HEADROOM), new RecordCursor(plain, HEADROOM)];
  const levels: [string, string][] = [];
  while (one.advance() && other.advance()) {
    const level = scannedLineLevel(one, scanned);
    expect(scannedLineLevel(other, plain)).toBe(level);
    levels.push([level, lineLevel(other, plain)]);
  }
  return levels;
}

const pieces = [
  ...['level', 'lvl', 'severity', 'log.level', '@l', 'at', 'LEVEL', 'Level', 'key', 't', 'msg', 'format'],
  ...[
    '=',
    ':',
    '="',
    '":"',
    '": "',
    '":',
    '= ',
    ' ',
    '\t',
    '\n',
    '"',
    "'",
    ',',
    '{',
    '{"',
    '}',
    '|',
    '[',
    ']',
    '(',
    ';',
  ],
  ...[
    'info',
    'warn',
    'warning',
    'error',
    'errors',
    'debug',
    'notice',
    'trace',
    'fatal',
    'INFO',
    'ERROR',
    'Error:',
    'E,',
  ],
  ...[
    '10',
    '20',
    '30',
    '40',
    '50',
    '60',
    '70',
    '3',
    '300',
    '00',
    '{"t":{"$date":"2026-11-21T08:00:00Z"},"s":"E"',
    'none',
  ],
  ...[
    '\x1b[31m',
    '\x1b',
    'TypeError: x',
    'Exception in thread ',
    "thread 'a' panicked at ",
    'npm ERR! ',
    'npm error ',
  ],
  ...[
    'GET ',
    'PUT /',
    'POST ',
    'HEAD x',
    'PATCH ',
    'DELETE ',
    'DELETED',
    'a',
    'word ',
    'ä',
    '2026-11-21 08:00:00 ',
  ],
  ...[
    'main.c:3:5: error: ',
    'host=a:3 ',
    'x'.repeat(1_990),
    'ä'.repeat(1_500),
    'even ',
    'rror',
    'xception',
    'eVe',
    'lVl',
    'At=',
  ],
];

it('whatever is in it', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.array(fc.constantFrom(...pieces), { maxLength: 7 }).map((parts) => parts.join('')),
        { minLength: 1, maxLength: 12 },
      ),
      (messages) => {
        for (const [i, [scanned, wanted]] of levelsOf(messages).entries())
          if (scanned !== wanted) expect(scanned, JSON.stringify(messages[i])).toBe(wanted);
      },
    ),
    { numRuns: propertyRuns(4_000) },
  );
});

it('of messages as there are many', () => {
  const messages = [
    '{"level":"info","msg":"order paid"}',
    '{"level":50,"msg":"no"}',
    'at=error code=H12',
    'GET /orders/1 took 12 ms',
    'worker has done job 1',
    '',
    'level=warning',
    'a level=debug',
    // What begins like a field names none, however long its name is.
    `${'a'.repeat(20)}lvl=5 ERROR no`,
    // Behind what is searched.
    `word ${'ä'.repeat(1_500)} level=error`,
  ];
  expect(levelsOf(messages).map(([level]) => level)).toEqual([
    'info',
    'error',
    'error',
    'info',
    'info',
    'info',
    'warn',
    'debug',
    'info',
    'info',
  ]);
  for (const [scanned, wanted] of levelsOf(messages)) expect(scanned).toBe(wanted);
});
