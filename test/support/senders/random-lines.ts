/** Lines as they are stored, now and by older versions, made at random: what tells levels, what is escaped, and fields at their limits. */

import type { OldLine } from '../old-lines.ts';
import type { Dice } from '../properties/dice.ts';

/** What is looked for at the beginning of messages, or anywhere in them, to tell their level, or what they belong to. */
const WORDS = [
  'level=',
  '"level":',
  "'level': ",
  'severity=',
  'lvl=',
  'at=',
  'log.level=',
  'LEVEL=',
  'Level: ',
  '"@l":',
  'level_name=',
  'error',
  'ERROR',
  'warn',
  'Warning',
  'info',
  'INFO',
  'debug',
  'trace',
  'critical',
  'ERR',
  'WRN',
  'erro',
  'notice',
  'fatal',
  '30',
  '50',
  '7',
  '400',
  'errors',
  '"',
  "'",
  '{',
  '{"',
  '}',
  '[',
  ']',
  '(',
  ')',
  '<',
  '>',
  ',',
  ';',
  '|',
  ':',
  '=',
  ' ',
  '  ',
  '\t',
  '\n',
  '-',
  '2026-11-21 08:00:00,123',
  '[08:00:00',
  '203.0.113.7',
  'GET /',
  'Completed ',
  'PHP Warning: x',
  '7:M 21 Nov 2026 08:00:00.123 # x',
  'TypeError: x',
  'Error: none',
  'terror',
  'java.lang.Exception',
  'Traceback (most recent call last):',
  'panic: ',
  'E, [2012',
  'npm ERR! x',
  'main.c:3:5: error: ',
  '{"t":{"$date":"2026-01-01T00:00"},"s":"E"',
  'INFO[0003] x',
  '[Sat Nov 21 08:00:00.123 2026] [core:error] [pid 7] x',
  '[2026-11-21T08:00:00,123][WARN ][o.e.b] x',
  '[2026-11-21 08:00:00] local.ERROR: x',
  "thread 'main' panicked at x",
  'Error R14 (x)',
  '0 errors',
  '203.0.113.7 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" ',
  ' - - [01/Jan/2026:00:00:00 -0530] "',
  'WARN ',
  'TRACE ',
  'NOTICE ',
  'FATAL: ',
  'INFO: ',
  'warning: ',
  'none',
  '{"level":30,"time":1767225600000',
  '{"level":"warn","time":',
  'at=error code=H12 ',
  'level=debug ',
  '{"@l":"Error","@t":',
  ' @l=',
  "'@L':",
  '\\',
  '\\"',
  '/',
  '\0',
  '\x01',
  '\x1b[31m',
  '\x1b',
  '\x7f',
  '\x85',
  'ü',
  '€',
  '\ufeff',
  '\u2028',
  '\u202e',
  '😀',
  '\u00a0',
];
const LENGTHS = [1, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 1_000, 2_000];
const LONG_LENGTHS = [2_047, 2_048, 4_096, 9_990, 10_000, 10_239, 10_240, 20_000];
/** What UTF-8 can be broken into. */
const BROKEN = [0x41, 0x80, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf8, 0xff];
const DATA = [
  '[otlp@32473 a="b"]',
  '[otlp@32473 otel.scope.name="shop" otel.scope.version="1" user="ada \\" \\\\ \\]" trace_id="5b8efff798038103d269b633813fc60c" span_id="eee19b7ec3c1b174" trace_flags="01"]',
  '[otlp@32473 otel.scope.name="" otel.scope.k="v" otel.scope.dropped_attributes="2" severity_number="21" dropped_attributes_count="3" severity_text="Odd"]',
  '[otlp@32473 trace_id="x" trace_id="5b8efff798038103d269b633813fc60c" span_id="" severity_number="25"]',
  '[otlp@32473 a="b"][x c=""]',
  '[otlp@32473]',
  '[a@1 b="c"]',
  '[a@1 b="c \\" \\\\ \\] d"]',
  '[a@1 b="ü"][x c="" d="="]',
  '[a]',
  '[a@1 b="',
  '[]',
  '[a@1 b=c]',
  'x',
  '',
  '[meta sequenceId="1"][trace@1 trace_id="5b8efff798038103d269b633813fc60c" span_id="eee19b7ec3c1b174"]',
  '[trace trace_id="x" spanId="eee19b7ec3c1b174"]',
];
/** What stands in the place of a byte of a beginning that is known: what ends words, and what they are made of. */
const ODD_BYTES = ' |\t\n\x1c\x7f:/[]"=-+@0aEü';
const NAMES = [
  'web.1',
  'web.2',
  'app',
  'router',
  'heroku',
  'h',
  'ID47',
  '-',
  'w"1',
  'wéb',
  'a\\b',
  '',
  '\x1b[1m',
];

/** One that is made of words, mostly. */
export function randomMessage(dice: Dice): string | Buffer {
  const kind = dice.below(40);
  if (kind === 0) return Buffer.from(Array.from({ length: dice.below(24) }, () => dice.below(256)));
  if (kind === 1) return Buffer.from(Array.from({ length: dice.below(9) }, () => pick(dice, BROKEN)));
  if (kind === 2) return pick(dice, ['x', 'ü', '"', '\x01', ' y', '😀', 'a\n']).repeat(pick(dice, LENGTHS));
  if (kind === 3 && dice.below(8) === 0) return pick(dice, ['x', 'ü', '"']).repeat(pick(dice, LONG_LENGTHS));
  let text = kind < 8 ? 'x'.repeat(pick(dice, LENGTHS) % 70) : '';
  for (let left = dice.below(9); left > 0; left--) text += dice.below(3) === 0 ? ' x ' : pick(dice, WORDS);
  // One byte of what begins a line isn't as it mostly is.
  if (kind < 18) return text;
  const at = dice.below(Math.min(text.length, 64) + 1);
  return kind > 30 ? text : text.slice(0, at) + pick(dice, [...ODD_BYTES]) + text.slice(at + dice.below(2));
}

export function randomLine(dice: Dice): OldLine {
  return {
    priority: dice.below(3) === 0 ? pick(dice, [13, 134, 0, 3, 172, 191, 187]) : 190,
    timestamp: randomTime(dice),
    hostname: randomName(dice),
    source: randomName(dice),
    dyno: randomName(dice),
    msgid: dice.below(3) === 0 ? randomName(dice) : '-',
    structuredData: dice.below(3) === 0 ? pick(dice, DATA) : '-',
    message: randomMessage(dice),
  };
}

function randomName(dice: Dice): string {
  return dice.below(60) === 0 ? 'n'.repeat(pick(dice, LENGTHS) % 200) : pick(dice, NAMES);
}

function randomTime(dice: Dice): string {
  const two = (most: number): string => String(dice.below(most + 1)).padStart(2, '0');
  if (dice.below(30) === 0)
    return pick(dice, ['-', '', 'x', '2026-13-01T00:00:00Z', '2026-11-21T08:00:00', '2026-02-30T00:00:00Z']);
  const day = dice.below(2) === 0 ? '2026-11-21' : `20${two(29)}-${two(12)}-${two(31)}`;
  const fraction = dice.below(3) === 0 ? '' : `.${'123456789012'.slice(0, dice.below(11))}`;
  const zone = pick(dice, ['Z', '+00:00', '-05:30', '+14:00', '-00:00', '+24:00']);
  return `${day}T${two(23)}:${two(59)}:${two(60)}${fraction}${zone}`;
}

function pick<T>(dice: Dice, values: readonly T[]): T {
  return values[dice.below(values.length)];
}
