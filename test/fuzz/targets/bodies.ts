/** Bodies of `/logs` and `/v1/logs`. */
import assert from 'node:assert/strict';
import { TailraceError } from '../../../src/common/errors.ts';
import { assertJsonWithinLimits, JSON_LIMITS } from '../../../src/common/limits/json-scanner.ts';
import { type ParseJob, parseBody, parseValues } from '../../../src/logs/sources/bodies/parse-body.ts';
import { zstdFrames } from '../../../src/logs/sources/bodies/zstd-frame.ts';
import { measured, measureFrames } from '../../../src/logs/sources/formats/logplex-body.ts';
import { LogplexLines } from '../../../src/logs/sources/http/request-lines.ts';
import { recordFormFor } from '../../../src/logs/sources/http/request-receiver.ts';
import { requestBuffer } from '../../../src/logs/syslog/wasm/wasm-codec.ts';
import type { FuzzTarget } from '../engine/fuzz-target.ts';
import { withClock } from '../pairs/fuzz-pair.ts';
import { BatchOfBody, logSource } from '../pairs/records.ts';

const NOW = Date.UTC(2026, 10, 28, 12, 30, 15);
const PINO =
  '{"level":30,"time":1732796215123,"pid":7,"hostname":"web","req":{"id":1,"url":"/a?b=\\u00e9"},"msg":"hello \\"you\\""}';
const RECORDS = [
  PINO,
  '{"timestamp":"2026-11-28T12:30:15.123Z","severity":"ERROR","message":"a\\nb","dyno":"web.1"}',
  '{"message":"x","level":"warn","@timestamp":"2026-11-28T12:30:15+02:00","host":"h","fields":[1,2.5,null,true,{"a":{}}]}',
  '"a text"',
  '{"msg":"\\ud83d\\ude00"}',
];
const JSON_WORDS = [
  '"msg":',
  '"level":',
  '"time":',
  '{"',
  '"}',
  '[',
  ']',
  'null',
  'true',
  '\\u0000',
  '\\ud800',
  '1e400',
  '-0',
  '"message":"',
  '__proto__',
];

