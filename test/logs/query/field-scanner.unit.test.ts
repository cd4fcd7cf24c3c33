/** Fields are found where JSON.parse, and a reader of RFC 5424 that goes character by character, finds them. */
import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import {
  CONTAINER,
  dataParameters,
  FieldPath,
  someDataField,
  someMessageField,
} from '../../../src/logs/query/field-scanner.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Every value by its path, without and with the indexes of arrays. */
function leaves(value: Json, keys: readonly (string | number)[], found: Map<string, string[]>): void {
  const add = (text: string): void => {
    const paths = [keys.filter((key) => typeof key === 'string').join('.'), keys.join('.')];
    for (const path of new Set(paths)) found.set(path, [...(found.get(path) ?? []), text]);
  };
  if (typeof value !== 'object' || value === null) add(String(value));
  else {
    if (keys.length > 0) add(CONTAINER);
    if (Array.isArray(value)) for (const [i, inner] of value.entries()) leaves(inner, [...keys, i], found);
    else for (const [key, inner] of Object.entries(value)) leaves(inner, [...keys, key], found);
  }
}

function valuesOf(some: typeof someMessageField, text: string, path: string): string[] {
  const values: string[] = [];
  some(text, new FieldPath(path), (value) => {
    values.push(value);
    return false;
  });
  return values;
}

it('in JSON, whatever is in it, and however it is indented', () => {
  for (let run = 0; run < propertyRuns(2_000); run++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
    const any = (depth: number): Json => {
      const kind = Math.floor(random() * (depth > 0 ? 8 : 6));
      if (kind < 2) return pick([0, -1.5, 7, 1e21, 123456]);
      if (kind < 4)
        return pick(['', 'x', 'a b', '"', '\\', '{"a":1}', ' a=1', '\n', 'ä', '\u2028', '}', ']']);
      if (kind < 6) return pick([null, true, false]);
      if (kind === 6) return Array.from({ length: Math.floor(random() * 4) }, () => any(depth - 1));
      return object(depth - 1);
    };
    const object = (depth: number): { [key: string]: Json } => {
      const made: { [key: string]: Json } = {};
      for (let i = Math.floor(random() * 4); i > 0; i--)
        made[pick(['a', 'b', 'a.b', 'c"', 'ä', '0'])] = any(depth);
      return made;
    };
    const value = object(4);
    const text = pick(['', 'before ', 'INFO: ']) + JSON.stringify(value, null, pick([0, 2, '\t']));
    const found = new Map<string, string[]>();
    leaves(value, [], found);
    const paths = new Set([...found.keys(), 'a', 'a.b', 'b.a', 'x', 'a.0', '0']);
    for (const path of paths) {
      const label = `seed ${seed}: ${path} in ${text}`;
      const values = valuesOf(someMessageField, text, path).sort();
      const wanted = (found.get(path) ?? []).sort();
      if (!isDeepStrictEqual(values, wanted)) expect(values, label).toEqual(wanted);
      // Of what is cut off the last value may be cut; a pair within it can't be told from one behind it.
      if (text.includes('=')) continue;
      const cut = text.slice(0, Math.floor(random() * text.length));
      const whole = found.get(path) ?? [];
      const seen = valuesOf(someMessageField, cut, path).slice(0, -1);
      if (seen.some((one) => !whole.includes(one))) expect(seen, label).toEqual(whole);
    }
  }
});

it('in structured data', () => {
  for (let run = 0; run < propertyRuns(1_000); run++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
    const elements = Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({
      id: pick(['a', 'b@32473', 'json@1']),
      parameters: Array.from({ length: Math.floor(random() * 4) }, () => ({
        name: pick(['x', 'x.y', 'z']),
        value: pick(['', '7', 'a b', '"', '\\', ']', '] x="1"', '{', '[', 'ä']),
      })),
    }));
    const text = elements
      .map(({ id, parameters }) => {
        const written = parameters.map(
          ({ name, value }) => ` ${name}="${value.replace(/["\\\]]/g, '\\$&')}"`,
        );
        return `[${id}${written.join('')}]`;
      })
      .join('');
    const wanted = elements.flatMap(({ id, parameters }) =>
      parameters.map((one) => ({ element: id, ...one })),
    );
    expect(dataParameters(text), `seed ${seed}: ${text}`).toEqual(wanted);
    for (const path of ['x', 'x.y', 'z', 'b.z', 'json@1.x'])
      expect(valuesOf(someDataField, text, path), `seed ${seed}: ${path} in ${text}`).toEqual(
        wanted
          .filter(({ element, name }) =>
            [name, `${element}.${name}`, `${element.split('@')[0]}.${name}`].includes(path),
          )
          .map(({ value }) => value),
      );
  }
});
