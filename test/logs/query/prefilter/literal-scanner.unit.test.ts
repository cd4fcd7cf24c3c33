/** Where literals are found in bytes: the WebAssembly search against the plain one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type LiteralPattern,
  literalPattern,
  standsAt,
} from '../../../../src/logs/query/prefilter/literal-pattern.ts';
import { BytesSearch, searchWindow } from '../../../../src/logs/query/prefilter/wasm-search.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

const text = fc.string({ minLength: 1, maxLength: 90, unit: fc.constantFrom(...'aAbB /[]"{0@`\x7e') });
/** Long enough for several pieces, and mostly short. */
const bytesOf = fc.tuple(
  fc.constantFrom(0, 15, 63, 200, 65_530, 131_072),
  fc.array(fc.oneof(text, fc.string({ unit: 'binary', maxLength: 40 })), { maxLength: 20 }),
);

function placesOf(patterns: readonly LiteralPattern[], bytes: Uint8Array): number[] {
  const places: number[] = [];
  for (let at = 0; at < bytes.length; at++)
    if (patterns.some((pattern) => standsAt(pattern, bytes, at))) places.push(at);
  return places;
}

function foundPlaces(search: BytesSearch, bytes: Uint8Array): number[] {
  const found: number[] = [];
  search.start(bytes);
  for (let at = search.nextAt(0); at !== Number.POSITIVE_INFINITY; at = search.nextAt(at + 1)) found.push(at);
  return found;
}

describe('literals', () => {
  it('stand where their characters do, in any case', () => {
    const stands = (pattern: string, bytes: string) =>
      standsAt(literalPattern(pattern), Buffer.from(bytes), 0);
    expect(['Web.1', 'wEB.1', 'web 1', 'web.2', 'web.'].map((one) => stands('web.1', one))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect([stands('a/b', 'A b'), stands('a/b', 'a/B'), stands('a[b', 'a b'), stands('@', '`')]).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it('are found where they stand, in bytes of any length, several at a time', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), bytesOf, (texts, [padding, parts]) => {
        const patterns = texts.map((one) => literalPattern(one));
        const bytes = Buffer.from('-'.repeat(padding) + [...parts, ...texts, ...parts].join(''), 'latin1');
        const wanted = placesOf(patterns, bytes);
        const search = new BytesSearch(patterns);
        expect(foundPlaces(search, bytes)).toEqual(wanted);
        // In the memory of the module, as files are read, with others behind it.
        const window = searchWindow();
        window.fill('a', 0, bytes.length + 64);
        bytes.copy(window, 7);
        expect(foundPlaces(search, window.subarray(7, 7 + bytes.length))).toEqual(wanted);
      }),
      { numRuns: propertyRuns(200) },
    );
  });

  it('are found by several who search in turns', () => {
    const bytes = Buffer.from(`${'x needle y thread z needle'.padEnd(70_000, '.')}needle thread`);
    const [one, other] = ['needle', 'thread'].map((word) => new BytesSearch([literalPattern(word)]));
    one.start(bytes);
    other.start(bytes);
    expect([one.nextAt(0), other.nextAt(0), one.nextAt(3), other.nextAt(12), one.nextAt(21)]).toEqual([
      2, 11, 20, 70_007, 70_000,
    ]);
  });
});
