import { describe, expect, it } from 'vitest';
import {
  envelopeKeyOf,
  requestKeyOf,
} from '../../../../src/apps/addon-services/errors/ingest/credentials.ts';
import { readEnvelope } from '../../../../src/apps/addon-services/errors/ingest/envelope.ts';

const items = (text: string): [string, string][] =>
  readEnvelope(Buffer.from(text)).items.map(({ type, payload }) => [type, payload.toString()]);

describe('an envelope', () => {
  it('has items with a length, without one, and with newlines in them', () => {
    expect(items('{}\n{"type":"event"}\n{"a":1}\n{"type":"x","length":3}\na\nb\n{"type":"y"}\n')).toEqual([
      ['event', '{"a":1}'],
      ['x', 'a\nb'],
      ['y', ''],
    ]);
    expect(items('{}')).toEqual([]);
    expect(items('{}\n\n\n')).toEqual([]);
    expect(items('{}\n{"type":"attachment","length":0}\n\n{"type":"event","length":2}\n{}')).toEqual([
      ['attachment', ''],
      ['event', '{}'],
    ]);
    expect(items('{}\r\n{"type":"event","length":2}\r\n{}\r\n')).toEqual([['event', '{}']]);
  });

  it.each([
    ['nothing', '', 'no JSON'],
    ['no JSON', 'hello\n', 'no JSON'],
    ['an array', '[]\n', 'no JSON object'],
    ['an item without a header', '{}\n[1]\n{}', 'no JSON object'],
    ['a length that is too large', '{}\n{"type":"event","length":9}\n{}\n', 'unexpected end'],
    ['a length that is too small', '{}\n{"type":"event","length":1}\n{}\n', 'missing newline'],
    ['a negative length', '{}\n{"type":"event","length":-1}\n{}\n', 'no number'],
    ['a length of 2^53', '{}\n{"type":"event","length":9007199254740993}\n{}\n', 'no number'],
    ['a length with a fraction', '{}\n{"type":"event","length":1.5}\n{}\n', 'no number'],
    ['a length that is a text', '{}\n{"type":"event","length":"2"}\n{}\n', 'no number'],
    ['a header that is nested too deep', `${'['.repeat(1_000)}\n`, 'too deep'],
    ['a header of 100 KB', `{"a":"${'x'.repeat(100_000)}"}\n`, 'too large'],
    ['too many items', `{}\n${'{}\n\n'.repeat(1_001)}`, 'limit of 1000'],
  ])('is refused with %s', (_what, text, message) => {
    expect(() => items(text)).toThrow(message);
  });
});

describe('the key of a client', () => {
  const none = { sentryAuth: undefined, authorization: undefined, query: undefined };
  it.each([
    ['Sentry sentry_version=7, sentry_client=raven/1, sentry_key=abc, sentry_secret=def', 'abc'],
    ['Sentry sentry_key=abc', 'abc'],
    ['sentry sentry_key="abc",sentry_version=7', 'abc'],
    ['sentry_key=abc', 'abc'],
    ['Sentry', undefined],
    ['Bearer abc', undefined],
    ['Sentry sentry_key', undefined],
    ['', undefined],
  ])('is read of %j', (header, key) => {
    expect(requestKeyOf({ ...none, sentryAuth: header })).toBe(key);
    expect(requestKeyOf({ ...none, authorization: header })).toBe(key);
  });

  it('may be in the query, or in the envelope', () => {
    expect(requestKeyOf({ ...none, query: 'abc' })).toBe('abc');
    expect(envelopeKeyOf({ dsn: 'http://abc@localhost:1/1' })).toBe('abc');
    expect(envelopeKeyOf({ dsn: 'nonsense' })).toBeUndefined();
    expect(envelopeKeyOf({})).toBeUndefined();
  });
});
