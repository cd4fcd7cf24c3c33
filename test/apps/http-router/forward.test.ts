import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import {
  getRequest,
  RawClient,
  readAll,
  sendAndReadAll,
  startDyno,
  startFixedResponseDyno,
  startRawDyno,
  startTestRouter,
  statusOf,
  TestApp,
  upstreamUp,
} from './harness.ts';

const HOST = 'Host: myapp.localhost\r\n';

/** An HTTP router in front of a dyno that responds with what it got, as JSON. */
async function echo() {
  const app = new TestApp();
  const port = await startDyno(async (incoming, response) => {
    const body = (await readAll(incoming)).toString();
    const { method, url, headers, rawHeaders } = incoming;
    response.end(JSON.stringify({ method, url, headers, rawHeaders, body }));
  });
  app.dynos = [upstreamUp(port)];
  const router = await startTestRouter(app);
  return { app, router };
}

type Echo = {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  body: string;
};

function echoed(response: string): Echo {
  return JSON.parse(response.slice(response.indexOf('{'), response.lastIndexOf('}') + 1));
}

/** An HTTP router in front of a dyno that responds with exactly these bytes. */
async function canned(response: string, thenClose = false) {
  const app = new TestApp();
  app.dynos = [upstreamUp(await startFixedResponseDyno(response, thenClose))];
  const router = await startTestRouter(app);
  return { app, router };
}

test('a request gets the headers of a platform, and a log line', async () => {
  const { app, router } = await echo();
  const startedMs = Date.now();
  const response = await sendAndReadAll(router.port, getRequest('/a?b=c'));
  const { method, url, headers } = echoed(response);
  expect([method, url, headers.host]).toEqual(['GET', '/a?b=c', 'myapp.localhost']);
  expect(headers['x-forwarded-for']).toBe('127.0.0.1');
  expect(headers['x-forwarded-proto']).toBe('http');
  expect(headers['x-forwarded-port']).toBe(String(router.port));
  expect(headers.via).toBe('1.1 tailrace');
  expect(Number(headers['x-request-start'])).toBeGreaterThanOrEqual(startedMs);
  expect(response).toContain('\r\nVia: 1.1 tailrace\r\n');
  const bytes = response.length - response.indexOf('\r\n\r\n') - 4;
  expect(await app.waitForLine(1)).toMatch(
    new RegExp(
      `^at=info method=GET path="/a\\?b=c" host=myapp\\.localhost request_id=${headers['x-request-id']} fwd="127\\.0\\.0\\.1" dyno=web\\.1 connect=\\d+ms service=\\d+ms status=200 bytes=${bytes} protocol=http$`,
    ),
  );
});

test('X-Forwarded-For is appended to, all else the client claims is replaced', async () => {
  const { app, router } = await echo();
  const claims =
    'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-Port: 1\r\nX-Request-Start: 1\r\nProxy: evil\r\n';
  const { headers } = echoed(await sendAndReadAll(router.port, getRequest('/', claims)));
  expect(headers['x-forwarded-for']).toBe('1.2.3.4, 5.6.7.8, 127.0.0.1');
  expect(headers['x-forwarded-proto']).toBe('http');
  expect(headers['x-forwarded-port']).toBe(String(router.port));
  expect(headers['x-request-start']).not.toBe('1');
  expect(headers).not.toHaveProperty('x_forwarded_for');
  expect(headers).not.toHaveProperty('proxy');
  expect(app.lines[0]).toContain('fwd="1.2.3.4, 5.6.7.8, 127.0.0.1"');
});

test('a valid request id is kept, another replaced', async () => {
  const { app, router } = await echo();
  const own = 'a'.repeat(20);
  const kept = echoed(await sendAndReadAll(router.port, getRequest('/', `X-Request-Id: ${own}\r\n`)));
  expect(kept.headers['x-request-id']).toBe(own);
  expect(app.lines[0]).toContain(`request_id=${own} `);
  for (const bad of ['short', 'b'.repeat(201), `${'c'.repeat(20)} status=200`, `${'d'.repeat(20)}"`]) {
    const { headers } = echoed(
      await sendAndReadAll(router.port, getRequest('/', `X-Request-Id: ${bad}\r\n`)),
    );
    expect(headers['x-request-id']).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
  }
});

