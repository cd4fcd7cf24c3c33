/** Reads the JSON object of a request: each field by its kind, none that there isn't. */

import type { FastifyRequest } from 'fastify';
import { TailraceError } from '../../../src/common/errors.ts';
import { isJsonObject, type JsonObject } from '../../../src/common/json-object.ts';

interface Kinds {
  string: string;
  boolean: boolean;
  number: number;
  strings: readonly string[];
  list: readonly unknown[];
  object: JsonObject;
}
type Kind = keyof Kinds | `${keyof Kinds}?`;

/** What is read: fields whose kind ends with `?` may be left out, or null. */
type Fields<Shape extends Readonly<Record<string, Kind>>> = {
  readonly [name in keyof Shape]: Shape[name] extends `${infer K extends keyof Kinds}?`
    ? Kinds[K] | undefined
    : Shape[name] extends keyof Kinds
      ? Kinds[Shape[name]]
      : never;
};

const WORDS: Readonly<Record<keyof Kinds, string>> = {
  string: 'a text',
  boolean: 'true or false',
  number: 'a number',
  strings: 'a list of texts',
  list: 'a list',
  object: 'an object',
};

/** @throws TailraceError `invalid_params` with the field, and what it must be */
export function readBody<const Shape extends Readonly<Record<string, Kind>>>(
  { body }: Pick<FastifyRequest, 'body'>,
  shape: Shape,
): Fields<Shape> {
  const given = (body ?? {}) as JsonObject;
  if (typeof given !== 'object' || Array.isArray(given))
    throw new TailraceError('invalid_params', 'Send a JSON object.');
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(shape, name));
  if (unknown !== undefined)
    throw new TailraceError(
      'invalid_params',
      `There is no field ${JSON.stringify(unknown.slice(0, 40))} here: there are ${Object.keys(shape).join(', ')}.`,
    );
  const read = Object.entries(shape).map(([name, kind]) => {
    const isOptional = kind.endsWith('?');
    const base = kind.replace('?', '') as keyof Kinds;
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (isOptional && (value === undefined || value === null)) return [name, undefined];
    if (!isOf(base, value)) throw new TailraceError('invalid_params', `${name} must be ${WORDS[base]}.`);
    return [name, value];
  });
  // The kinds were checked, which the compiler can't follow through a list.
  return Object.fromEntries(read) as Fields<Shape>;
}

function isOf(kind: keyof Kinds, value: unknown): boolean {
  switch (kind) {
    case 'strings':
      return Array.isArray(value) && value.every((one) => typeof one === 'string');
    case 'list':
      return Array.isArray(value);
    case 'object':
      return isJsonObject(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    default:
      return typeof value === kind;
  }
}
