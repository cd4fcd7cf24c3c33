import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TailraceError } from '../../../../src/common/errors.ts';
import { parseOtlpJsonParts } from '../../../../src/logs/sources/formats/otlp-json-parts.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

/** Names and texts that look like what the parts are cut by. */
const word = fc.constantFrom(
  'logRecords',
  'log_records',
  'scopeLogs',
  'resource',
  'a',
  '{',
  ']',
  '"',
  '\\',
  ':',
  '[0]',
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    word,
    fc.integer(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(word, tie('any'), { maxKeys: 3 }),
  ),
})).any;
const object = fc.dictionary(word, value, { maxKeys: 3 });
const listName = (...names: string[]) => fc.constantFrom(...names);
const request = fc
  .tuple(
    fc.array(fc.array(fc.array(fc.oneof(object, value), { maxLength: 4 }), { maxLength: 3 }), {
      maxLength: 3,
    }),
    listName('resourceLogs', 'resource_logs'),
    listName('scopeLogs', 'scope_logs'),
    listName('logRecords', 'log_records'),
    object,
  )
  .map(([resources, resourceLogs, scopeLogs, logRecords, other]) => ({
    other,
    [resourceLogs]: resources.map((scopes) => ({
      resource: other,
      [scopeLogs]: scopes.map((records) => ({ scope: other, [logRecords]: records, schemaUrl: 'x' })),
    })),
  }));

/** The request with its records where they were. */
function joined(body: string): unknown {
  const { request: parsed, records } = parseOtlpJsonParts(Buffer.from(body));
  const whole = parsed as Record<string, Record<string, Record<string, unknown[]>[]>[]>;
  for (const resource of whole.resourceLogs ?? whole.resource_logs)
    for (const scope of resource.scopeLogs ?? resource.scope_logs) {
      const name = Object.hasOwn(scope, 'logRecords') ? 'logRecords' : 'log_records';
      scope[name] = scope[name].map((one) => (Array.isArray(one) ? records[one[0]] : one));
    }
  return whole;
}

describe('the records of a request by themselves', () => {
  it('are what they are in it, whatever is in them and around them', () => {
    fc.assert(
      fc.property(request, fc.constantFrom(0, 2), (one, space) => {
        const text = JSON.stringify(one, undefined, space);
        expect(joined(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: propertyRuns(2_000) },
    );
  });

  it('that can’t be read have an error in their places', () => {
    const deep = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    // With the six around it, a hundred deep.
    const list = ['{"a":1}', deep(93), deep(94), '{"a":NaN}', '{"a":1234567890123456789}', '{a}'];
    const { records } = parseOtlpJsonParts(
      Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${list.join()}]}]}]}`),
    );
    expect(records.map((one) => (one instanceof TailraceError ? one.message : one))).toMatchObject([
      { a: 1 },
      { a: expect.any(Array) },
      'Bad request: the JSON is nested too deep.',
      'Bad request: a record is not valid JSON.',
      { a: '1234567890123456789' },
      'Bad request: a record is not valid JSON.',
    ]);
  });

  it.each([
    '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"a":1}',
    '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"a":1}]]}]}]}',
    '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"a":"1}]}]}]}',
    ']]]]]]]]{}',
    '"',
    '',
  ])('aren’t looked for in what isn’t JSON around them: %s', (text) =>
    expect(() => parseOtlpJsonParts(Buffer.from(text))).toThrow(SyntaxError),
  );

  it('are as many as a request may have', () => {
    const many = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${'{},'.repeat(100_000)}{}]}]}]}`;
    expect(() => parseOtlpJsonParts(Buffer.from(many))).toThrow('over 100000 lines');
    const lists = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[[${'[],'.repeat(1_000_000)}[]]]}]}]}`;
    expect(() => parseOtlpJsonParts(Buffer.from(lists))).toThrow('over 1000000 objects and arrays');
  });
});
