import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Line, parseLine } from '../../../src/web/stream/line.ts';
import { LineWindow } from '../../../src/web/stream/line-window.ts';
import { withoutUrlSecrets } from '../../../src/web/text/format.ts';
import { RowHeights } from '../../../src/web/view/list/row-heights.ts';
import { RowLayout } from '../../../src/web/view/list/row-layout.ts';
import { formatViewLocation, parseViewLocation, showSameLines } from '../../../src/web/view-location.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

function line(at: number, fields: Partial<Line> = {}): Line {
  const read = parseLine({
    position: String(at),
    timestamp: '2026-11-21T08:00:00.000000+00:00',
    facility: 23,
    severity: 6,
    level: 'info',
    hostname: 'host',
    source: 'app',
    dyno: 'web.1',
    message: 'x',
  });
  return { ...read, ...fields };
}

const lines = (from: number, to: number): Line[] =>
  Array.from({ length: to - from + 1 }, (_, i) => line(from + i));

describe('row heights', () => {
  it('agree with adding everything up, whatever is added, dropped and set', () => {
    const heights = fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 700 });
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), heights }),
      fc.record({ do: fc.constant('prepend' as const), heights }),
      fc.record({ do: fc.constantFrom('dropFirst' as const, 'dropLast' as const), count: fc.nat(400) }),
      fc.record({
        do: fc.constant('set' as const),
        index: fc.nat(2_000),
        height: fc.integer({ min: 1, max: 90 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const tested = new RowHeights();
        let model: number[] = [];
        for (const one of steps) {
          if (one.do === 'append') {
            tested.append(one.heights);
            model.push(...one.heights);
          } else if (one.do === 'prepend') {
            tested.prepend(one.heights);
            model.unshift(...one.heights);
          } else if (one.do === 'set') {
            if (one.index < model.length) {
              tested.set(one.index, one.height);
              model[one.index] = one.height;
            }
          } else if (one.do === 'dropFirst') {
            tested.dropFirst(one.count);
            model = model.slice(one.count);
          } else {
            tested.dropLast(one.count);
            model.length = Math.max(0, model.length - one.count);
          }
          const sum = (end: number) => model.slice(0, end).reduce((all, height) => all + height, 0);
          expect(tested.total).toBe(sum(model.length));
          const index = Math.floor(model.length / 3);
          expect(tested.offsetOf(index)).toBe(sum(index));
          if (model.length > 0) expect(tested.indexAt(sum(index))).toBe(index);
        }
      }),
      { numRuns: propertyRuns(60) },
    );
  });
});

describe('the row layout', () => {
  it('keeps measured heights while lines come and go on both sides', () => {
    const layout = new RowLayout({ rowHeight: 20, lineHeight: 18, columns: 0 });
    layout.update(lines(100, 200));
    layout.heights.set(50, 77);
    layout.update(lines(90, 210));
    expect([layout.heights.count, layout.heights.heightOf(60)]).toEqual([121, 77]);
    layout.update(lines(120, 300));
    expect([layout.heights.count, layout.heights.heightOf(30)]).toEqual([181, 77]);
    layout.update(lines(40, 160));
    expect([layout.heights.count, layout.heights.heightOf(110)]).toEqual([121, 77]);
    layout.update(lines(500, 510));
    expect([layout.heights.count, layout.heights.total]).toEqual([11, 220]);
  });

  it('estimates long and multi-line messages', () => {
    const layout = new RowLayout({ rowHeight: 20, lineHeight: 18, columns: 10 });
    layout.update([line(1), line(2, { message: 'a\nb\nc' }), line(3, { message: 'x'.repeat(25) })]);
    expect([0, 1, 2].map((i) => layout.heights.heightOf(i))).toEqual([20, 56, 56]);
  });
});

describe('the window', () => {
  it('has each line once, in order, whatever overlaps', () => {
    const window = new LineWindow();
    expect(window.append(lines(10, 20)).length).toBe(11);
    expect(window.append(lines(15, 25)).map(({ at }) => at)).toEqual([21, 22, 23, 24, 25]);
    expect(window.prepend(lines(5, 12)).map(({ at }) => at)).toEqual([5, 6, 7, 8, 9]);
    expect(window.lines.map(({ at }) => at)).toEqual(Array.from({ length: 21 }, (_, i) => i + 5));
    expect([window.indexOf(5), window.indexOf(17), window.indexOf(99), new LineWindow().indexOf(1)]).toEqual([
      0, 12, 20, -1,
    ]);
  });
});

describe('addresses', () => {
  it('an address leads back to where it was written', () => {
    const place = {
      app: 'counter',
      filters: { source: 'app', dyno: 'web.1', level: 'error' as const, q: '"a b" -c /d+&e/' },
      at: '42',
      range: '2026-11-21T14:00:00Z/2026-11-21T14:05:00Z',
    };
    expect(parseViewLocation(formatViewLocation(place))).toEqual(place);
    expect(
      ['1h', '', '5', 'x/y', '2026-11-21T14:00:00Z/2026-11-21T13:00:00Z'].map(
        (range) => parseViewLocation(`?range=${range}`).range,
      ),
    ).toEqual(['1h', '', '', '', '']);
    expect(showSameLines(place, { ...place, range: '1h' })).toBe(true);
    expect(showSameLines(place, { ...place, at: '43' })).toBe(false);
    expect(parseViewLocation('?at=x&level=loud').at).toBe('');
    // The server knows no such positions.
    for (const at of ['-1', '1e3', '0x10', '999999999999999', '9999999999999999'])
      expect(parseViewLocation(`?at=${at}`).at).toBe('');
    expect(formatViewLocation(parseViewLocation('?level=loud'))).toBe('');
  });

  it('secrets in a drain’s address aren’t shown', () => {
    expect(withoutUrlSecrets('https://user:secret@host/path?api_key=abc&x=1')).toBe(
      'https://user:****@host/path?api_key=****&x=1',
    );
    expect(withoutUrlSecrets('https://token@host/')).toBe('https://****@host/');
    expect(withoutUrlSecrets('no url ://a:b@c')).not.toContain('a:b');
  });
});
