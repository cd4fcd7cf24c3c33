import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineReader } from '../../../src/apps/processes/output/line-reader.ts';
import { PartialLines } from '../../../src/cli/server/partial-lines.ts';

const TIME = '2026-01-02T03:04:05.678000+00:00';
const ERASE = '\r\x1b[K';

function terminal(columns = 200) {
  let screen = '';
  const partials = new PartialLines({
    write: (text) => {
      screen += Buffer.from(text as string).toString();
    },
    columns: () => columns,
    now: () => new Date('2026-01-02T03:04:05.678Z'),
  });
  const set = (dyno: string, text: string | undefined): void =>
    partials.set(dyno, text === undefined ? undefined : Buffer.from(text));
  return { partials, set, screen: () => screen };
}

describe('the last line of a terminal', () => {
  it('shows a prompt below the stream, and gives its place to the whole line', () => {
    const { partials, set, screen } = terminal();
    set('web.1', 'name? ');
    partials.print('other\n');
    set('web.1', undefined);
    partials.print('name? anna\n');
    partials.print('next\n');
    const prompt = `${TIME} app[web.1]: name? `;
    expect(screen()).toBe(`${prompt}${ERASE}other\n${prompt}${ERASE}name? anna\nnext\n`);
  });

  it('shows of progress what a terminal would, and of several dynos the latest', () => {
    const { set, screen } = terminal();
    set('web.1', '10 %\r20 %\r');
    set('job.1', 'compiling');
    set('job.1', undefined);
    set('web.1', '10 %\r20 %\r30 %');
    expect(screen()).toBe(
      `${TIME} app[web.1]: 20 %${ERASE}${TIME} app[job.1]: compiling${ERASE}${TIME} app[web.1]: 30 %`,
    );
  });

  it('never wraps, has no colors that run on, and interprets nothing', () => {
    const { set, screen } = terminal(60);
    set('web.1', `\x1b[31m漢字\x1b[2J${'x'.repeat(100)}`);
    expect(screen()).toBe(`${TIME} app[web.1]: 漢字\\x1b[2Jxxx`.slice(0, 57));
  });

  it('ends with nothing in the last line', () => {
    const { partials, set, screen } = terminal();
    set('web.1', 'name? ');
    partials.end();
    partials.print('bye\n');
    expect(screen()).toBe(`${TIME} app[web.1]: name? ${ERASE}bye\n`);
  });
});

describe('a line that isn’t whole', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function reader() {
    const stream = new Readable({ read() {} });
    const seen: string[] = [];
    const read = new LineReader(stream, {
      onLine: (line) => void seen.push(`line ${line}`),
      onPartial: (line) => void seen.push(line === undefined ? 'over' : `partial ${line}`),
    });
    return { give: (text: string) => stream.emit('data', Buffer.from(text)), seen, read, stream };
  }

  it('is seen after a quarter of a second, again when it has grown, and that it has ended', () => {
    const { give, seen } = reader();
    give('one\nname');
    vi.advanceTimersByTime(249);
    expect(seen).toEqual(['line one']);
    vi.advanceTimersByTime(1);
    give('? ');
    give('(a/b) ');
    vi.advanceTimersByTime(250);
    give('a\ntwo\n');
    vi.advanceTimersByTime(1_000);
    expect(seen).toEqual([
      'line one',
      'partial name',
      'partial name? (a/b) ',
      'over',
      'line name? (a/b) a',
      'line two',
    ]);
  });

  it('isn’t when its end comes in time', () => {
    const { give, seen } = reader();
    give('a');
    give('b\n');
    vi.advanceTimersByTime(1_000);
    expect(seen).toEqual(['line ab']);
  });
});
