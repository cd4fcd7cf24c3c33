import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type LogLevel, leadingLevel, logLevelOf, messageLevel } from '../../../src/logs/syslog/level.ts';
import { processorMs } from '../../support/processor-time.ts';

const MESSAGES: [string, LogLevel | undefined][] = [
  ['ERROR: it broke', 'error'],
  ['Error: it broke', 'error'],
  ['[error] it broke', 'error'],
  ['[WARN] hm', 'warn'],
  ['<warning> hm', 'warn'],
  ['WARNING  hm', 'warn'],
  ['FATAL:  password authentication failed', 'error'],
  ['LOG:  checkpoint complete', undefined],
  ['INFO:root:started', 'info'],
  ['DEBUG a', 'debug'],
  ['trace: a', 'debug'],
  ['level=error msg="no"', 'error'],
  ['time="2012-12-10" level=warning msg=a', 'warn'],
  ['{"time":1,"level":"debug","msg":"error"}', 'debug'],
  ['{"level":50,"msg":"a"}', 'error'],
  ['{"level":40,"msg":"a"}', 'warn'],
  ['{"level":30,"msg":"a"}', 'info'],
  ['{"short_message":"a","level":4}', 'warn'],
  ['{"severity": "ERROR", "message":"a"}', 'error'],
  ['at=error code=H12 desc="Request timeout"', 'error'],
  ['at=info method=GET path="/"', 'info'],
  ['Error R14 (Memory quota exceeded)', 'error'],
  ['TypeError: x is undefined', 'error'],
  ['Uncaught java.lang.IllegalStateException: x', 'error'],
  ['Traceback (most recent call last):', 'error'],
  ['panic: runtime error', 'error'],
  ['E, [2012-12-10T03:00:48.123456 #7] ERROR -- : no', 'error'],
  ['W, [2012-12-10T03:00:48.123456 #7]  WARN -- : no', 'warn'],
  ['I1210 03:00:48.123456       7 main.go:1] hello', 'info'],
  ['2012-12-10 03:00:48,123 ERROR it broke', 'error'],
  ['2012-12-10 03:00:48,123 - my.app - WARNING - hm', 'warn'],
  ['2012-12-10 03:00:48 UTC [77] ERROR:  no such table', 'error'],
  ['[2012-12-10 03:00:48 +0000] [7] [INFO] Starting gunicorn', 'info'],
  ['error handling was improved', undefined],
  ['Warning signs were painted', undefined],
  ['there was no error: all is well', undefined],
  ['GET /error 200', undefined],
  ['the level is 50', undefined],
  ['sublevel=error', undefined],
  ['hello', undefined],
  ['', undefined],
];

it.each(MESSAGES)('%j is %s', (message, level) => {
  expect(messageLevel(message)).toBe(level);
});

/** Messages as frameworks and servers write them, and messages that only look like them: null. */
const FIXTURES: { message: string; level: LogLevel | null }[] = JSON.parse(
  readFileSync(new URL('../../fixtures/levels.json', import.meta.url), 'utf8'),
);
it.each(FIXTURES)('$message is $level', ({ message, level }) => {
  expect(messageLevel(message) ?? null).toBe(level);
});

it('uses a severity that was set, and searches the message otherwise', () => {
  expect(logLevelOf(3, 'level=info')).toBe('error');
  expect(logLevelOf(0, '')).toBe('error');
  expect(logLevelOf(4, 'ERROR')).toBe('warn');
  expect(logLevelOf(7, 'ERROR')).toBe('debug');
  expect(logLevelOf(6, 'ERROR')).toBe('error');
  expect(logLevelOf(5, 'hello')).toBe('info');
});

it('takes no time over a long message', () => {
  const ms = processorMs(() => {
    for (const message of ['level'.repeat(2_000), '[1'.repeat(5_000), 'a.'.repeat(5_000), ' '.repeat(10_000)])
      for (let i = 0; i < 100; i++) messageLevel(message);
  });
  expect(ms).toBeLessThan(1_000);
});

it('knows the level at the very beginning of a line as what reads all of it does', () => {
  const beginnings = ['at=', 'level=', '{"level":"', 'AT=', 'lvl=', '{"level": "', ' at=', ''];
  const words = ['info', 'error', 'warn', 'debug', 'warning', 'INFO', 'information', 'err', '30', ''];
  const ends = ['', ' ', '"', '",', '}', '-1', 'x', '\n', '\t', ' error', '=', '\x1b[0m x'];
  for (const beginning of beginnings)
    for (const word of words)
      for (const end of ends) {
        const message = beginning + word + end;
        const bytes = Buffer.from(`before ${message} at=error`);
        const found = leadingLevel(bytes, 7, 7 + Buffer.byteLength(message));
        if (found !== undefined && found !== messageLevel(message))
          expect(found, message).toBe(messageLevel(message));
      }
  expect(leadingLevel(Buffer.from('at=info method=GET'), 0, 18)).toBe('info');
});
