import { describe, expect, it } from 'vitest';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { LineFilter, type LineFilterOptions } from '../../../src/logs/syslog/line-filter.ts';

interface Line {
  readonly priority?: number;
  readonly source?: string;
  readonly dyno?: string;
  readonly message?: string;
}

/** The indexes of the lines that a filter matches. */
function matching(options: LineFilterOptions, lines: readonly Line[]): number[] {
  const builder = new BatchBuilder();
  const header = new SyslogHeader();
  for (const { priority = 190, source = 'app', dyno = 'web.1', message = 'hello' } of lines) {
    const text = Buffer.from(`<${priority}>1 2012-12-10T03:00:48.123456+00:00 host t ${dyno} - - ${message}`);
    if (!scanHeader(text, 0, text.length, header)) throw new Error('no line');
    builder.add(text, 0, text.length, header, Buffer.from(source), Buffer.from('host'));
  }
  const bytes = Buffer.from(builder.takeBatch()?.bytes ?? []);
  const filter = new LineFilter(options);
  const cursor = new RecordCursor(bytes);
  const found: number[] = [];
  for (let i = 0; cursor.advance(); i++) if (filter.matches(cursor, bytes)) found.push(i);
  return found;
}

function dynosOf(wanted: readonly string[], dynos: readonly string[]): string[] {
  const lines = dynos.map((dyno) => ({ dyno }));
  return matching({ dynos: wanted }, lines).map((i) => dynos[i]);
}

describe('dynos', () => {
  it.each([
    ['web', ['web', 'web.1', 'web.12', 'web.x.1'], ['webs', 'webs.1', 'web1', 'we.1', 'we', 'xweb.1', '-']],
    ['web.1', ['web.1', 'web.1.2'], ['web.12', 'web.2', 'web', 'webs.1']],
    ['a.b', ['a.b', 'a.b.1', 'a.b.12'], ['a.bc', 'a.c.1', 'a', 'a.1', 'ab.1']],
    ['wörker', ['wörker.1'], ['worker.1']],
  ])('%s is %j, and not %j', (wanted, yes, no) => {
    expect(dynosOf([wanted], [...yes, ...no])).toEqual(yes);
  });

  it('of a list are those of any of its names', () => {
    const dynos = ['web.1', 'webs.1', 'worker.1', 'worker.2', 'a.b.1'];
    expect(dynosOf(['web', 'worker.2', 'a.b'], dynos)).toEqual(['web.1', 'worker.2', 'a.b.1']);
  });

  it('of an empty list are none, and of no list all', () => {
    expect(matching({ dynos: [] }, [{}, {}])).toEqual([]);
    expect(matching({}, [{}, {}])).toEqual([0, 1]);
  });
});

it('a source is its whole name', () => {
  const lines = ['app', 'apps', 'ap', 'db', 'app.1'].map((source) => ({ source }));
  expect(matching({ sources: ['app'] }, lines)).toEqual([0]);
  expect(matching({ sources: ['app', 'db'] }, lines)).toEqual([0, 3]);
});

it('a level is all that are at least as serious, by severity or, where that says nothing, by message', () => {
  const lines = [
    { priority: 187 },
    { priority: 188 },
    { priority: 190 },
    { priority: 191 },
    { priority: 190, message: 'level=error no' },
  ];
  expect(matching({ level: 'error' }, lines)).toEqual([0, 4]);
  expect(matching({ level: 'warn' }, lines)).toEqual([0, 1, 4]);
  expect(matching({ level: 'info' }, lines)).toEqual([0, 1, 2, 4]);
  expect(matching({ level: 'debug' }, lines)).toEqual([0, 1, 2, 3, 4]);
});

it('what is asked for together has to match together', () => {
  const lines = [{}, { dyno: 'worker.1' }, { source: 'db' }, { message: 'by' }, { priority: 191 }];
  const matcher = {
    key: 'hello',
    definition: undefined,
    matches: (line: RecordCursor, bytes: Buffer) =>
      bytes.toString('latin1', line.messageStart, line.textEnd) === 'hello',
    mayMatch: () => true,
    nextCandidate: (from: number) => from,
  };
  expect(matching({ sources: ['app'], dynos: ['web'], level: 'info', matcher }, lines)).toEqual([0]);
});

it('knows when everything matches, and has the same key as one that decides alike', () => {
  expect(new LineFilter().matchesAll).toBe(true);
  expect(new LineFilter({ level: 'debug' }).matchesAll).toBe(true);
  expect(new LineFilter({ level: 'info' }).matchesAll).toBe(false);
  expect(new LineFilter({ dynos: ['web'] }).matchesAll).toBe(false);
  expect(new LineFilter({ dynos: ['web'] }).key).toBe(new LineFilter({ dynos: ['web'] }).key);
  expect(new LineFilter({ dynos: ['web'] }).key).not.toBe(new LineFilter({ sources: ['web'] }).key);
});