test('headers keep their order and spelling, hop-by-hop headers are dropped', async () => {
  const { router } = await echo();
  const headers =
    'X-ONE: 1\r\nKeep-Alive: timeout=5\r\nx-Two: 2\r\nTE: trailers\r\nX-Secret: 1\r\nConnection: x-secret, Host\r\nX-Three:  3 \r\n';
  const { rawHeaders } = echoed(await sendAndReadAll(router.port, getRequest('/', headers)));
  const names = rawHeaders.filter((_name, index) => index % 2 === 0);
  expect(names.slice(0, 4)).toEqual(['Host', 'X-ONE', 'x-Two', 'X-Three']);
  for (const gone of ['Keep-Alive', 'TE', 'X-Secret', 'Connection']) expect(names).not.toContain(gone);
});

test('connections are kept alive on both sides', async () => {
  const app = new TestApp();
  const seen = new Set<number | undefined>();
  const dyno = await startDyno((incoming, response) => {
    seen.add(incoming.socket.remotePort);
    response.end('ok');
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const own = new Set<number | undefined>();
  for (let count = 0; count < 5; count++) {
    await new Promise<void>((resolve, reject) => {
      const sent = request({ agent, port: router.port, host: '127.0.0.1' }, (response) => {
        own.add(response.socket.localPort);
        response.resume().on('end', resolve);
      });
      sent.on('error', reject).end();
    });
  }
  agent.destroy();
  expect([own.size, seen.size]).toEqual([1, 1]);
  expect(app.lines[4]).toContain('connect=0ms');
});

test('pipelined requests get their responses in order', async () => {
  const { router } = await echo();
  const one = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`;
  const post = `POST /2 HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`;
  const response = await sendAndReadAll(router.port, one('/1') + post + one('/3') + getRequest('/4'));
  expect([...response.matchAll(/"url":"\/(\d)"/g)].map((found) => found[1])).toEqual(['1', '2', '3', '4']);
});

test('a connection with pipelined requests is still read afterwards', async () => {
  const { router } = await echo();
  const client = new RawClient(router.port);
  client.send(`GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`);
  await client.waitForText('/2');
  client.send(`GET /3 HTTP/1.1\r\n${HOST}\r\n`);
  await client.waitForText('/3');
  client.send(getRequest('/4'));
  expect(await client.readToEnd()).toContain('/4');
});

test('thousands of requests that came together and are answered at once begin one after the other, each in a turn of its own', async () => {
  const { router } = await echo();
  const count = 2_000;
  const client = connect(router.port, '127.0.0.1');
  onTestFinished(() => {
    client.destroy();
  });
  let answered = 0;
  let most = 0;
  const all = new Promise<void>((resolve) => {
    client.on('data', (chunk: Buffer) => {
      const answers = chunk.toString('latin1').split('HTTP/1.1 404').length - 1;
      answered += answers;
      most = Math.max(most, answers);
      if (answered === count) resolve();
    });
  });
  client.write('GET / HTTP/1.1\r\nHost: none.example\r\n\r\n'.repeat(count));
  await all;
  // What was answered in a turn of the event loop, or two, comes together.
  expect(most).toBeLessThan(20);
});

test('a request may arrive byte by byte', async () => {
  const { router } = await echo();
  const client = new RawClient(router.port);
  const chunked = 'POST / HTTP/1.1\r\nHost: myapp.localhost\r\nTransfer-Encoding: chunked\r\n';
  const request = `${chunked}Connection: close\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n`;
  for (const byte of request) client.send(byte);
  expect(echoed(await client.readToEnd()).body).toBe('hello');
});

test('a response may arrive byte by byte', async () => {
  const app = new TestApp();
  const response = 'HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
  const dyno = await startRawDyno((socket) => {
    socket.setNoDelay(true);
    socket.on('data', () => {
      for (const byte of response) socket.write(byte);
    });
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  const received = await sendAndReadAll(router.port, getRequest());
  expect(received).toMatch(/^HTTP\/1\.1 200 Fine\r\n/);
  expect(received).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
  expect(app.lines[0]).toContain('status=200 bytes=5 ');
});

test('an HTTP/1.0 client gets neither chunks nor 100 Continue', async () => {
  const chunks = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const { app, router } = await canned(`${chunks}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`);
  const received = await sendAndReadAll(router.port, 'GET / HTTP/1.0\r\n\r\n');
  expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n/);
  expect(received).toMatch(/\r\n\r\nhello world$/);
  expect(app.lines[0]).toContain('status=200 bytes=11 ');
});

test('an HTTP/1.0 client can keep its connection if the length is known', async () => {
  const { router } = await canned('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const again = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
  const received = await sendAndReadAll(router.port, `${again}GET / HTTP/1.0\r\n\r\n`);
  expect(received.match(/Connection: keep-alive/g)).toHaveLength(1);
  expect(received.match(/ok/g)).toHaveLength(2);
});

test('a response without a length ends with the connection', async () => {
  const { app, router } = await canned('HTTP/1.0 200 OK\r\n\r\nuntil the end', true);
  const received = await sendAndReadAll(router.port, `GET / HTTP/1.1\r\n${HOST}\r\n`);
  expect(received).toMatch(/\r\nConnection: close\r\n.*\r\n\r\nuntil the end$/s);
  expect(app.lines[0]).toContain('at=info');
});

test.each([
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'],
  ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n'],
])('a response to %s that has no body ends with its head: %j', async (method, response) => {
  const { app, router } = await canned(response);
  const received = await sendAndReadAll(router.port, getRequest().replace('GET', method));
  expect(received).toMatch(/\r\n\r\n$/);
  if (response.includes('1000')) expect(received).toContain('Content-Length: 1000');
  expect(app.lines[0]).toContain('at=info');
  expect(app.lines[0]).toContain('bytes=0');
});

test('Expect: 100-continue: the client sends its body when the dyno asks for it', async () => {
  const { router } = await echo();
  const client = new RawClient(router.port);
  client.send(
    `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n`,
  );
  await client.waitForText('HTTP/1.1 100 Continue\r\n');
  client.send('hello');
  expect(echoed(await client.readToEnd()).body).toBe('hello');
});

test('early hints are relayed', async () => {
  const { router } = await canned(
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  );
  expect(await sendAndReadAll(router.port, getRequest())).toMatch(
    /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>\r\n.*204/s,
  );
});

test('a response before the end of the request is relayed, and the rest of the request is discarded', async () => {
  const { app, router } = await canned('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
  const client = new RawClient(router.port);
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 1000000\r\n\r\n`);
  await client.waitForText('\r\n\r\nno');
  client.send('x'.repeat(1_000_000));
  client.socket.end();
  expect(statusOf(await client.readToEnd())).toBe(413);
  expect(app.lines[0]).toContain('status=413');
});

test('bytes over 127 in headers are relayed unchanged', async () => {
  const { router } = await canned('HTTP/1.1 200 \xfc\r\nX-Name: \xe9\xff\r\nContent-Length: 1\r\n\r\n\xfe');
  const received = await sendAndReadAll(router.port, getRequest());
  expect(received).toContain('200 \xfc\r\nX-Name: \xe9\xff\r\n');
  expect(received).toMatch(/\xfe$/);
});

test('an absolute target names the host', async () => {
  const { router } = await echo();
  const request = 'GET http://myapp.localhost/a HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n';
  const { url, headers } = echoed(await sendAndReadAll(router.port, request));
  expect([url, headers.host]).toEqual(['/a', 'myapp.localhost']);
});

test('an app gets its cookies, and not those that sign browsers in to this server', async () => {
  const { router } = await echo();
  const cookieOf = async (...lines: string[]): Promise<unknown> => {
    const head = `GET / HTTP/1.1\r\n${HOST}${lines.map((line) => `${line}\r\n`).join('')}Connection: close\r\n\r\n`;
    return echoed(await sendAndReadAll(router.port, head)).headers.cookie;
  };
  expect(await cookieOf('Cookie: a=1;b=2')).toBe('a=1;b=2');
  expect(await cookieOf('Cookie: a=1; tailrace_session=secret; b=tailrace')).toBe('a=1; b=tailrace');
  expect(
    await cookieOf('cookie:tailrace_page=secret;tailrace_session=secret; tailrace_oidc=secret'),
  ).toBeUndefined();
  expect(await cookieOf('Cookie: tailrace_session=secret', 'Cookie: not_tailrace_session=2')).toBe(
    'not_tailrace_session=2',
  );
});
