/** What the fast path reads out of the bytes of a connection, without one. */
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { readFastPathHead } from '../../../../../src/logs/sources/http/fast-path/fast-path-head.ts';
import { FastPathReader, ReadStep } from '../../../../../src/logs/sources/http/fast-path/fast-path-reader.ts';
import { overdueAction } from '../../../../../src/logs/sources/http/fast-path/fast-path-timeouts.ts';
import { BATCH_BYTES } from '../../../../../src/logs/syslog/batch.ts';
import { basicAuth } from '../../../../support/senders/send-lines.ts';

function head(contentLength: number, headers = ''): Buffer {
  const fields = [
    'POST /logs HTTP/1.1',
    'Host: localhost',
    `Authorization: ${basicAuth('t.a')}`,
    'Content-Type: application/logplex-1',
    `Content-Length: ${contentLength}`,
  ];
  return Buffer.from(`${fields.join('\r\n')}\r\n${headers}\r\n`);
}

/** A head with another content type. */
const typed = (type: string, path = '/logs'): Buffer =>
  Buffer.from(head(5).toString().replace('application/logplex-1', type).replace('/logs', path));

const request = (body: string): Buffer => Buffer.concat([head(Buffer.byteLength(body)), Buffer.from(body)]);

describe('a head', () => {
  const FIELDS = [
    'Host: localhost',
    `Authorization: ${basicAuth('t.a')}`,
    'Content-Type: application/logplex-1',
    'Content-Length: 123',
    'Logplex-Msg-Count: 2',
    'Logplex-Frame-Id: a1:b2',
    'X-Forwarded-For: 192.0.2.1',
  ];
  const headOf = (fields: readonly string[]): Buffer =>
    Buffer.from(`POST /logs HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1');
  const changed = (name: string, value: string): Buffer =>
    headOf(FIELDS.map((field) => (field.startsWith(name) ? `${name}:${value}` : field)));
  const before = readFastPathHead(headOf(FIELDS));

  it('isn’t parsed again when length, count and frame id alone are others', () => {
    const others = ['Content-Length: 4', 'Logplex-Msg-Count: 31', 'Logplex-Frame-Id: c'];
    const next = readFastPathHead(headOf([...FIELDS.slice(0, 3), ...others, ...FIELDS.slice(6)]), before);
    expect(next).toMatchObject({ length: 4, msgCount: '31', frameId: 'c', token: 't.a' });
    expect(next?.constant).toBe(before?.constant);
  });

  it.each([
    ...['0', '99', '123 ', '+5', '12\r\nContent-Length: 5', '1e2', '9999999', '999999999', ''].map(
      (value) => ['Content-Length', value],
    ),
    ...['1', '-1', 'two', '', '2 ', '3000'].map((value) => ['Logplex-Msg-Count', value]),
    ...['', ' x ', 'a b', '\xe4', 'x\r\nTransfer-Encoding: chunked', '\r\n'].map((value) => [
      'Logplex-Frame-Id',
      value,
    ]),
    ['Authorization', basicAuth('t.b')],
    ['Content-Type', 'text/plain'],
    ['X-Forwarded-For', '192.0.2.12'],
    ['Host', 'localhost\r\nContent-Encoding: gzip'],
  ])('with “%s: %s” is after another one what it is alone', (name, value) => {
    for (const space of ['', ' ']) {
      const bytes = changed(name, space + value);
      expect(readFastPathHead(bytes, before)).toEqual(readFastPathHead(bytes));
    }
  });

  // Behind a proxy a connection has requests of many senders: heads that each have a shape of their own cost three times as much.
  it('has the shape of all others, parsed or not', () => {
    setFlagsFromString('--allow-natives-syntax');
    const haveSameShape = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (
      a: unknown,
      b: unknown,
    ) => boolean;
    const all = [
      headOf(FIELDS),
      headOf(FIELDS.slice(0, 4)),
      changed('Authorization', ` ${basicAuth('t.b')}`),
      changed('Content-Length', ' 99'),
      changed('X-Forwarded-For', ' 203.0.113.9'),
      headOf([...FIELDS, 'Logplex-Drain-Token: d.1', 'Content-Encoding: gzip']),
      typed('text/plain', '/logs?dyno=web.1'),
      typed('application/x-protobuf', '/v1/logs'),
    ];
    // The second time nothing is new to V8.
    for (const bytes of all) readFastPathHead(bytes);
    const heads = all.map((bytes) => readFastPathHead(bytes));
    const behind = readFastPathHead(changed('Content-Length', ' 7'), heads[0]);
    expect(behind?.constant).toBe(heads[0]?.constant);
    expect(heads).not.toContain(undefined);
    expect([...heads, behind].map((one) => haveSameShape(one, heads[0]))).toEqual(Array(9).fill(true));
  });
});

let reader: FastPathReader;
beforeEach(() => {
  reader = new FastPathReader();
});

describe('a request', () => {
  it('stops behind its head, for its token to be looked up, and goes on with its body', () => {
    expect(reader.waitsFor).toBe('first request');
    expect(reader.receive(request('hello'))).toBe(ReadStep.headRead);
    expect(reader).toMatchObject({ waitsFor: 'look-up', isBusy: true });
    expect(reader.head).toMatchObject({ token: 't.a', format: 'logplex', length: 5 });
    expect(reader.acceptHead()).toBe(ReadStep.requestRead);
    expect(reader).toMatchObject({ waitsFor: 'response', isBusy: true, hasPipelined: false });
    expect(reader.body.toString()).toBe('hello');
    expect(reader.next()).toBe(ReadStep.needsBytes);
    expect(reader).toMatchObject({ waitsFor: 'next request', isBusy: false });
  });

  it('has its body collected from many chunks', () => {
    reader.receive(head(10));
    expect(reader.acceptHead()).toBe(ReadStep.needsBytes);
    expect(reader.waitsFor).toBe('body');
    expect(reader.receive(Buffer.from('01234'))).toBe(ReadStep.needsBytes);
    expect(reader.receive(Buffer.from('567'))).toBe(ReadStep.needsBytes);
    expect(reader.receive(Buffer.from('89'))).toBe(ReadStep.requestRead);
    expect(reader.body.toString()).toBe('0123456789');
  });

  it('without a body is whole with its head', () => {
    reader.receive(head(0));
    expect(reader.acceptHead()).toBe(ReadStep.requestRead);
    expect(reader.body.length).toBe(0);
  });

  it('keeps bytes that come while its token is looked up', () => {
    const bytes = request('hello');
    expect(reader.receive(bytes.subarray(0, -3))).toBe(ReadStep.headRead);
    expect(reader.receive(bytes.subarray(-3))).toBe(ReadStep.pipelined);
    expect(reader.acceptHead()).toBe(ReadStep.requestRead);
    expect(reader.body.toString()).toBe('hello');
  });

  it('gives the memory of its body back, but none that holds a request behind it', () => {
    const long = 'x'.repeat(10_000);
    const alone = Buffer.from(new Uint8Array(request(long)).buffer);
    reader.receive(alone);
    reader.acceptHead();
    reader.releaseBody();
    expect(alone.length).toBe(0);
    reader.next();
    const two = Buffer.from(new Uint8Array(Buffer.concat([request(long), request('second')])).buffer);
    reader.receive(two);
    reader.acceptHead();
    reader.releaseBody();
    expect(reader.next()).toBe(ReadStep.headRead);
    reader.acceptHead();
    expect(reader.body.toString()).toBe('second');
  });
});

describe('what was read into memory that others read into, too', () => {
  const shared = Buffer.alloc(1_000);
  /** What comes next, where it is until {@link overwrite}. */
  const read = (bytes: Buffer): Buffer => shared.subarray(0, bytes.copy(shared));
  const overwrite = (): void => {
    reader.keep();
    shared.fill('?');
  };
  beforeEach(() => {
    reader = new FastPathReader(shared);
  });

  it('is there while it is looked up whose it is, while it is stored, and until the request before it is answered', () => {
    expect(reader.receive(read(request('hello').subarray(0, -2)))).toBe(ReadStep.headRead);
    overwrite();
    expect(reader.acceptHead()).toBe(ReadStep.needsBytes);
    overwrite();
    expect(reader.receive(read(Buffer.concat([Buffer.from('lo'), request('second')])))).toBe(
      ReadStep.requestRead,
    );
    overwrite();
    reader.receive(read(request('third')));
    overwrite();
    expect(reader.body.toString()).toBe('hello');
    const rest: string[] = [];
    while (reader.next() === ReadStep.headRead) {
      reader.acceptHead();
      overwrite();
      rest.push(reader.body.toString());
    }
    expect(rest).toEqual(['second', 'third']);
  });

  it('stays where it is until then, and its memory is nobody’s to give back', () => {
    reader.receive(read(request('hello')));
    reader.acceptHead();
    expect(reader.body.buffer).toBe(shared.buffer);
    reader.releaseBody();
    expect(shared.length).toBe(1_000);
  });

  it('isn’t kept in the memory of another body that is needed', () => {
    const texts = ['a', 'b'].map((letter) => letter.repeat(700));
    const readers = texts.map((text) => {
      reader = new FastPathReader(shared);
      reader.receive(read(request(text)));
      reader.acceptHead();
      overwrite();
      return reader;
    });
    expect(readers.map(({ body }) => body.toString())).toEqual(texts);
  });

  it('is given to Node as it came', () => {
    const bytes = Buffer.concat([request('first'), request('second')]);
    reader.receive(read(bytes));
    reader.acceptHead();
    reader.putBack();
    overwrite();
    expect(reader.unread).toEqual(bytes);
  });
});

describe('what the fast path takes', () => {
  it.each([
    ['text', typed('text/plain'), { format: 'text', type: 'text/plain' }],
    [
      'a type in capitals, in UTF-8',
      typed('Text/Plain; Charset=UTF-8'),
      { format: 'text', type: 'text/plain' },
    ],
    ['NDJSON', typed('application/x-ndjson'), { format: 'ndjson' }],
    ['JSON', typed('application/json;charset="utf-8"'), { format: 'json', type: 'application/json' }],
    ['OTLP', typed('application/x-protobuf', '/v1/logs'), { format: 'otlp-protobuf', refusedIn: 'protobuf' }],
    ['OTLP in JSON', typed('application/json', '/v1/logs'), { format: 'otlp-json', isOtlp: true }],
    ['gzip', head(5, 'Content-Encoding: GZIP\r\n'), { isGzip: true, format: 'logplex' }],
    ['a drain', head(5, 'Logplex-Drain-Token: d.1\r\n'), { drainToken: 'd.1', refusedIn: 'text' }],
    ['a dyno', typed('text/plain', '/logs?dyno=web.1'), { dyno: 'web.1', url: '/logs?dyno=web.1' }],
    ['a sender that reads JSON', head(5, 'Accept: application/json, */*\r\n'), { refusedIn: 'json' }],
  ])('%s', (_name, bytes, expected) => {
    expect(reader.receive(Buffer.concat([bytes, Buffer.from('hello')]))).toBe(ReadStep.headRead);
    expect(reader.head).toMatchObject(expected);
  });

  it('may be given to Node after all, with what has come behind it', () => {
    const two = Buffer.concat([request('first'), request('second')]);
    reader.receive(two.subarray(0, -20));
    expect(reader.acceptHead()).toBe(ReadStep.requestRead);
    reader.receive(two.subarray(-20));
    reader.putBack();
    expect(reader.unread).toEqual(two);
  });
});

describe('requests behind one that is being answered', () => {
  it('are read after it, one by one', () => {
    const steps: ReadStep[] = [];
    const bodies: string[] = [];
    steps.push(reader.receive(Buffer.concat([request('first'), request('second'), request('third')])));
    for (let i = 0; i < 3; i++) {
      steps.push(reader.acceptHead());
      bodies.push(reader.body.toString());
      steps.push(reader.next());
    }
    expect(bodies).toEqual(['first', 'second', 'third']);
    const { headRead, requestRead, needsBytes } = ReadStep;
    expect(steps).toEqual([headRead, requestRead, headRead, requestRead, headRead, requestRead, needsBytes]);
  });

  it('are kept when they come later, however they are cut', () => {
    reader.receive(request('first'));
    reader.acceptHead();
    for (const byte of request('second'))
      expect(reader.receive(Buffer.from([byte]))).toBe(ReadStep.pipelined);
    expect(reader.hasPipelined).toBe(true);
    expect(reader.next()).toBe(ReadStep.headRead);
    expect(reader.acceptHead()).toBe(ReadStep.requestRead);
    expect(reader.body.toString()).toBe('second');
  });
});

describe('what goes to Node’s server, as it came', () => {
  const cases: Record<string, Buffer> = {
    'another method': Buffer.from('GET /logs HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    'a head that isn’t there in full': head(5).subarray(0, -1),
    'a body compressed otherwise': head(5, 'Content-Encoding: br\r\n'),
    'a compressed body that isn’t small': head(65_537, 'Content-Encoding: gzip\r\n'),
    'two encodings': head(5, 'Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n'),
    'a body that is waited with': head(5, 'Expect: 100-continue\r\n'),
    'a charset': typed('text/plain; charset=iso-8859-1'),
    'a type with another parameter': typed('application/json; profile=x'),
    'a type of the other path': typed('application/x-protobuf'),
    'no type': Buffer.from(
      head(5)
        .toString()
        .replace(/Content-Type: .*\r\n/, ''),
    ),
    'a query with something else': Buffer.from(head(5).toString().replace('/logs', '/logs?token=t.b')),
    'a query with an escape': Buffer.from(head(5).toString().replace('/logs', '/logs?dyno=a%20b')),
    'a query that says a thing twice': Buffer.from(
      head(5).toString().replace('/logs', '/logs?dyno=a&dyno=b'),
    ),
    'two drain tokens': head(5, 'Logplex-Drain-Token: a\r\nLogplex-Drain-Token: b\r\n'),
    'a chunked body': head(5, 'Transfer-Encoding: chunked\r\n'),
    'an API key': Buffer.from(head(5).toString().replace(basicAuth('t.a'), 'Bearer key')),
    'more than a batch': head(BATCH_BYTES),
    'more lines than fit into a batch': head(5, `Logplex-Msg-Count: ${BATCH_BYTES}\r\n`),
    'a large body with a count below zero': head(999_999_999, 'Logplex-Msg-Count: -99999999\r\n'),
    'a large body with a count of zero': head(999_999_999, 'Logplex-Msg-Count: 0\r\n'),
    'a length with byte 0xA0 behind it': Buffer.from(head(5).toString().replace(': 5', ': 5\xa0'), 'latin1'),
    'a type with byte 0xA0 before it': Buffer.from(
      head(5).toString().replace(': application', ': \xa0application'),
      'latin1',
    ),
  };
  it.each(Object.entries(cases))('%s', (_name, bytes) => {
    expect(reader.receive(bytes)).toBe(ReadStep.notFastPath);
    expect(reader.unread).toEqual(bytes);
  });

  it('the request behind some that were answered, and all that has come of it', () => {
    const other = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    reader.receive(Buffer.concat([request('first'), other.subarray(0, 5)]));
    reader.acceptHead();
    reader.receive(other.subarray(5));
    expect(reader.next()).toBe(ReadStep.notFastPath);
    expect(reader.unread).toEqual(other);
  });

  it('a request whose token is none of this path: its head and its body', () => {
    reader.receive(request('hello'));
    expect(reader.unread).toEqual(request('hello'));
  });
});

it('however requests are cut behind their heads, their bodies are read in order', () => {
  const body = fc.string({ maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(body, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.nat(30)),
      fc.boolean(),
      (bodies, cuts, isShared) => {
        const shared = Buffer.alloc(1_000);
        reader = new FastPathReader(isShared ? shared : undefined);
        const read: string[] = [];
        const execute = (step: ReadStep): void => {
          if (step === ReadStep.headRead) execute(reader.acceptHead());
          else if (step === ReadStep.requestRead) {
            read.push(reader.body.toString());
            execute(reader.next());
          } else expect(step).toBe(ReadStep.needsBytes);
        };
        for (const text of bodies) {
          const bytes = request(text);
          const headEnd = bytes.indexOf('\r\n\r\n') + 4;
          for (let at = 0; at < bytes.length; ) {
            const end = Math.min(bytes.length, at === 0 ? headEnd : at + 1 + Number(cuts.next().value));
            const chunk = bytes.subarray(at, end);
            execute(reader.receive(isShared ? shared.subarray(0, chunk.copy(shared)) : chunk));
            reader.keep();
            shared.fill('?');
            at = end;
          }
        }
        expect(read).toEqual(bodies);
      },
    ),
  );
});

describe('a connection that waits too long', () => {
  const timeouts = { headersTimeout: 10, requestTimeout: 20, keepAliveTimeout: 30 };
  it.each([
    ['first request', 10, 'timeout'],
    ['body', 20, 'timeout'],
    ['next request', 30, 'close'],
  ] as const)('for its %s: over %i ms, %s', (waitsFor, limitMs, action) => {
    expect(overdueAction(waitsFor, limitMs, timeouts)).toBeUndefined();
    expect(overdueAction(waitsFor, limitMs + 1, timeouts)).toBe(action);
    const none = { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 };
    expect(overdueAction(waitsFor, 1e9, none)).toBeUndefined();
  });

  it('for us is never closed', () => {
    for (const waitsFor of ['look-up', 'response'] as const)
      expect(overdueAction(waitsFor, 1e9, timeouts)).toBeUndefined();
  });
});
