/** Fast-path requests are served without Node's HTTP server: with the same responses, and the same lines stored. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  basicAuth,
  connectTcp,
  logplexBody,
  numberedMessages,
  postLogs,
} from '../../../../support/senders/send-lines.ts';
import { type App, type Server, startServer, startServerForTest } from '../../../../support/server.ts';
import { until } from '../../../../support/until.ts';

interface Written {
  readonly bytes: Buffer;
  readonly status: number;
  /** Messages that are in the stream afterwards. */
  readonly messages: readonly string[];
}

/** A request as sent over a connection; `fields` may replace or remove the default ones. */
function written(
  { token }: App,
  payload: Buffer,
  fields: Readonly<Record<string, string | undefined>> = {},
  line = 'POST /logs HTTP/1.1',
): Buffer {
  const all: Record<string, string | undefined> = {
    Host: 'localhost',
    Authorization: basicAuth(token),
    'Content-Type': 'application/logplex-1',
    'Content-Length': String(payload.length),
    ...fields,
  };
  const head = Object.entries(all).map(([name, value]) =>
    value === undefined ? '' : `${name}: ${value}\r\n`,
  );
  return Buffer.concat([Buffer.from(`${line}\r\n${head.join('')}\r\n`), payload]);
}

/** Sends bytes in pieces over one connection; what has come when the server has closed it, which the last request asks for. */
async function talk(pieces: readonly Buffer[]): Promise<string> {
  const socket = await connectTcp(Number(new URL(server.url).port));
  const answered = text(socket);
  await send(socket, pieces);
  return answered;
}

async function send(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (!socket.write(piece)) await once(socket, 'drain');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The same, request by request: waits for the answer of each, so that the server has nothing else to do meanwhile. */
async function talkPatiently(requests: readonly (readonly Buffer[])[]): Promise<string> {
  const socket = await connectTcp(Number(new URL(server.url).port));
  let answers = '';
  socket.on('data', (bytes) => {
    answers += bytes;
  });
  const closed = once(socket, 'close');
  for (const [i, pieces] of requests.entries()) {
    await send(socket, pieces);
    await until(`answer ${i}`, () => statuses(answers).length > i);
  }
  await closed;
  return answers;
}

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const statuses = (answers: string): number[] =>
  [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));

