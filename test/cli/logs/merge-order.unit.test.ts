import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeInOrder } from '../../../src/cli/logs/merge-order.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

/** `a5` is a line of the app `a` with the time 5, `a?` one whose time can't be read. */
const merged = (...names: string[]): string[] =>
  mergeInOrder(
    names.map((name) => ({ name, app: name[0], ms: name[1] === '?' ? Number.NaN : Number(name.slice(1)) })),
  ).map(({ name }) => name);

describe('lines of several streams', () => {
  it.each([
    ['are sorted by time', ['a1', 'a4', 'b2', 'b3'], ['a1', 'b2', 'b3', 'a4']],
    ['of one time stay as they came', ['b1', 'a1', 'b1'], ['b1', 'a1', 'b1']],
    [
      'whose clock went back stay in their stream’s order',
      ['a5', 'a1', 'b2', 'b6'],
      ['b2', 'a5', 'a1', 'b6'],
    ],
    [
      'without a time stay behind the one before',
      ['a1', 'a?', 'a?', 'b2', 'a3'],
      ['a1', 'a?', 'a?', 'b2', 'a3'],
    ],
    [
      'without a time stay before the next one',
      ['a?', 'a?', 'a3', 'b2', 'b4'],
      ['b2', 'a?', 'a?', 'a3', 'b4'],
    ],
    ['without any time are the newest', ['a?', 'b1', 'b2'], ['b1', 'b2', 'a?']],
  ])('%s', (_name, lines, expected) => expect(merged(...lines)).toEqual(expected));

  it('keep the order of each, whatever their times, and none is lost', () => {
    const line = fc.record({
      app: fc.constantFrom('a', 'b', 'c'),
      ms: fc.oneof(fc.integer({ min: -10, max: 2_000 }), fc.constant(Number.NaN)),
    });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
        const order = mergeInOrder(lines);
        expect(order.length).toBe(lines.length);
        for (const app of ['a', 'b', 'c'])
          expect(order.filter((one) => one.app === app)).toEqual(lines.filter((one) => one.app === app));
      }),
      { numRuns: propertyRuns(100, 20) },
    );
  });
});
