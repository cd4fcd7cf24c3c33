import { describe, expect, it } from 'vitest';
import {
  hidePasswords,
  postgresLogReader,
} from '../../../../../src/apps/host/addons/services/postgres/log-lines.ts';

/** Messages that come of lines, with their severities. */
function read(...lines: string[]): (string | number | undefined)[][] {
  const written: (string | number | undefined)[][] = [];
  const reader = postgresLogReader({
    write: (text, priority) => written.push([priority === undefined ? undefined : priority & 7, text]),
  });
  for (const line of lines) reader.line(line);
  reader.end();
  return written;
}

describe('lines of PostgreSQL', () => {
  it('have the severity that they name', () => {
    const named = ['DEBUG1', 'INFO', 'LOG', 'NOTICE', 'WARNING', 'ERROR', 'FATAL', 'PANIC'];
    const read8 = read(...named.map((name) => `[12] ${name}:  text`));
    expect(read8.map(([severity]) => severity)).toEqual([7, 6, 6, 5, 4, 3, 2, 1]);
    expect(read('[12] app@my db FATAL:  database "my db" does not exist')[0][0]).toBe(2);
    expect(read('2026-11-28 17:47:50.020 UTC [19942] FATAL:  could not open')[0][0]).toBe(2);
    expect(read('sh: 1: postgres: not found')).toEqual([[undefined, 'sh: 1: postgres: not found']]);
  });

  it('that belong together are one message, without the prefix of the later ones', () => {
    expect(
      read(
        '[7] LOG:  before',
        '[9] app@app ERROR:  relation "nosuch" does not exist at character 15',
        '[9] app@app HINT:  Make it.',
        '[9] app@app STATEMENT:  select *',
        '\tfrom nosuch',
        '\t\twhere true',
        '[9] app@app ERROR:  the next',
      ),
    ).toEqual([
      [6, '[7] LOG:  before'],
      [
        3,
        '[9] app@app ERROR:  relation "nosuch" does not exist at character 15\nHINT:  Make it.\nSTATEMENT:  select *\nfrom nosuch\n\twhere true',
      ],
      [3, '[9] app@app ERROR:  the next'],
    ]);
  });

  it('of a very long statement are cut', () => {
    const row = `\t${'x'.repeat(1_000)}`;
    const [[, text], ...others] = read('[9] app@app ERROR:  e', ...new Array<string>(1_000).fill(row));
    expect(others).toEqual([]);
    expect(String(text).length).toBeLessThan(66_000);
  });

  it('without a first one are messages of their own', () => {
    expect(read('[9] app@app DETAIL:  lost')).toEqual([[undefined, '[9] app@app DETAIL:  lost']]);
    expect(read('\tlost')).toEqual([[undefined, '\tlost']]);
  });
});

it.each([
  ["ALTER USER app PASSWORD 'geheim'", "ALTER USER app PASSWORD '[hidden]'"],
  [
    "create role x encrypted\npassword E'it''s geheim' login",
    "create role x encrypted\npassword '[hidden]' login",
  ],
  ['ALTER USER app PASSWORD $x$geheim$x$;', "ALTER USER app PASSWORD '[hidden]';"],
  ["SELECT 1 WHERE password = 'geheim'", "SELECT 1 WHERE password = '[hidden]'"],
  [
    "CREATE SUBSCRIPTION s CONNECTION 'host=h password=geheim user=u'",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h password=[hidden] user=u'",
  ],
  ["dblink('postgres://u:geheim@h/d')", "dblink('postgres://u:[hidden]@h/d')"],
  [
    'ERROR:  unterminated quoted string at or near "\'geheim" at character 3\nSTATEMENT:  ALTER USER app PASSWORD \'geheim',
    'ERROR:  unterminated quoted string at or near "[hidden]" at character 3\nSTATEMENT:  ALTER USER app PASSWORD \'[hidden]\'',
  ],
  ['ERROR:  syntax error at or near "foo"', 'ERROR:  syntax error at or near "foo"'],
  [
    'FATAL:  password authentication failed for user "app"',
    'FATAL:  password authentication failed for user "app"',
  ],
])('passwords are not in the stream: %s', (line, hidden) => {
  expect(hidePasswords(line)).toBe(hidden);
});