/** The words that the two ways must agree about: what is taken, or with what error it is refused. */
function outcome(read: (job: ParseJob) => { bytes: Uint8Array; count: number }, job: ParseJob): string {
  try {
    const { bytes, count } = read(job);
    return `${count} ${Buffer.from(bytes).toString('latin1')}`;
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

function bodyTarget(
  format: ParseJob['format'],
  seeds: FuzzTarget['seeds'],
  words: FuzzTarget['words'],
): FuzzTarget {
  return {
    name: `body-${format}`,
    seeds,
    words,
    check(input) {
      assert.equal(
        outcome(parseBody, { format, body: input }),
        outcome(parseValues, { format, body: input }),
      );
    },
  };
}

const OTLP_JSON =
  '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}},{"key":"host.name","value":{"stringValue":"h"}}]},"scopeLogs":[{"scope":{"name":"s"},"logRecords":[{"timeUnixNano":"1732796215123456789","severityNumber":9,"severityText":"INFO","body":{"stringValue":"hello"},"attributes":[{"key":"a","value":{"intValue":"7"}},{"key":"b","value":{"arrayValue":{"values":[{"boolValue":true},{"doubleValue":1.5}]}}}],"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}]}';

/** A field of protobuf whose content is bytes. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content]);
}
const text = (number: number, value: string): Buffer => field(number, Buffer.from(value));
const attribute = (key: string, value: string): Buffer =>
  Buffer.concat([text(1, key), field(2, text(1, value))]);
const RECORD = Buffer.concat([
  Buffer.from([0x09, 0x15, 0xcd, 0x5b, 0x07, 0, 0, 0, 0x18]),
  Buffer.from([0x10, 9]),
  text(3, 'INFO'),
  field(5, text(1, 'hello')),
  field(6, attribute('a', 'b')),
]);
const OTLP_PROTOBUF = field(
  1,
  Buffer.concat([
    field(1, field(1, attribute('service.name', 'web'))),
    field(2, Buffer.concat([field(2, RECORD), field(2, RECORD)])),
  ]),
);

const SOURCE = logSource('app');
const HOST = '127.0.0.1';

/** What becomes of a body of logplex-1, be it of a drain of Heroku's: what is taken of it, or with what error it is refused. */
function logplexOutcome(body: Buffer, isDecoded: boolean, fromHerokuDrain: boolean): string {
  const target = new BatchOfBody(SOURCE, HOST, !isDecoded, fromHerokuDrain);
  const options = { msgCount: undefined, tokenPerLine: false, counters: target.counters };
  const form = isDecoded ? recordFormFor(SOURCE, HOST) : undefined;
  try {
    void new LogplexLines(body, options, form, fromHerokuDrain).take(target.receiver);
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    return `${error.code}: ${error.message} ${target.taken}`;
  }
  return target.taken;
}

const logplex: FuzzTarget = {
  name: 'body-logplex-1',
  seeds: [
    '5 <13>a6 <13>bb',
    '68 <13>1 2026-11-28T12:30:15Z host app web.1 - - 0123456789012345678901',
    '57 <40>1 2012-11-30T06:45:29+00:00 host app web.3 - started\n',
    '41 <13>1 2026-11-28T12:30:15Z h a b - - abc\n31 <13>1 - - t.a web.1 - [a b="c"]25 <13>Nov 28 12:30:15 h a:b',
  ],
  words: ['<13>1 ', ' - ', '2026-11-28T12:30:15.123456+00:00 ', '[a b="c"]', '\n', '\ufeff'],
  check(input) {
    // Where connections read it into, with something else behind it.
    requestBuffer.set(input);
    const body = requestBuffer.subarray(0, input.length);
    withClock(NOW, () => {
      for (const fromHerokuDrain of [false, true])
        assert.equal(
          logplexOutcome(body, true, fromHerokuDrain),
          logplexOutcome(Buffer.from(input), false, fromHerokuDrain),
        );
    });
    const isCounted = measureFrames(input);
    // The grammar, read the slow way.
    let rest = input.toString('latin1');
    let count = 0;
    for (let found = /^([1-9]\d{0,9}) /.exec(rest); found; found = /^([1-9]\d{0,9}) /.exec(rest)) {
      const end = found[0].length + Number(found[1]);
      if (end > rest.length) break;
      rest = rest.slice(end);
      count++;
    }
    assert.equal(isCounted, rest === '');
    if (isCounted) assert.equal(measured.frames, count);
  },
};

const json: FuzzTarget = {
  name: 'json-scanner',
  seeds: [PINO, `[${RECORDS.join(',')}]`, '[[[[{}]]]]', ' { "a" : [ 1 , 2 ] } '],
  words: JSON_WORDS,
  check(input) {
    const isJson = isParsed(input);
    try {
      assertJsonWithinLimits(input, JSON_LIMITS);
    } catch (error) {
      assert(error instanceof TailraceError, String(error));
      // So much isn't in so few bytes, except for depth.
      if (isJson) assert(input.length > 2 * JSON_LIMITS.depth, `refused: ${error.message}`);
    }
  },
};

function isParsed(input: Buffer): boolean {
  try {
    JSON.parse(input.toString());
    return true;
  } catch {
    return false;
  }
}

const zstd: FuzzTarget = {
  name: 'zstd-frames',
  seeds: [
    Buffer.from('28b52ffd0405290000 68656c6c6f 4e1ee2fe'.replaceAll(' ', ''), 'hex'),
    Buffer.from('502a4d1804000000 61626364 28b52ffd0405290000 68656c6c6f'.replaceAll(' ', ''), 'hex'),
  ],
  words: [Buffer.from('28b52ffd', 'hex'), Buffer.from('502a4d18', 'hex')],
  check(input) {
    const frames = zstdFrames(input);
    if (frames) assert(frames.reduce((sum, { length }) => sum + length, 0) <= input.length);
  },
};

export const BODY_TARGETS: readonly FuzzTarget[] = [
  logplex,
  json,
  bodyTarget('json', [`[${RECORDS.join(',')}]`, ...RECORDS, `{"logs":[${PINO}]}`], JSON_WORDS),
  bodyTarget('ndjson', [`${RECORDS.join('\n')}\n`, ...RECORDS], JSON_WORDS),
  bodyTarget(
    'otlp-json',
    [OTLP_JSON],
    [...JSON_WORDS, '"stringValue":', '"attributes":[', '"kvlistValue":', '"bytesValue":"aGk="'],
  ),
  bodyTarget(
    'otlp-protobuf',
    [OTLP_PROTOBUF],
    [
      RECORD,
      Buffer.from([0x80, 0x80, 0x80, 0x80, 0x10]),
      Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
    ],
  ),
  zstd,
];
