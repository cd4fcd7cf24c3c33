/** What dynos and clients get of heads that are in order, but not to be passed on as they are. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { type SeenRequest, seenRequests, startNodePeer } from '../../support/http/peers.ts';
import { missing, Program } from '../../support/program.ts';
import { until } from '../../support/until.ts';
import {
  getRequest,
  RawClient,
  sendAndReadAll,
  startDyno,
  startDynoServer,
  startRawDyno,
  startTestRouter,
  statusOf,
  TestApp,
  upstreamUp,
} from './harness.ts';

const HOST = 'Host: myapp.localhost\r\n';

/** A router in front of a dyno that tells what it was asked. */
async function startTelling(): Promise<(request: string) => Promise<SeenRequest>> {
  const peer = await startNodePeer();
  onTestFinished(() => peer.close());
  const app = new TestApp();
  app.dynos = [upstreamUp(peer.port)];
  const router = await startTestRouter(app);
  return async (request) => {
    const [seen] = seenRequests(await sendAndReadAll(router.port, request));
    return seen;
  };
}

/** The values of a header, in their order. */
function valuesOf({ rawHeaders }: SeenRequest, name: string): string[] {
  return rawHeaders.filter((_value, i) => i % 2 === 1 && rawHeaders[i - 1].toLowerCase() === name);
}

const namesOf = ({ rawHeaders }: SeenRequest): string[] =>
  rawHeaders.filter((_name, i) => i % 2 === 0).map((name) => name.toLowerCase());

const DISGUISES = [
  'X_Forwarded_For',
  'X_Forwarded-For',
  'X-Forwarded_For',
  'x_forwarded_for',
  'X.Forwarded.For',
  'X-Forwarded~For',
  'X_Forwarded-Proto',
  'X-Forwarded_Proto',
  'X_FORWARDED_PROTO',
  'X_Forwarded_Port',
  'X_Forwarded_Host',
  'X-Request_Id',
  'X_Request-Start',
  'Content_Length',
  'Transfer_Encoding',
  'Proxy_Authorization',
  'Keep_Alive',
];

test('no name that a server could take for one of the router’s fields reaches a dyno', async () => {
  const ask = await startTelling();
  const fields = DISGUISES.map((name) => `${name}: 6.6.6.6\r\n`).join('');
  const seen = await ask(getRequest('/', `api_key: mine\r\nX_Custom.Name: too\r\n${fields}`));
  for (const name of DISGUISES) expect(namesOf(seen)).not.toContain(name.toLowerCase());
  expect([valuesOf(seen, 'api_key'), valuesOf(seen, 'x_custom.name')]).toEqual([['mine'], ['too']]);
  expect(valuesOf(seen, 'x-forwarded-for')).toEqual(['127.0.0.1']);
  expect(valuesOf(seen, 'x-forwarded-proto')).toEqual(['http']);
});

const WSGI = `
import json, sys
from wsgiref.simple_server import make_server, WSGIRequestHandler
class Quiet(WSGIRequestHandler):
    def log_message(self, *args): pass
def app(environ, start):
    body = json.dumps({k: v for k, v in environ.items() if isinstance(v, str) and (k.startswith('HTTP_') or k.startswith('CONTENT_'))}).encode()
    start('200 OK', [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))])
    return [body]
server = make_server('127.0.0.1', int(sys.argv[1]), app, handler_class=Quiet)
print('listening', flush=True)
server.serve_forever()
`;

test.skipIf(missing('python3'))(
  'a WSGI app gets the router’s values, whatever the client sends',
  async () => {
    const port = await freePort();
    const program = new Program('python3', ['-c', WSGI, String(port)]);
    onTestFinished(async () => void (await program.stop('SIGKILL')));
    await program.waitForOutput(/listening/);
    const app = new TestApp();
    app.dynos = [upstreamUp(port)];
    const router = await startTestRouter(app);
    const plain = 'X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Request-Start: 1\r\n';
    for (const fields of [DISGUISES.map((name) => `${name}: 6.6.6.6\r\n`).join(''), plain]) {
      const response = await sendAndReadAll(router.port, getRequest('/', fields));
      const environ = JSON.parse(response.slice(response.indexOf('\r\n\r\n') + 4));
      expect(environ).toMatchObject({
        HTTP_X_FORWARDED_FOR: '127.0.0.1',
        HTTP_X_FORWARDED_PROTO: 'http',
        HTTP_X_FORWARDED_PORT: String(router.port),
        HTTP_X_REQUEST_START: expect.stringMatching(/^\d{13}$/),
      });
      expect(environ).not.toHaveProperty('HTTP_CONTENT_LENGTH');
      expect(environ).not.toHaveProperty('HTTP_TRANSFER_ENCODING');
    }
  },
);

