import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { LastHead, RecentHeads, ResponseParser } from '../../../../src/logs/drains/sinks/response-parser.ts';
import { processorMs } from '../../../support/processor-time.ts';

interface Wanted {
  readonly status: number;
  readonly body: string;
  readonly isReusable: boolean;
  /** The response ends with the connection. */
  readonly untilClosed?: boolean;
}

const RESPONSES: readonly [name: string, text: string, wanted: Wanted][] = [
  [
    'with a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    { status: 200, body: 'hello', isReusable: true },
  ],
  [
    'with no body',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    { status: 200, body: '', isReusable: true },
  ],
  ['204', 'HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n', { status: 204, body: '', isReusable: true }],
  [
    'without a reason, with bare newlines',
    'HTTP/1.1 200\nContent-Length:2\n\nok',
    { status: 200, body: 'ok', isReusable: true },
  ],
  [
    'in chunks, with extensions and trailers',
    'HTTP/1.1 202 Accepted\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;a="b"\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n',
    { status: 202, body: 'abc0123456789', isReusable: true },
  ],
  [
    'in chunks and with a length, which counts for nothing',
    'HTTP/1.1 200 OK\r\nContent-Length: 100\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n',
    { status: 200, body: '', isReusable: false },
  ],
  [
    'behind others that only inform',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1',
    { status: 200, body: '1', isReusable: true },
  ],
  [
    'behind one that only informs, whatever is in that',
    'HTTP/1.1 103 Early Hints\r\nno colon\r\nContent-Length: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1',
    { status: 200, body: '1', isReusable: true },
  ],
  [
    'of a destination that closes',
    'HTTP/1.1 503 Busy\r\nConnection: keep-alive, Close\r\nContent-Length: 1\r\n\r\nx',
    { status: 503, body: 'x', isReusable: false },
  ],
  [
    'that ends with the connection',
    'HTTP/1.1 200 OK\r\n\r\nall of it',
    { status: 200, body: 'all of it', isReusable: false, untilClosed: true },
  ],
  [
    'of version 1.0',
    'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx',
    { status: 200, body: 'x', isReusable: false },
  ],
  [
    'of version 1.0 that stays',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1, 1\r\n\r\nx',
    { status: 200, body: 'x', isReusable: true },
  ],
  [
    'with more behind it',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n',
    { status: 200, body: 'x', isReusable: false },
  ],
];

/** The bytes are fed in two pieces, or one by one. */
function* splits(bytes: Buffer): Generator<readonly Buffer[]> {
  yield [bytes];
  yield Array.from(bytes, (byte) => Buffer.of(byte));
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

describe('a response', () => {
  it.each(RESPONSES)('%s is read in whatever pieces it comes', (_name, text, wanted) => {
    for (const pieces of splits(Buffer.from(text, 'latin1'))) {
      const parser = new ResponseParser(1_000);
      // The memory of a piece is used again.
      for (const piece of pieces) {
        const own = Buffer.from(piece);
        parser.feed(own);
        own.fill(0);
      }
      const { isComplete } = parser;
      const isFinished = isComplete || parser.finish();
      const { status, body, isReusable } = parser;
      const read = [isComplete, isFinished, status, body.toString(), isReusable];
      const right = [!wanted.untilClosed, true, wanted.status, wanted.body, wanted.isReusable];
      if (read.some((one, i) => one !== right[i])) expect(read).toEqual(right);
    }
  });

  it('means the same when its head, or the beginning of it, came before on the connection or another one', () => {
    const recent = new RecentHeads();
    const lastHead = new LastHead(recent);
    const read = (text: string, remembered: LastHead) => {
      const parser = new ResponseParser(1_000, remembered);
      const bytes = Buffer.from(text, 'latin1');
      parser.feed(bytes);
      // The memory of what came is used again.
      bytes.fill(0);
      const { isReusable } = parser;
      parser.finish();
      const { status, body, headers, interim, isComplete, unreadBytes } = parser;
      return {
        ...{ status, isReusable, interim, isComplete, unreadBytes },
        body: body.toString(),
        headers: [...headers],
      };
    };
    for (const [, text] of RESPONSES)
      for (const [, other] of RESPONSES)
        for (const next of [text, text, `${other}${text}`, text.slice(0, -3)]) {
          const anew = read(next, new LastHead(new RecentHeads()));
          // Its own, and those of other connections.
          for (const known of [lastHead, new LastHead(recent)]) {
            const remembered = read(next, known);
            if (!isDeepStrictEqual(remembered, anew)) expect(remembered).toEqual(anew);
          }
        }
  });

  it('has its headers by their names in lower case, the same ones together, none of them special', () => {
    const parser = new ResponseParser(0);
    const text =
      'HTTP/1.1 429 No\r\nRetry-After: \t7 \r\n__proto__: x\r\nX-A: 1\r\nx-a: 2\r\nX-Long: a\r\n  b\r\nContent-Length: 0\r\n\r\n';
    parser.feed(Buffer.from(text));
    expect([...parser.headers]).toEqual([
      ['retry-after', '7'],
      ['__proto__', 'x'],
      ['x-a', '1, 2'],
      ['x-long', 'a b'],
      ['content-length', '0'],
    ]);
  });

  it('is kept up to a size, and read to its end', () => {
    const parser = new ResponseParser(4);
    parser.feed(Buffer.from('HTTP/1.1 500 No\r\nContent-Length: 300000\r\n\r\nabc'));
    parser.feed(Buffer.alloc(299_996, 'd'));
    expect(parser.isComplete).toBe(false);
    parser.feed(Buffer.from('d'));
    expect([parser.isComplete, parser.body.toString()]).toEqual([true, 'abcd']);
  });

  it('costs what its bytes cost when it comes in chunks of a byte, and is refused beyond some ten thousand of them', () => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const chunks = Buffer.from('1\r\nx\r\n'.repeat(50_000));
    const parser = new ResponseParser(8_388_608);
    parser.feed(Buffer.from(head));
    expect(processorMs(() => parser.feed(chunks))).toBeLessThan(400);
    expect(parser.body.toString()).toBe('x'.repeat(50_000));
    expect(() => parser.feed(chunks)).toThrow('more chunks than anybody reads');
  });

  it.each([
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
  ])('that is none is refused with a sentence: %j', (text) => {
    for (const pieces of splits(Buffer.from(text)))
      expect(() => {
        const parser = new ResponseParser(10);
        for (const piece of pieces) parser.feed(piece);
      }).toThrow(/^the destination /);
  });

  it.each(['X: ', 'Transfer-Encoding: chunked\r\n\r\n'])('that never ends its line %j is refused', (line) => {
    const parser = new ResponseParser(10);
    parser.feed(Buffer.from(`HTTP/1.1 200 OK\r\n${line}`));
    expect(() => {
      for (let i = 0; i < 20; i++) parser.feed(Buffer.alloc(1_000, '0'));
    }).toThrow(/^the destination /);
  });

  it('that breaks off isn’t complete', () => {
    for (const text of [
      '',
      'HTTP/1.1 200 OK\r\nContent-',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc',
    ]) {
      const parser = new ResponseParser(10);
      parser.feed(Buffer.from(text));
      expect(parser.finish()).toBe(false);
    }
  });
});
