import { describe, expect, it } from 'vitest';
import { Colorizer } from '../../../src/cli/colorizer.ts';
import { LineFormatter, type LineStyle, type TailLine } from '../../../src/cli/logs/line-formatter.ts';

const LINE: TailLine = {
  position: '7',
  timestamp: '2026-01-31T12:00:00.123456+00:00',
  facility: 1,
  severity: 6,
  level: 'error',
  hostname: 'host',
  source: 'app',
  dyno: 'web.1',
  structured_data: '[json@32473 user.id="7" note="two words" ]',
  message: 'it broke',
};
const STYLE: LineStyle = { time: 'utc', fields: false, template: undefined };

function format(style: Partial<LineStyle>, line: Partial<TailLine> = {}, isColored = false): string {
  const formatter = new LineFormatter({ ...STYLE, ...style }, new Colorizer(isColored));
  return formatter.format({ ...LINE, ...line }, 'shop');
}

describe('a line', () => {
  it('is shown as Heroku shows it', () => {
    expect(format({})).toBe('2026-01-31T12:00:00.123456+00:00 app[web.1]: it broke');
  });

  it('has its time in local time, short, or not at all', () => {
    const local = new Date(LINE.timestamp);
    expect(format({ time: 'short' })).toBe(`${local.toTimeString().slice(0, 8)}.123 app[web.1]: it broke`);
    expect(format({ time: 'local' })).toMatch(
      /^2026-0[12]-\d\d \d\d:\d\d:\d\d\.123 app\[web\.1\]: it broke$/,
    );
    expect(format({ time: 'none' })).toBe('app[web.1]: it broke');
    expect(format({ time: 'local' }, { timestamp: 'never' })).toBe('never app[web.1]: it broke');
  });

  it('has its structured data behind it when they are asked for', () => {
    expect(format({ fields: true, time: 'none' })).toBe('app[web.1]: it broke user.id=7 note="two words"');
    expect(format({ fields: true, time: 'none' }, { structured_data: undefined })).toBe(
      'app[web.1]: it broke',
    );
  });

  it('is red when it is an error, yellow when it is a warning, and keeps colors of its own', () => {
    expect(format({}, {}, true)).toMatch(/\x1b\[31mit broke\x1b\[0m$/);
    expect(format({}, { level: 'warn' }, true)).toMatch(/\x1b\[33mit broke\x1b\[0m$/);
    expect(format({}, { level: 'info' }, true)).toMatch(/\x1b\[0m it broke$/);
    expect(format({}, { message: '\x1b[35mviolet' }, true)).toMatch(/ \x1b\[35mviolet\x1b\[0m$/);
  });

  it('can’t control the terminal, whatever field says so', () => {
    const evil = '\x1b[2J\u202e\x07';
    for (const style of [
      {},
      { fields: true },
      { template: '{source} {dyno} {message} {host} {fields} {msgid}' },
    ])
      for (const name of ['source', 'dyno', 'message', 'hostname', 'msgid', 'timestamp'] as const)
        expect(format(style, { [name]: evil, structured_data: `[x@1 a="${evil}"]` })).not.toMatch(
          /\x1b\[2J|\u202e|\x07/,
        );
  });
});

describe('a template', () => {
  it('names fields, and may have escapes', () => {
    expect(format({ template: '{app} {time}\\t{level} {dyno}: {message} #{position}\\n' })).toBe(
      'shop 2026-01-31T12:00:00.123456+00:00\terror web.1: it broke #7',
    );
    expect(format({ template: '{ message } {fields}', time: 'none' })).toBe(
      'it broke user.id=7 note="two words"',
    );
  });

  it('with a name that no line has is refused', () => {
    expect(() => format({ template: '{nope}' })).toThrow(
      /--template: a line has no \{nope\}; it has \{time\}/,
    );
  });
});