test('a Connection header takes nothing away that the router adds or relies on', async () => {
  const ask = await startTelling();
  const named =
    'X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Port, X-Request-Id, X-Request-Start, Via, Host, Content-Length, X-Mine';
  const seen = await ask(
    `POST / HTTP/1.1\r\n${HOST}X-Forwarded-For: 1.2.3.4\r\nX-Mine: 1\r\nConnection: close, ${named}\r\nContent-Length: 5\r\n\r\nhello`,
  );
  expect(valuesOf(seen, 'x-forwarded-for')).toEqual(['1.2.3.4, 127.0.0.1']);
  expect(valuesOf(seen, 'x-forwarded-proto')).toEqual(['http']);
  expect(namesOf(seen)).toEqual(expect.arrayContaining(['host', 'x-request-id', 'x-request-start', 'via']));
  expect(namesOf(seen)).not.toContain('x-mine');
  expect(seen.body).toBe('hello');
});

test.each([
  ['Content-Length:\t5 \t\r\n', 'hello', 'content-length', '5'],
  ['content-length: 005\r\n', 'hello', 'content-length', '5'],
  ['Content-Length:5\r\n', 'hello', 'content-length', '5'],
  ['Transfer-Encoding: \tCHUNKED\t\r\n', '5\r\nhello\r\n0\r\n\r\n', 'transfer-encoding', 'chunked'],
])('a dyno reads a length or coding as the router understood it: %j', async (field, body, name, value) => {
  const ask = await startTelling();
  const seen = await ask(`POST / HTTP/1.1\r\n${HOST}${field}Connection: close\r\n\r\n${body}`);
  expect(valuesOf(seen, name)).toEqual([value]);
  expect(seen.body).toBe('hello');
});

test('trailers that are in order reach the dyno', async () => {
  const ask = await startTelling();
  const chunks = '5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Empty:\r\n\r\n';
  const seen = await ask(
    `POST / HTTP/1.1\r\n${HOST}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
  );
  expect(seen.rawTrailers).toEqual(['X-Sum', '1', 'X-Empty', '']);
});

test.each([
  ['websocket', 'websocket'],
  ['h2c, websocket', 'websocket'],
  ['websocket,h2c', 'websocket'],
  ['websocket\r\nUpgrade: h2c', 'websocket'],
  ['h2c\r\nUpgrade: a, websocket', 'a, websocket'],
  ['spdy/3.1', 'spdy/3.1'],
  ['h2c', undefined],
  ['H2C', undefined],
  ['h2', undefined],
  [' \th2c \t', undefined],
  ['h2c,', undefined],
  ['h2c,,HTTP/2.0', undefined],
  ['HTTP/2.0', undefined],
  ['h2c/1', undefined],
  ['TLS/1.2, HTTP/1.1', undefined],
  ['h2c\xa0', undefined],
  ['web socket', undefined],
  ['', undefined],
])('of Upgrade: %j a dyno is offered %j', async (value, offered) => {
  const app = new TestApp();
  const got: (string | undefined)[] = [];
  const dyno = await startDynoServer((incoming, response) => {
    got.push(incoming.headers.upgrade);
    response.end('ok');
  });
  dyno.on('upgrade', (incoming, socket) => {
    got.push(incoming.headers.upgrade);
    socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n');
  });
  const address = dyno.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  app.dynos = [upstreamUp(address.port)];
  const router = await startTestRouter(app);
  const fields = `Upgrade: ${value}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n`;
  await sendAndReadAll(
    router.port,
    `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade, close, HTTP2-Settings\r\n${fields}\r\n`,
  );
  expect(got).toEqual([offered]);
});

test.each([
  ['x', 'x', 101],
  ['a, X', 'x', 101],
  ['x', 'h2c', 503],
  ['h2c, x', 'h2c', 503],
  ['h2c, x', 'x, h2c', 503],
  ['x', '', 503],
])('to a client that offers %j a dyno’s switch to %j is %i', async (offer, chosen, status) => {
  const app = new TestApp();
  const upgrade = chosen === '' ? '' : `Upgrade: ${chosen}\r\n`;
  const port = await startRawDyno((socket) =>
    socket.on('data', () =>
      socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n${upgrade}\r\n`),
    ),
  );
  app.dynos = [upstreamUp(port)];
  const router = await startTestRouter(app);
  const response = await sendAndReadAll(
    router.port,
    `GET / HTTP/1.1\r\n${HOST}Connection: upgrade, close\r\nUpgrade: ${offer}\r\n\r\n`,
  );
  expect(statusOf(response)).toBe(status);
  if (status === 503) expect(await app.waitForLine(1)).toContain('code=H17');
});

