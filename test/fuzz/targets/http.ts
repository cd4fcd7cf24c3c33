/**
 * Our two readers of HTTP, beside Node's: what they take, Node has to take, and to understand in the same way. Where they are stricter,
 * that is as it should be.
 */
import assert from 'node:assert/strict';
import { ChunkedBody } from '../../../src/apps/http-router/http/chunked-body.ts';
import { findHeadEnd } from '../../../src/apps/http-router/http/header-cursor.ts';
import {
  headForDyno,
  isRequestBeginning,
  parseRequestHead,
} from '../../../src/apps/http-router/http/request-head.ts';
import { parseResponseHead } from '../../../src/apps/http-router/http/response-head.ts';
import { readAuthorization } from '../../../src/common/http/authorization.ts';
import { trimOws } from '../../../src/common/http/fields.ts';
import { ResponseError, ResponseParser } from '../../../src/logs/drains/sinks/response-parser.ts';
import {
  type FastPathHead,
  readFastPathHead,
} from '../../../src/logs/sources/http/fast-path/fast-path-head.ts';
import type { FuzzTarget } from '../engine/fuzz-target.ts';
import { LLHTTP_METHODS, type ParsedMessage, parseWithLlhttp } from './llhttp.ts';

const WORDS = [
  'Content-Length: 5\r\n',
  'content-length: +5\r\n',
  'Content-Length: 5, 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, upgrade\r\n',
  'Upgrade: websocket\r\n',
  'Expect: 100-continue\r\n',
  'Host: a\r\n',
  ' HTTP/1.0',
  ' HTTP/1.1',
  ' HTTP/2.0',
  'OPTIONS *',
  'http://a/',
  '\r\n ',
  ' :',
  '\x0b',
];
const GET = 'GET /a?b=c HTTP/1.1\r\nHost: app.example:8080\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n';
const POST =
  'POST /x HTTP/1.1\r\nHost: app\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n';
const SWITCH =
  'GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';

function lastValue({ headers }: ParsedMessage, wanted: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i < headers.length; i += 2)
    if (headers[i].toLowerCase() === wanted) value = trimOws(headers[i + 1]);
  return value;
}

const requestHead: FuzzTarget = {
  name: 'http-request-head',
  seeds: [
    GET,
    POST,
    SWITCH,
    'HEAD http://a.example/x HTTP/1.0\r\nHost: a.example\r\n\r\n',
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Request-Id: 0123456789abcdef0123\r\n\r\n',
  ],
  words: WORDS,
  check(input) {
    const end = findHeadEnd(input, 0);
    const bytes = end === -1 ? input : input.subarray(0, end);
    const isBeginning = isRequestBeginning(bytes, 0);
    if (end === -1) return;
    const head = parseRequestHead(input.toString('latin1', 0, end - 2), true);
    if (head.failure) return;
    assert(isBeginning, 'it is a request, and its beginning was not');
    // Methods that llhttp has no name for are passed on all the same (RFC 9110 section 9.1).
    if (!LLHTTP_METHODS.includes(head.method)) return;
    // So are bytes beyond ASCII in a target, as nginx has it.
    if (/[\x80-\xff]/.test(head.target)) return;
    if (!hasTabBesideLength(bytes)) {
      const theirs = readByNode(bytes, 'request');
      assert.equal(theirs.method, head.method);
      assert.equal(theirs.isHttp11, head.http11);
      if (!theirs.url.includes('://')) assert.equal(theirs.url, head.target);
      assertSameBody(head.body, theirs);
    }
    // What a dyno gets is one request, the same one.
    const forwarded = Buffer.from(
      headForDyno(head, {
        client: { chain: '192.0.2.1', protocol: 'http', port: 80 },
        requestId: '0123456789abcdef01234567',
        startedMs: 0,
      } as never),
      'latin1',
    );
    const again = readByNode(forwarded, 'request');
    assert.equal(again.method, head.method);
    assert.equal(again.url, head.target);
    assertSameBody(head.body, again);
  },
};

