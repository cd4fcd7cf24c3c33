/**
 * The worst request of each kind that a sender with a valid token can make: few bytes on the wire, much work to read. Bodies are
 * up to the 8 MB that a request may have unpacked, and mostly gzipped.
 */
import { gzipSync } from 'node:zlib';

/** Bytes that a body may have unpacked. */
const BODY_BYTES = 8_000_000;

/** A request, or some at once. */
export interface HostileRequest {
  readonly name: string;
  readonly path: '/logs' | '/v1/logs';
  readonly type: string;
  /** Compressed with gzip unless it says otherwise. */
  readonly body: () => Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** How many of them come at once; default 1. */
  readonly times?: number;
  /** Status of the answer. */
  readonly status: number;
}

const JSON_TYPE = 'application/json';
const NDJSON = 'application/x-ndjson';
const PROTOBUF = 'application/x-protobuf';
const LOGPLEX = 'application/logplex-1';
const TEXT = 'text/plain';
const FORM = 'application/x-www-form-urlencoded';

const fill = (unit: string, bytes = BODY_BYTES): string => unit.repeat(Math.floor(bytes / unit.length));
const between = (start: string, unit: string, end: string): Buffer =>
  Buffer.from(start + fill(unit, BODY_BYTES - start.length - end.length) + end);
const packed = (text: string | Buffer): Buffer => gzipSync(text);
const numbered = (count: number, unit: (number: number) => string): string =>
  Array.from({ length: count }, (_, i) => unit(i)).join(',');