test('405 says what is allowed', async () => {
  const app = new TestApp();
  const router = await startTestRouter(app);
  const response = await sendAndReadAll(router.port, `CONNECT / HTTP/1.1\r\n${HOST}\r\n`);
  expect(response).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n.*\r\nAllow: GET, HEAD, POST,.*\r\n/s);
});

test.each([
  'GET / HTTP/1.1\nHost',
  'GET / HTTP/1.1\r\nHost: myapp.localhost\nX-A',
  'GET / HTTP/1.1\r\nX-A: \x00',
  'GET /\r\n',
  'HELO mail.example\r\n',
  '<13>1 - - - - - hello',
  'get / HTTP/1.1',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'GET / HTTP/1.1\r\nHost: myapp.localhost\r\rX',
])('what can’t become a request any more is refused without waiting for the rest: %j', async (bytes) => {
  const app = new TestApp();
  const timeouts = { headMs: 600_000 };
  const router = await startTestRouter(app, { timeouts });
  const whole = new RawClient(router.port);
  whole.send(bytes);
  expect(statusOf(await whole.readToEnd())).toBe(400);
  const slow = new RawClient(router.port);
  for (const byte of bytes) {
    slow.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(statusOf(await slow.readToEnd())).toBe(400);
});

test.each([
  ['204 with a length', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'],
  ['204 with chunks', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n'],
  [
    'chunks in HTTP/1.0',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n',
  ],
])(
  'a dyno’s connection isn’t used again behind %s: what comes later is no response',
  async (_what, response) => {
    const app = new TestApp();
    const sockets: Socket[] = [];
    const port = await startRawDyno((socket) => {
      sockets.push(socket);
      socket.on('data', () => socket.write(response, 'latin1'));
    });
    app.dynos = [upstreamUp(port)];
    const router = await startTestRouter(app);
    const client = new RawClient(router.port);
    for (let i = 1; i <= 3; i++) {
      client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
      await app.waitForLine(i);
    }
    expect(sockets).toHaveLength(3);
  },
);

test('interim responses that a client doesn’t read hold the dyno up, and fill no memory', async () => {
  const app = new TestApp();
  const piece = Buffer.from(
    'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n'.repeat(10_000),
  );
  const PIECES = 400;
  let accepted = 0;
  const port = await startRawDyno((socket) => {
    const more = (): void => {
      while (accepted < PIECES) {
        accepted++;
        if (!socket.write(piece)) return;
      }
    };
    socket.on('drain', more);
    socket.once('data', more);
  });
  app.dynos = [upstreamUp(port)];
  const router = await startTestRouter(app);
  const client = new RawClient(router.port);
  client.socket.pause();
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  let before = -1;
  let unchanged = 0;
  await until('the dyno waits', () => {
    unchanged = accepted === before && accepted > 0 ? unchanged + 1 : 0;
    before = accepted;
    return unchanged > 30;
  });
  expect(accepted).toBeLessThan(PIECES / 4);
  client.socket.destroy();
  await once(client.socket, 'close');
});

test('a chunked body with a bad trailer is refused before and behind its content', async () => {
  const app = new TestApp();
  app.dynos = [
    upstreamUp(
      await startDyno((incoming, response) => {
        incoming.resume().on('end', () => response.end('ok'));
        incoming.on('error', () => {});
      }),
    ),
  ];
  const router = await startTestRouter(app);
  const head = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
  for (const trailer of ['Xyz', 'Content-Length: 5', 'X_Forwarded-For: 6.6.6.6', 'Host: other']) {
    const whole = `5\r\nhello\r\n0\r\n${trailer}\r\n\r\n`;
    expect(statusOf(await sendAndReadAll(router.port, head + whole)), trailer).toBe(400);
    const client = new RawClient(router.port);
    for (const byte of head + whole) client.send(byte);
    expect(statusOf(await client.readToEnd()), trailer).toBe(400);
  }
  for (const line of app.lines) expect(line).toContain('cause="bad chunk"');
});