/** A tab is white space there (RFC 9110 section 5.6.3), and isn't passed on; llhttp refuses it. */
function hasTabBesideLength(head: Buffer): boolean {
  return /\ncontent-length:[^\r]*\t/i.test(head.toString('latin1'));
}

function assertSameBody(body: number | 'chunked' | 'close', theirs: ParsedMessage): void {
  const encoding = lastValue(theirs, 'transfer-encoding');
  const length = lastValue(theirs, 'content-length');
  if (body === 'chunked') assert.equal(encoding?.toLowerCase(), 'chunked');
  else assert.equal(encoding, undefined, 'Node reads a chunked body');
  if (typeof body === 'number' && body > 0) assert.equal(Number(length), body);
  if (body === 0) assert(length === undefined || Number(length) === 0, `Node reads ${length} bytes`);
}

function readByNode(bytes: Buffer, kind: 'request' | 'response'): ParsedMessage {
  const { messages, error } = parseWithLlhttp(bytes, kind);
  // Behind CONNECT, and an upgrade, it leaves the rest to somebody else.
  if (error && messages.length === 0) throw new Error(`Node refuses it: ${error.message}`, { cause: error });
  assert.equal(messages.length, 1, `${messages.length} messages`);
  return messages[0];
}

const responseHead: FuzzTarget = {
  name: 'http-response-head',
  seeds: [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/html\r\nKeep-Alive: timeout=5\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.0 301 Moved\r\nLocation: /\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b; Path=/\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  ],
  words: WORDS,
  check(input) {
    const end = findHeadEnd(input, 0);
    if (end === -1) return;
    const head = parseResponseHead(input.toString('latin1', 0, end - 2), 'GET');
    if (head.failure) return;
    // The same length twice is one (RFC 9112 section 6.3, rule 5), as HAProxy has it; llhttp refuses it.
    if ((input.toString('latin1', 0, end).match(/\ncontent-length:/gi) ?? []).length > 1) return;
    if (hasTabBesideLength(input.subarray(0, end))) return;
    const theirs = readByNode(input.subarray(0, end), 'response');
    assert.equal(theirs.status, head.status);
    if (head.status >= 200 && head.status !== 204 && head.status !== 304 && head.body !== 'close')
      assertSameBody(head.body, theirs);
  },
};

const CHUNKED_HEAD = Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
const chunkedBody: FuzzTarget = {
  name: 'http-chunked-body',
  seeds: [
    '5\r\nhello\r\n0\r\n\r\n',
    '5;a=b;c="d e"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
    '1\r\na\r\n1\r\nb\r\n0\r\n\r\nGET / HTTP/1.1\r\n',
  ],
  words: [
    '0\r\n\r\n',
    '\r\n',
    '\n',
    '5',
    'F',
    ';a=b',
    ';a="b"',
    '0x',
    ' ',
    '+',
    '_',
    'FFFFFFFFFFFFFFFF',
    'Content-Length: 3\r\n',
  ],
  check(input) {
    const content: Buffer[] = [];
    const body = new ChunkedBody(content);
    const end = body.take(input, 0);
    const bytewise = new ChunkedBody([]);
    let at = 0;
    while (at < input.length && !bytewise.done) {
      if (bytewise.take(input.subarray(at, at + 1), 0) === -1) break;
      at++;
    }
    assert.equal(bytewise.done, body.done, 'byte by byte it ends elsewhere');
    if (end === -1) return;
    assert.equal(at, end, 'byte by byte it ends elsewhere');
    const { messages, error } = parseWithLlhttp(
      Buffer.concat([CHUNKED_HEAD, input.subarray(0, end)]),
      'request',
    );
    if (error) throw new Error(`Node refuses it: ${error.message}`, { cause: error });
    assert.equal(messages[0].isComplete, body.done, 'for Node it ends elsewhere');
    assert.equal(messages[0].body, Buffer.concat(content).toString('latin1'));
  },
};

