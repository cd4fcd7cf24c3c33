import { describe, expect, it } from 'vitest';
import { elasticsearchFormat } from '../../../../src/logs/drains/encoders/elasticsearch.ts';
import type { OutletError } from '../../../../src/logs/drains/outlet.ts';

const shipment = { first: 1, last: 3, count: 3, storedAtMs: 0, slices: [], byteLength: 0 };
const { checkResponse } = elasticsearchFormat(() => 'seed', 'app');
const ok = { create: { status: 201 } };
const refused = { create: { status: 400, error: { type: 'mapper', reason: 'no' } } };

/** The error for an answer; undefined when all is accepted. */
function errorFor(answer: unknown): OutletError | undefined {
  try {
    checkResponse!(Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer)), shipment);
    return undefined;
  } catch (error) {
    return error as OutletError;
  }
}

describe('an answer of a bulk API', () => {
  it('accepts all', () => {
    expect(errorFor({ errors: false, items: [ok, ok, ok] })).toBeUndefined();
    expect(errorFor({ took: 1 })).toBeUndefined();
    expect(errorFor({ items: [ok, ok, ok] })).toBeUndefined();
    expect(errorFor({ errors: true, items: [ok, ok, ok] })).toBeUndefined();
  });

  it('refuses some, the notice in front or not', () => {
    const one = { isPermanent: true, refusedLines: { count: 1, indexes: new Set([1]) } };
    expect(errorFor({ errors: true, items: [ok, refused, ok] })).toMatchObject(one);
    expect(errorFor({ errors: true, items: [refused, ok, refused, ok] })).toMatchObject(one);
    // A filter_path of items alone.
    expect(errorFor({ items: [ok, refused, ok] })).toMatchObject(one);
  });

  it('is taken by its status alone where the error says nothing: one of 200 to 299, and 409', () => {
    const item = (status: number, error?: unknown) => ({ create: { status, error } });
    expect(
      errorFor({ errors: true, items: [item(200), item(409, { type: 'conflict' }), ok] }),
    ).toBeUndefined();
    for (const status of [-1, 0, 100, 302, 1e300])
      expect(errorFor({ errors: true, items: [ok, item(status), ok] })).toMatchObject({ isPermanent: false });
    for (const error of ['no', { type: 'no' }, { reason: 'no', type: {} }])
      expect(errorFor({ errors: true, items: [ok, item(400, error), ok] })?.message).toBe(
        'the destination refused 1 line: 400 no',
      );
  });

  it('with more in it than there is to say of the lines isn’t read', () => {
    const none = 'the destination answered 200, but not as a bulk API does';
    expect(errorFor(`{"errors":true,"items":${'['.repeat(4_000_000)}`)?.message).toBe(none);
    expect(errorFor(`{"errors":true,"items":[${'{},'.repeat(1_000)}{}]}`)?.message).toBe(none);
    const causes = { ...refused.create.error, caused_by: { type: 'a', caused_by: { type: 'b' } } };
    const failed = { create: { status: 400, error: causes, _shards: { total: 1 } } };
    expect(errorFor({ errors: true, items: [failed, failed, failed] })).toMatchObject({
      refusedLines: { count: 3 },
    });
  });

  it.each([401, 403, 404, 408, 429, 500, 503])(
    'that says %i of some is tried again, as an answer of this status is: somebody will mend it',
    (status) => {
      const blocked = { create: { status, error: { type: 'cluster_block_exception', reason: 'read-only' } } };
      const error = errorFor({ errors: true, items: [ok, refused, blocked] });
      expect(error).toMatchObject({ isPermanent: false, refusedLines: undefined });
      expect(error?.message).toBe(
        `the destination took 1 of 3 lines: ${status} cluster_block_exception read-only`,
      );
    },
  );

  it.each([
    [{ errors: true }],
    [{ errors: true, items: [] }],
    [{ errors: true, items: [ok] }],
    [{ errors: true, items: [ok, refused, ok, refused, ok] }],
    [{ errors: true, items: [ok, null, ok] }],
    [{ errors: true, items: [ok, {}, ok] }],
    [{ errors: true, items: [ok, { create: null }, ok] }],
    [{ errors: true, items: 5 }],
    [{ items: [{ create: { error: { type: 'busy' } } }] }],
  ])('that doesn’t say which lines it refused is none: they are sent again (%j)', (answer) => {
    const error = errorFor(answer);
    expect(error?.message).toContain("the destination refused lines, and doesn't say which");
    expect(error?.isPermanent).toBe(false);
  });

  it.each(['', 'OK', 'null', '[', '5', '[]', '[{"errors":false}]'])(
    'that is none is tried again: %j',
    (answer) => {
      expect(errorFor(answer)?.message).toBe('the destination answered 200, but not as a bulk API does');
    },
  );
});