/** A protobuf field with a length (wire type 2). */
function field(number: number, content: Buffer): Buffer {
  const length: number[] = [];
  for (let left = content.length; ; left = Math.floor(left / 128)) {
    length.push(left < 128 ? left : (left % 128) | 128);
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
}

/** A request with one log record, or what stands in its place. */
const otlpOf = (records: Buffer): Buffer => field(1, field(2, records));
const emptyFields = (number: number): Buffer =>
  Buffer.alloc(BODY_BYTES - 40, Buffer.from([(number << 3) | 2, 0]));

/** Messages in each other, `depth` times those of `numbers`, the outermost last: lists in lists are 1 and 5, maps in maps 2, 1 and 6. */
function nestedValues(depth: number, numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(depth * numbers.length * 6);
  let start = bytes.length;
  for (let level = 0; level < depth; level++)
    for (const number of numbers) {
      const length = bytes.length - start;
      const digits = Math.max(1, Math.ceil(Math.log2(length + 1) / 7));
      for (let digit = digits - 1; digit >= 0; digit--)
        bytes[--start] = (Math.floor(length / 128 ** digit) & 0x7f) | (digit === digits - 1 ? 0 : 128);
      bytes[--start] = (number << 3) | 2;
    }
  return bytes.subarray(start);
}

const frame = (line: string): string => `${Buffer.byteLength(line)} ${line}`;
const jsonOtlp = (record: string): string => `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${record}]}]}]}`;
const deflatedMembers = (count: number): Buffer =>
  Buffer.concat([
    Buffer.alloc(count * gzipSync('').length, gzipSync('')),
    gzipSync('{"msg":"behind many empty members"}'),
  ]);

/** All of them. */
export const HOSTILE_REQUESTS: readonly HostileRequest[] = [
  // JSON
  {
    name: 'an object, 99,990 newlines, a letter',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(`{}${fill('\n', 99_990)}x`),
    status: 400,
  },
  {
    name: 'objects and newlines in turns',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(fill('{}\n\n\n\n')),
    status: 413,
  },
  {
    name: 'brackets, 4,000,000 deep, ten at once',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(fill('[', 4_000_000)),
    times: 10,
    status: 400,
  },
  {
    name: 'objects, a million deep',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(fill('{"a":')),
    status: 400,
  },
  {
    name: 'objects and arrays in turns',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(fill('[{"a":')),
    status: 400,
  },
  {
    name: 'an object with 500,000 keys',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(`{${numbered(500_000, (i) => `"k${i}":1`)}}`),
    status: 400,
  },
  {
    name: 'a hundred objects with 6,000 keys',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(`[${numbered(100, () => `{${numbered(6_000, (i) => `"k${i}":1`)}}`)}]`),
    status: 200,
  },
  {
    name: 'an array of 2.6 million objects',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(between('[', '{},', '{}]')),
    status: 413,
  },
  {
    name: 'an array of 99,000 objects, four at once',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(`[${numbered(99_000, () => '{}')}]`),
    times: 4,
    status: 200,
  },
  {
    name: 'a line with 2.6 million empty arrays',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(between('{"msg":[', '[],', '[]]}')),
    status: 413,
  },
  {
    name: 'a line with four million numbers',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(between('{"msg":[', '0,', '0]}')),
    status: 200,
  },
  {
    name: 'a text of escapes',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(between('{"msg":"', '\\u0041', '"}')),
    status: 200,
  },
  {
    name: 'a field of what has to be escaped',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(between('{"msg":"a","k":"', '\\"]', '"}')),
    status: 200,
  },
  {
    name: 'a time of eight million digits',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(between('{"msg":"a","time":"', '1', '"}')),
    status: 200,
  },
  {
    name: 'a time of eight million brackets',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(between('{"msg":"a","time":"', '(', '"}')),
    status: 200,
  },
  {
    name: 'a million blank lines',
    path: '/logs',
    type: NDJSON,
    body: () => packed(`${fill('\n', 1_000_000)}{"msg":"a"}`),
    status: 204,
  },
  {
    name: 'eight million blanks and returns',
    path: '/logs',
    type: NDJSON,
    body: () => packed(`${fill(' \r\n', BODY_BYTES - 50)}{"msg":"a"}`),
    status: 204,
  },
  {
    name: 'four million numbers, one a line',
    path: '/logs',
    type: NDJSON,
    body: () => packed(fill('1\n')),
    status: 413,
  },
  {
    name: '99,000 numbers, one a line',
    path: '/logs',
    type: NDJSON,
    body: () => packed(fill('1\n', 198_000)),
    status: 204,
  },
  {
    name: 'a list of 90,000 lines under a name',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(`{"logs":[${numbered(90_000, () => '{"message":"a"}')}]}`),
    status: 200,
  },
  {
    name: '21,000 objects in 64 KB, twenty at once',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(`[${numbered(21_000, () => '{}')}]`),
    times: 20,
    status: 200,
  },
  {
    name: 'an object with 6,000 keys in 64 KB, fifty at once',
    path: '/logs',
    type: JSON_TYPE,
    body: () => packed(`{${numbered(6_000, (i) => `"k${i}":1`)}}`),
    times: 50,
    status: 200,
  },
  {
    name: '990 objects, fifty at once',
    path: '/logs',
    type: NDJSON,
    body: () => packed(Array.from({ length: 990 }, (_, i) => `{"level":30,"a":${i},"msg":"m"}`).join('\n')),
    times: 50,
    status: 204,
  },
  // OTLP
  {
    name: 'OTLP in JSON: values, a hundred thousand deep',
    path: '/v1/logs',
    type: JSON_TYPE,
    body: () => packed(jsonOtlp(`{"body":${fill('{"arrayValue":{"values":[', BODY_BYTES - 100)}`)),
    status: 400,
  },
  {
    name: 'OTLP in JSON: a record with 190,000 attributes',
    path: '/v1/logs',
    type: JSON_TYPE,
    body: () =>
      packed(jsonOtlp(`{"attributes":[${numbered(190_000, (i) => `{"key":"k${i}","value":{}}`)}]}`)),
    status: 400,
  },
  {
    name: 'OTLP in JSON: 99,000 records',
    path: '/v1/logs',
    type: JSON_TYPE,
    body: () => packed(jsonOtlp(numbered(99_000, () => '{"body":{"stringValue":"a"}}'))),
    status: 200,
  },
  {
    name: 'OTLP: four million empty records',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(otlpOf(emptyFields(2))),
    status: 413,
  },
  {
    name: 'OTLP: 99,000 empty records',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(otlpOf(emptyFields(2).subarray(0, 198_000))),
    status: 200,
  },
  {
    name: 'OTLP: 32,000 empty records in 64 KB, twenty at once',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(otlpOf(emptyFields(2).subarray(0, 64_000))),
    times: 20,
    status: 200,
  },
  {
    name: 'OTLP: four million empty resources',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(emptyFields(1)),
    status: 413,
  },
  {
    name: 'OTLP: four million empty scopes',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(field(1, emptyFields(2))),
    status: 413,
  },
  {
    name: 'OTLP: a record with four million empty attributes',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(otlpOf(field(2, emptyFields(6)))),
    status: 400,
  },
  {
    name: 'OTLP: a record with a list of four million values',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(otlpOf(field(2, field(5, field(5, emptyFields(1)))))),
    status: 413,
  },
  {
    name: 'OTLP: lists, 700,000 deep',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(otlpOf(field(2, field(5, nestedValues(700_000, [1, 5]))))),
    status: 400,
  },
  {
    name: 'OTLP: maps, half a million deep',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(otlpOf(field(2, field(5, nestedValues(500_000, [2, 1, 6]))))),
    status: 400,
  },
  {
    name: 'OTLP: eight million groups that begin',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(Buffer.alloc(BODY_BYTES, 0x7b)),
    status: 400,
  },
  {
    name: 'OTLP: a text of control characters in a list',
    path: '/v1/logs',
    type: PROTOBUF,
    body: () => packed(otlpOf(field(2, field(5, field(5, field(1, field(1, Buffer.alloc(7_000_000, 1)))))))),
    status: 413,
  },
  // application/logplex-1
  {
    name: '2.6 million frames of one letter',
    path: '/logs',
    type: LOGPLEX,
    body: () => packed(fill('1 a')),
    status: 413,
  },
  {
    name: '99,000 frames of one letter',
    path: '/logs',
    type: LOGPLEX,
    body: () => packed(fill('1 a', 297_000)),
    status: 204,
  },
  {
    name: '99,000 frames of the old form',
    path: '/logs',
    type: LOGPLEX,
    body: () => packed(fill(frame('<13>Oct 11 22:14:15 host tag[1]: m'), 99_000 * 37)),
    status: 204,
  },
  {
    name: 'frames with 500 blanks where a time should be',
    path: '/logs',
    type: LOGPLEX,
    body: () => packed(fill(frame(`<13>Oct${' '.repeat(500)}`))),
    status: 204,
  },
  {
    name: 'frames with structured data that never ends',
    path: '/logs',
    type: LOGPLEX,
    body: () => packed(fill(frame(`<13>1 - - - - - [a@1 ${'b="\\\\" '.repeat(1_100)}`))),
    status: 204,
  },
  {
    name: '57,000 common lines',
    path: '/logs',
    type: LOGPLEX,
    body: () =>
      packed(fill(frame(`<190>1 2012-12-10T03:00:48.123456+00:00 host app web.1 - - ${'x'.repeat(75)}\n`))),
    status: 204,
  },
  {
    name: 'a count of frames that begins wrong',
    path: '/logs',
    type: LOGPLEX,
    body: () => packed(fill('1')),
    status: 400,
  },
  {
    name: 'metrics without end in every line',
    path: '/logs',
    type: LOGPLEX,
    body: () =>
      packed(
        fill(
          frame(`<190>1 2012-12-10T03:00:48.123456+00:00 host app web.1 - - ${fill('count#a=1 ', 9_900)}`),
          2_000_000,
        ),
      ),
    status: 204,
  },
  // text/plain
  { name: 'eight million newlines', path: '/logs', type: TEXT, body: () => packed(fill('\n')), status: 413 },
  { name: '99,000 newlines', path: '/logs', type: TEXT, body: () => packed(fill('\n', 99_000)), status: 204 },
  {
    name: '99,000 lines of one byte',
    path: '/logs',
    type: TEXT,
    body: () => packed(fill('a\n', 198_000)),
    times: 4,
    status: 204,
  },
  {
    name: 'one line of eight million bytes',
    path: '/logs',
    type: TEXT,
    body: () => packed(fill('x')),
    status: 204,
  },
  {
    name: 'one line of eight million NULs',
    path: '/logs',
    type: TEXT,
    body: () => packed(Buffer.alloc(BODY_BYTES)),
    status: 204,
  },
  {
    name: 'metrics without end in one line',
    path: '/logs',
    type: TEXT,
    body: () => packed(fill('count#a=1 ')),
    status: 204,
  },
  {
    name: 'a line of eight million hash signs',
    path: '/logs',
    type: TEXT,
    body: () => packed(fill('#')),
    status: 204,
  },
  {
    name: 'a form of a million parameters',
    path: '/logs',
    type: FORM,
    body: () => packed(fill('a=b&c=d&')),
    status: 204,
  },
  // gzip
  {
    name: 'a bomb of 200 MB',
    path: '/logs',
    type: TEXT,
    body: () => packed(Buffer.alloc(200_000_000)),
    times: 4,
    status: 413,
  },
  {
    name: 'a bomb in a bomb',
    path: '/logs',
    type: TEXT,
    body: () => packed(packed(packed(Buffer.alloc(50_000_000)))),
    status: 204,
  },
  {
    name: '390,000 empty members',
    path: '/logs',
    type: JSON_TYPE,
    body: () => deflatedMembers(390_000),
    status: 200,
  },
  {
    name: 'a file name of seven million letters',
    path: '/logs',
    type: JSON_TYPE,
    body: () =>
      Buffer.concat([
        Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]),
        Buffer.alloc(7_000_000, 'a'),
        Buffer.from([0]),
        gzipSync('{}').subarray(10),
      ]),
    status: 200,
  },
];