const LOGS =
  'POST /logs HTTP/1.1\r\nHost: localhost:8601\r\nContent-Type: application/logplex-1\r\nContent-Length: 5\r\nLogplex-Msg-Count: 1\r\nLogplex-Frame-Id: 0123456789\r\nAuthorization: Basic dG9rZW46dC43YTZkYzJiZS00YjM2LTRkNDUtYmIzZi1kNjJlZjNhOWFlMWI=\r\n\r\n';
/** What a connection may have had before a head: one that has everything, and the same one with other numbers. */
const headsBefore = (input: Buffer): (FastPathHead | undefined)[] =>
  [LOGS, input.toString('latin1').replace(/\d+/g, '7')].map((text) =>
    readFastPathHead(Buffer.from(text, 'latin1')),
  );
const fastPathHead: FuzzTarget = {
  name: 'http-fast-path-head',
  seeds: [
    LOGS,
    LOGS.replace('application/logplex-1', 'application/json; charset=utf-8').replace(
      '/logs',
      '/logs?dyno=web.1',
    ),
    LOGS.replace('application/logplex-1', 'application/x-protobuf')
      .replace('/logs', '/v1/logs')
      .replace('Host', 'X-Forwarded-For: 192.0.2.1\r\nContent-Encoding: gzip\r\nHost'),
  ],
  words: [
    ...WORDS,
    'Authorization: Bearer t.7a6dc2be-4b36-4d45-bb3f-d62ef3a9ae1b\r\n',
    'Content-Encoding: gzip\r\n',
    '?source=a',
    '&dyno=b',
  ],
  check(input) {
    const head = readFastPathHead(input);
    for (const before of headsBefore(input)) assert.deepEqual(readFastPathHead(input, before), head);
    if (!head) return;
    const { messages, error } = parseWithLlhttp(input.subarray(0, head.text.length), 'request');
    if (error) throw new Error(`Node refuses it: ${error.message}`, { cause: error });
    const [theirs] = messages;
    assert.equal(theirs.method, 'POST');
    assert.equal(theirs.url, head.url);
    assert.equal(Number(lastValue(theirs, 'content-length')), head.length);
    assert.equal(lastValue(theirs, 'transfer-encoding'), undefined);
    assert(theirs.keepsAlive && theirs.isHttp11);
    assert.equal(lastValue(theirs, 'content-encoding')?.toLowerCase() === 'gzip', head.isGzip);
    assert.equal(lastValue(theirs, 'logplex-frame-id'), head.frameId);
  },
};

/** All that is known of a response that came in these pieces. */
function drainResponse(chunks: readonly Buffer[]): unknown {
  const parser = new ResponseParser(100);
  try {
    for (const chunk of chunks) parser.feed(chunk);
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    return 'no response';
  }
  const { status, headers, body, isReusable, isComplete } = parser;
  return { status, headers: [...headers], body: body.toString('latin1'), isReusable, isComplete };
}

const drainResponses: FuzzTarget = {
  ...responseHead,
  name: 'http-drain-response',
  seeds: [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\n\r\nhello',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.0 500 Oops\nConnection: keep-alive\nContent-Length: 0, 0\n\n',
    'HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\nRetry-After: 5\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n',
  ],
  check(input) {
    const whole = drainResponse([input]);
    assert.deepEqual(drainResponse([...input].map((byte) => Buffer.from([byte]))), whole);
    assert.deepEqual(drainResponse([input.subarray(0, 40), input.subarray(40)]), whole);
  },
};

const authorization: FuzzTarget = {
  name: 'authorization',
  seeds: ['Basic dG9rZW46dC43YTZkYzJi', 'Bearer HRKU-01234567', 'basic OnBhc3M=', 'Token a'],
  words: ['Basic ', 'Bearer ', '=', ','],
  check(input) {
    readAuthorization(input.toString('latin1'));
  },
};

export const HTTP_TARGETS: readonly FuzzTarget[] = [
  requestHead,
  responseHead,
  chunkedBody,
  fastPathHead,
  drainResponses,
  authorization,
];
