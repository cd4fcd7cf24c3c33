/** Which bodies are parsed at once, and which on the thread: by what they cost, not by their bytes alone. */
import { describe, expect, it } from 'vitest';
import {
  isQuicklyParsed,
  type ParseJob,
  parseBody,
  parseValues,
} from '../../../../src/logs/sources/bodies/parse-body.ts';
import { encodeOtlpLogs } from '../../../../src/logs/sources/formats/otlp-schema.ts';

type Format = ParseJob['format'];
const isQuick = (format: Format, text: string | Uint8Array): boolean =>
  isQuicklyParsed({ format, body: Buffer.from(text as string) });
const record = (i: number): string =>
  `{"level":30,"time":1355108448123,"pid":7,"hostname":"h","msg":"line ${i}","tags":["a"]}`;
const records = (count: number): string[] => Array.from({ length: count }, (_, i) => record(i));
const otlp = (count: number) => ({
  resourceLogs: [
    { scopeLogs: [{ logRecords: Array.from({ length: count }, () => ({ body: { stringValue: 'a' } })) }] },
  ],
});

describe('at once', () => {
  it.each<[string, Format, string | Uint8Array]>([
    ['a line', 'json', record(1)],
    ['hundreds of lines', 'json', `[${records(600).join(',')}]`],
    ['hundreds of lines, one a line', 'ndjson', records(600).join('\n')],
    ['a list under a name', 'json', `{"logs":[${records(400).join(',')}]}`],
    ['hundreds of records', 'otlp-json', JSON.stringify(otlp(400))],
    ['hundreds of records in protobuf', 'otlp-protobuf', encodeOtlpLogs(otlp(400))],
    ['nothing', 'ndjson', ''],
  ])('%s', (_name, format, body) => expect(isQuick(format, body)).toBe(true));
});

describe('on the thread', () => {
  it.each<[string, Format, string | Uint8Array]>([
    ['what is long', 'json', `"${'x'.repeat(70_000)}"`],
    ['short elements', 'json', `[${'{},'.repeat(20_000)}{}]`],
    ['numbers', 'json', `[${'1,'.repeat(20_000)}1]`],
    ['objects one behind the other', 'json', '{}\n'.repeat(20_000)],
    ['a list under a name', 'json', `{"logs":[${'{},'.repeat(20_000)}{}]}`],
    ['short lines', 'ndjson', '1\n'.repeat(20_000)],
    ['blank lines', 'ndjson', '\n'.repeat(60_000)],
    [
      'short records',
      'otlp-json',
      `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${'{},'.repeat(20_000)}{}]}]}]}`,
    ],
    [
      'short records in protobuf',
      'otlp-protobuf',
      encodeOtlpLogs({ resourceLogs: [{ scopeLogs: [{ logRecords: Array(20_000).fill({}) }] }] }),
    ],
  ])('%s', (_name, format, body) => expect(isQuick(format, body)).toBe(false));
});

it('what is refused is refused before it is parsed, wherever that would be', () => {
  const deep = '['.repeat(60_000);
  for (const format of ['json', 'ndjson', 'otlp-json'] as const) {
    expect(() => parseBody({ format, body: Buffer.from(deep) })).toThrow('nested too deep');
    if (format !== 'ndjson') expect(() => isQuick(format, deep)).toThrow('nested too deep');
  }
});

it.each(['', '{"a":1}\n', '{"a":1}\n\n'])(
  'behind %j a byte order mark may begin a line, and stands nowhere else',
  (before) => {
    const job = (text: string): ParseJob => ({ format: 'ndjson', body: Buffer.from(before + text) });
    for (const text of ['\ufeff{"a":1}', '\ufeff', '\ufeff \n{"a":1}'])
      expect(Buffer.from(parseBody(job(text)).bytes)).toEqual(Buffer.from(parseValues(job(text)).bytes));
    for (const text of ['\t\ufeff', ' \ufeff{"a":1}', '\r\ufeff\n{"a":1}', '{"a":1}\ufeff', '{"a":1} \ufeff'])
      expect(() => parseBody(job(text)), text).toThrow('is not valid JSON');
  },
);

it('lines are packed one behind the other, octet counted', () => {
  const { bytes, count } = parseBody({
    format: 'json',
    body: Buffer.from('["ä",{"msg":"b"},3]'),
    dyno: 'web.1',
  });
  expect(count).toBe(3);
  expect(Buffer.from(bytes).toString()).toBe(
    '27 <190>1 - - app web.1 - - ä26 <190>1 - - app web.1 - - b26 <190>1 - - app web.1 - - 3',
  );
});

it('lines may take so much, however they grow', () => {
  const value = {
    kvlistValue: { values: [{ key: 'k', value: { stringValue: '\u0001'.repeat(2_700_000) } }] },
  };
  const body = Buffer.from(
    encodeOtlpLogs({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: value }] }] }] }),
  );
  expect(() => parseBody({ format: 'otlp-protobuf', body })).toThrow('take over 16000000 bytes');
});