/** Bytes cut at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set([...places.map((place) => place % bytes.length), bytes.length])].sort(
    (a, b) => a - b,
  );
  return ends
    .map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end))
    .filter(({ length }) => length > 0);
}

describe('a fast-path request and one that Node’s server reads', () => {
  it('have the same responses, good or bad', async () => {
    const app = await server.createApp();
    const good = logplexBody(numberedMessages(20, 'x'));
    const cases: { title: string; payload: Buffer; headers?: Record<string, string> }[] = [
      { title: 'good', payload: good, headers: { 'logplex-msg-count': '20' } },
      { title: 'uncounted', payload: good },
      { title: 'a wrong count', payload: good, headers: { 'logplex-msg-count': '7' } },
      { title: 'no number as count', payload: good, headers: { 'logplex-msg-count': '0x14' } },
      { title: 'broken frames', payload: Buffer.from('12 <190>1 - - x\nabc') },
      { title: 'empty', payload: Buffer.alloc(0), headers: { 'logplex-msg-count': '0' } },
    ];
    for (const { title, payload, headers } of cases) {
      const fast = await postLogs(server, app.token, payload, headers);
      // A parameter of the content type has no meaning, but isn't supported by the fast path.
      const slow = await postLogs(server, app.token, payload, {
        ...headers,
        'content-type': 'application/logplex-1; charset=utf-8',
      });
      const shown = (answer: typeof fast) => ({
        status: answer.status,
        text: answer.text,
        type: answer.headers['content-type'],
      });
      expect(shown(fast), title).toEqual(shown(slow));
      expect(fast.status, title).toBe(['good', 'uncounted', 'empty'].includes(title) ? 204 : 400);
    }
    const messages = await server.readMessages(app);
    expect(messages).toHaveLength(80);
    expect(messages.slice(0, 40)).toEqual(messages.slice(40));
  });

  it('refuse a length that only looks like a number, and store nothing of its body', async () => {
    const app = await server.createApp();
    const payload = logplexBody(['smuggled']);
    const whole = written(app, payload).toString('latin1');
    for (const length of [`${payload.length}\xa0`, `\xa0${payload.length}`, `+${payload.length}`, '0x5']) {
      const bytes = whole.replace(`Content-Length: ${payload.length}`, `Content-Length: ${length}`);
      const answer = await talk([Buffer.from(bytes, 'latin1')]);
      expect(statuses(answer), length).toEqual([400]);
    }
    for (const coding of ['chunked\xa0', '\xa0chunked', 'xchunked']) {
      const bytes = whole.replace(/Content-Length: \d+/, `Transfer-Encoding: ${coding}`);
      expect(statuses(await talk([Buffer.from(bytes, 'latin1')])), coding).toEqual([400]);
    }
    expect(await server.readMessages(app)).toEqual([]);
  });

  it('share the frame ids', async () => {
    const app = await server.createApp();
    const payload = logplexBody(numberedMessages(3, 'once'));
    const named = { 'logplex-frame-id': 'the-same' };
    for (const type of ['application/logplex-1', 'application/logplex-1; x=y', 'application/logplex-1'])
      expect((await postLogs(server, app.token, payload, { ...named, 'content-type': type })).status).toBe(
        204,
      );
    expect(await server.readMessages(app)).toHaveLength(3);
  });
});

describe('a connection', () => {
  it('with fast-path and other requests pipelined, however they are cut, has every response in order, and every line', async () => {
    let round = 0;
    const kinds = fc.constantFrom(
      'fast path',
      'named',
      'miscounted',
      'empty',
      'packed',
      'chunked',
      'text',
      'large',
      'other',
      'unknown',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(kinds, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(1_000_000), { maxLength: 12 }),
        fc.boolean(),
        async (chosen, places, patient) => {
          const app = await server.createApp();
          round++;
          const requests = chosen.map((kind, i) => request(app, kind, `${round} ${i}`));
          const last = request(app, 'last', `${round} last`);
          const all = [...requests, last];
          const answers = await (patient
            ? talkPatiently(all.map(({ bytes }) => cut(bytes, places.slice(0, 3))))
            : talk(cut(Buffer.concat(all.map(({ bytes }) => bytes)), places)));
          expect(statuses(answers)).toEqual(all.map(({ status }) => status));
          // Node's server begins a request before the one before is answered: one that is unpacked may be overtaken.
          const lines = await server.readMessages(app);
          expect([...lines].sort()).toEqual(all.flatMap(({ messages }) => messages).sort());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('can become a WebSocket after fast-path requests, and what comes over it is whole', async () => {
    const app = await server.createApp();
    const socket = await connectTcp(Number(new URL(server.url).port));
    let came = '';
    socket.on('data', (bytes: Buffer) => {
      came += bytes.toString('latin1');
    });
    for (const name of ['a', 'b', 'c']) {
      const { length } = statuses(came);
      socket.write(request(app, 'fast path', name).bytes);
      await until('the answer', () => statuses(came).length > length);
    }
    socket.write(
      [
        `GET /apps/${app.name}/tail?lines=9 HTTP/1.1`,
        'Host: localhost',
        `Authorization: Bearer ${server.key}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        '\r\n',
      ].join('\r\n'),
    );
    // Not the December 2026 of a header.
    await until('the lines', () => /[^e]c 2/.test(came));
    expect(statuses(came)).toEqual([204, 204, 204, 101]);
    // A masked close frame of a client (RFC 6455 section 5.5.1), in two pieces.
    const closed = once(socket, 'close');
    await send(socket, [Buffer.from([0x88, 0x82, 1, 2]), Buffer.from([3, 4, 0x03 ^ 1, 0xe8 ^ 2])]);
    await closed;
  });

  it('over which a request comes byte by byte gets its response, and so do the next ones', async () => {
    const app = await server.createApp();
    const first = request(app, 'fast path', 'a');
    const rest = [request(app, 'fast path', 'b'), request(app, 'last', 'c')];
    const pieces = [...first.bytes].map((byte) => Buffer.from([byte]));
    const answers = await talk([...pieces, ...rest.map(({ bytes }) => bytes)]);
    expect(statuses(answers)).toEqual([204, 204, 204]);
    expect(await server.readMessages(app)).toEqual([first, ...rest].flatMap(({ messages }) => messages));
  });

  it('whose head is doubtful is rejected by Node', async () => {
    const app = await server.createApp();
    const payload = logplexBody(['never']);
    const good = written(app, payload).toString('latin1');
    const cases: [title: string, bytes: string][] = [
      ['two lengths', good.replace('Content-Length:', 'Content-Length: 1\r\nContent-Length:')],
      ['a length and chunks', good.replace('Host:', 'Transfer-Encoding: chunked\r\nHost:')],
      ['a negative length', good.replace(/Content-Length: \d+/, 'Content-Length: -5')],
      ['a length with a plus', good.replace('Content-Length: ', 'Content-Length: +')],
      ['no host', good.replace('Host: localhost\r\n', '')],
      ['a space in front of a colon', good.replace('Content-Length:', 'Content-Length :')],
      ['a folded line', good.replace('Host: localhost', 'Host: localhost\r\n folded')],
      ['a line without a colon', good.replace('Host:', 'nothing\r\nHost:')],
      ['a control character', good.replace('localhost', 'local\x01host')],
      ['a line end of LF in the middle of a value', good.replace('localhost', 'local\nhost')],
      ['no such method', good.replace('POST', 'POTS')],
      ['no such version', good.replace('HTTP/1.1', 'HTTP/9.1')],
    ];
    for (const [title, bytes] of cases) {
      const answers = await talk([Buffer.from(bytes, 'latin1')]);
      expect(statuses(answers).at(0), title).toBe(400);
    }
    expect(await server.readMessages(app)).toEqual([]);
    expect((await postLogs(server, app.token, payload)).status).toBe(204);
  });

  it('that is half closed behind its request gets its response', async () => {
    const app = await server.createApp();
    const socket = await connectTcp(Number(new URL(server.url).port));
    const answered = text(socket);
    socket.end(request(app, 'fast path', 'a').bytes);
    expect(statuses(await answered)).toEqual([204]);
    const cutShort = await connectTcp(Number(new URL(server.url).port));
    const nothing = text(cutShort);
    cutShort.end(request(app, 'fast path', 'b').bytes.subarray(0, -3));
    expect(statuses(await nothing)).not.toContain(204);
    expect(await server.readMessages(app)).toEqual(request(app, 'fast path', 'a').messages);
  });

  it('that has just sent its first request doesn’t delay the server’s close', async () => {
    const ending = await startServerForTest();
    const app = await ending.createApp();
    const port = Number(new URL(ending.url).port);
    const sockets = await Promise.all(Array.from({ length: 50 }, () => connectTcp(port)));
    const answers = sockets.map((socket, i) => {
      socket.write(request(app, 'fast path', `${i}`).bytes);
      return text(socket).catch(() => '');
    });
    await Promise.race(answers.map((_, i) => once(sockets[i], 'data')));
    const startMs = performance.now();
    await ending.close();
    // Before the server loses its patience.
    expect(performance.now() - startMs).toBeLessThan(8_000 + ending.startTookMs);
    for (const answer of await Promise.all(answers)) expect([[], [204]]).toContainEqual(statuses(answer));
  });

  it('that waits for its next request doesn’t delay the server’s close', async () => {
    const ending = await startServerForTest();
    const app = await ending.createApp();
    const socket = await connectTcp(Number(new URL(ending.url).port));
    let answers = '';
    socket.on('data', (bytes) => {
      answers += bytes;
    });
    const closed = once(socket, 'close');
    socket.write(request(app, 'fast path', 'a').bytes);
    await until('the answer', () => statuses(answers).length === 1);
    expect(answers).toMatch(/\r\nDate: .* GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=\d+\r\n/);
    const startMs = performance.now();
    await ending.close();
    await closed;
    expect(performance.now() - startMs).toBeLessThan(8_000 + ending.startTookMs);
  });
});

/** One request of a kind, three lines, and what should come of it. */
function request(app: App, kind: string, name: string): Written {
  const messages = numberedMessages(3, name);
  const payload = logplexBody(messages);
  const taken = (bytes: Buffer): Written => ({ bytes, status: 204, messages });
  switch (kind) {
    case 'named':
      return taken(written(app, payload, { 'Logplex-Frame-Id': name, 'Logplex-Msg-Count': '3' }));
    case 'miscounted':
      return { bytes: written(app, payload, { 'Logplex-Msg-Count': '4' }), status: 400, messages: [] };
    case 'empty':
      return { bytes: written(app, Buffer.alloc(0)), status: 204, messages: [] };
    case 'packed':
      return taken(written(app, gzipSync(payload), { 'Content-Encoding': 'gzip' }));
    case 'chunked': {
      const chunk = Buffer.from(`${payload.length.toString(16)}\r\n${payload}\r\n0\r\n\r\n`);
      return taken(written(app, chunk, { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }));
    }
    case 'large': {
      // More than a batch holds, and than is read at a time.
      const long = numberedMessages(40, name).map((message) => message.padEnd(9_000, '.'));
      return { bytes: written(app, logplexBody(long)), status: 204, messages: long };
    }
    case 'text':
      return taken(written(app, Buffer.from(messages.join('\n')), { 'Content-Type': 'text/plain' }));
    case 'other':
      return {
        bytes: written(app, Buffer.alloc(0), {}, 'GET /healthcheck HTTP/1.1'),
        status: 200,
        messages: [],
      };
    case 'unknown': {
      const stranger = { ...app, token: 't.00000000-0000-4000-8000-000000000000' };
      return { bytes: written(stranger, payload), status: 401, messages: [] };
    }
    case 'last':
      return taken(written(app, payload, { Connection: 'close' }));
    default:
      return taken(written(app, payload));
  }
}
