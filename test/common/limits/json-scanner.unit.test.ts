import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertJsonWithinLimits, JSON_LIMITS, JsonScanner } from '../../../src/common/limits/json-scanner.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const LIMITS = { depth: 3, keys: 3, containers: 6 };
const scan = (text: string): void => assertJsonWithinLimits(Buffer.from(text), LIMITS);

/** The values of a text, as they are cut. */
function valuesOf(text: string): string[] {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(bytes);
  const found: string[] = [];
  while (scanner.next()) found.push(bytes.toString('utf8', scanner.start, scanner.end));
  return found;
}

describe('limits', () => {
  it.each([
    '[[[1]]]',
    '{"a":{"b":{"c":1}}}',
    '{"a":1,"b":2,"c":3}',
    '[{},{},{},{},{}]',
    '"[[[["',
    '"\\"[[[["',
    '',
  ])('%s is within them', (text) => expect(() => scan(text)).not.toThrow());

  it.each([
    ['[[[[', 'nested too deep'],
    ['{"a":{"b":{"c":{', 'nested too deep'],
    ['[{"a":[{', 'nested too deep'],
    ['[] [] [[[[', 'nested too deep'],
    ['"\\\\"[[[[', 'nested too deep'],
    ['{"a":1,"b":2,"c":3,"d":4}', 'over 3 keys'],
    ['[{"a":{"x":1,"y":2,"z":3,"w":4}}]', 'over 3 keys'],
    ['[[],[],[],[],[],[]]', 'over 6 objects and arrays'],
    ['[]\n[]\n[]\n[]\n[]\n[]\n[]', 'over 6 objects and arrays'],
  ])('%s isn’t: %s', (text, why) => expect(() => scan(text)).toThrow(why));

  it('are found before the rest is looked at', () => {
    let reads = 0;
    const bytes = new Proxy(Buffer.alloc(8_000_000, '['), {
      get(target, key) {
        if (/^\d+$/.test(String(key))) reads++;
        return Reflect.get(target, key, target);
      },
    });
    expect(() => assertJsonWithinLimits(bytes, JSON_LIMITS)).toThrow('nested too deep');
    expect(reads).toBeLessThan(1_000);
  });

  it('of brackets in texts don’t count', () =>
    expect(() => scan(JSON.stringify({ a: '[{:,"\\'.repeat(100) }))).not.toThrow());
});

describe('values', () => {
  it('are those that JSON.parse reads, whatever is in them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.json({ maxDepth: 5 }), { maxLength: 6 }),
        fc.constantFrom('\n', ' ', '\r\n\t'),
        (all, between) => {
          expect(valuesOf(all.join(between))).toEqual(all);
        },
      ),
      { numRuns: propertyRuns(100, 20) },
    );
  });

  it.each([
    ['\ufeff{"a":1}', ['{"a":1}']],
    ['{}{}', ['{}', '{}']],
    ['1 2', ['1', '2']],
    ['{"a":"\\\\"}[]', ['{"a":"\\\\"}', '[]']],
    ['{"a', ['{"a']],
    ['"a\\', ['"a\\']],
    ['[1]]', ['[1]', ']']],
    [' \n\t', []],
  ])('%s', (text, expected) => expect(valuesOf(text)).toEqual(expected));

  it('know how many elements they have, and whether they begin on a new line', () => {
    const scanner = new JsonScanner(Buffer.from('[1,[2,3],{"a":[4,5]}]\n[] [0]'));
    scanner.next();
    expect(scanner).toMatchObject({ elements: 3, isOnNewLine: false, containers: 4 });
    scanner.next();
    expect(scanner).toMatchObject({ elements: 1, isOnNewLine: true });
    scanner.next();
    expect(scanner).toMatchObject({ elements: 1, isOnNewLine: false });
  });
});
