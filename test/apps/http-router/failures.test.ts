import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { standStill } from '../../support/stand-still.ts';
import {
  getRequest,
  RawClient,
  requestThroughRouter,
  sendAndReadAll,
  startDyno,
  startFixedResponseDyno,
  startRawDyno,
  startTestRouter,
  statusOf,
  TestApp,
  upstreamUp,
} from './harness.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('when there is no dyno for the request', () => {
  async function without(set: (app: TestApp) => void, request = getRequest()) {
    const app = new TestApp();
    set(app);
    const router = await startTestRouter(app, { timeouts: { bootMs: 40 } });
    return { response: await sendAndReadAll(router.port, request), line: await app.waitForLine(1), app };
  }

  test('H10: every web dyno has crashed', async () => {
    const { response, line } = await without((app) => {
      app.dynos = [
        { name: 'web.1', port: 1, state: 'crashed' },
        { name: 'web.2', port: 1, state: 'crashed' },
      ];
    });
    expect(statusOf(response)).toBe(503);
    expect(line).toMatch(
      /^at=error code=H10 desc="App crashed" method=GET path="\/" host=myapp\.localhost request_id=[\da-f-]{36} fwd="127\.0\.0\.1" dyno= connect= service= status=503 bytes=0 protocol=http$/,
    );
  });

  test('H14: the desired quantity is 0', async () => {
    const { response, line } = await without((app) => {
      app.desiredCount = 0;
    });
    expect(statusOf(response)).toBe(503);
    expect(line).toContain('at=error code=H14 desc="No web processes running"');
  });

  test('H20: none is up in time', async () => {
    const { response, line, app } = await without((app) => {
      app.dynos = [{ name: 'web.1', port: 1, state: 'starting' }];
    });
    expect(statusOf(response)).toBe(503);
    expect(line).toContain('at=error code=H20 desc="App boot timeout"');
    expect(app.listenerCount).toBe(0);
  });

  test('H80: maintenance is no error', async () => {
    const { response, line } = await without((app) => {
      app.maintenance = true;
    });
    expect(statusOf(response)).toBe(503);
    expect(line).toContain('at=info code=H80 desc="Maintenance mode" method=GET');
  });

  test('H81: nothing was deployed yet, which is no error', async () => {
    const { response, line } = await without((app) => {
      app.isBlank = true;
    });
    expect(statusOf(response)).toBe(502);
    expect(line).toMatch(
      /^at=info code=H81 desc="Blank app" method=GET .* dyno= connect= service= status=502 bytes=0 /,
    );
  });

  test('H11: fifty requests wait for the dyno, the next is rejected', async () => {
    const app = new TestApp();
    app.dynos = [{ name: 'web.1', port: 1, state: 'starting' }];
    const router = await startTestRouter(app);
    const responses = Array.from({ length: 51 }, () => sendAndReadAll(router.port, getRequest()));
    expect(await app.waitForLine(1)).toContain('at=error code=H11 desc="Backlog too deep"');
    app.setDynos([upstreamUp(await startDyno((_request, response) => response.end('ok')))]);
    const statuses = (await Promise.all(responses)).map(statusOf).sort();
    expect(statuses).toEqual([...new Array<number>(50).fill(200), 503]);
  });

  test('a request that waits is served as soon as a dyno is up', async () => {
    const app = new TestApp();
    app.dynos = [{ name: 'web.1', port: 1, state: 'starting' }];
    const router = await startTestRouter(app);
    const response = sendAndReadAll(router.port, getRequest());
    await app.requestWaiting();
    app.setDynos([{ name: 'web.1', port: 1, state: 'starting' }]);
    app.setDynos([upstreamUp(await startDyno((_request, reply) => reply.end('ok')))]);
    expect(await response).toContain('\r\n\r\nok');
    expect(app.listenerCount).toBe(0);
  });

  test('a request that waits gets H80 when maintenance begins', async () => {
    const app = new TestApp();
    app.dynos = [{ name: 'web.1', port: 1, state: 'starting' }];
    const router = await startTestRouter(app);
    const response = sendAndReadAll(router.port, getRequest());
    await app.requestWaiting();
    app.maintenance = true;
    app.setDynos(app.dynos);
    expect(statusOf(await response)).toBe(503);
    expect(app.lines[0]).toContain('code=H80');
  });

  test('a request that waits fails when the dyno crashes instead', async () => {
    const app = new TestApp();
    app.dynos = [{ name: 'web.1', port: 1, state: 'starting' }];
    const router = await startTestRouter(app);
    const response = sendAndReadAll(router.port, getRequest());
    await app.requestWaiting();
    app.setDynos([{ name: 'web.1', port: 1, state: 'crashed' }]);
    expect(statusOf(await response)).toBe(503);
    expect(app.lines[0]).toContain('code=H10');
  });
});

describe('when the dyno fails', () => {
  test('H12: no first byte in time', async () => {
    const { response, line } = await requestThroughRouter(await startRawDyno(() => {}), { firstByteMs: 40 });
    expect(statusOf(response)).toBe(503);
    expect(line).toMatch(
      /^at=error code=H12 desc="Request timeout" method=GET path="\/" .* dyno=web\.1 connect=\d+ms service=\d+ms status=503 bytes=0 protocol=http$/,
    );
  });

  test('H13: it closes the connection without a response', async () => {
    const { response, line } = await requestThroughRouter(await startFixedResponseDyno('', true));
    expect(statusOf(response)).toBe(503);
    expect(line).toContain('at=error code=H13 desc="Connection closed without response"');
  });

  test('H13: it closes the connection in the middle of the headers', async () => {
    const { line } = await requestThroughRouter(
      await startFixedResponseDyno('HTTP/1.1 200 OK\r\nContent-Le', true),
    );
    expect(line).toContain('code=H13');
  });

  test('H15: it stalls in the middle of the body', async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
    const { response, line } = await requestThroughRouter(await startFixedResponseDyno(half), { idleMs: 40 });
    expect(response).toMatch(/half$/);
    expect(line).toContain('at=error code=H15 desc="Idle connection"');
    expect(line).toContain('status=503 bytes=4 ');
  });

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['an invalid status', 'HTTP/1.1 abc\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
    ['a line feed inside a header', 'HTTP/1.1 200 OK\r\nX-A: b\nX-C: d\r\n\r\n'],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['an upgrade that was not requested', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ])('H17: it responds with %s', async (_what, bytes) => {
    const { response, line } = await requestThroughRouter(await startFixedResponseDyno(bytes));
    expect(statusOf(response)).toBe(503);
    expect(line).toContain('at=error code=H17 desc="Poorly formatted HTTP response"');
  });

  test('H18: it closes the connection during its response, and the client can tell', async () => {
    const half = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';
    const { response, line } = await requestThroughRouter(await startFixedResponseDyno(half, true));
    expect(response).not.toContain('\r\n0\r\n');
    expect(line).toMatch(/^sock=backend at=error code=H18 desc="Server Request Interrupted" method=GET/);
    expect(line).toContain('status=503 bytes=4 ');
  });

  test('H19: it does not take connections', async () => {
    const port = await startDeafDyno();
    const { response, line } = await requestThroughRouter(port, { connectMs: 60 });
    expect(statusOf(response)).toBe(503);
    expect(line).toMatch(/^at=error code=H19 desc="Backend connection timeout" .* connect=\d+ms service= /);
  });

  test('H21: it refuses connections', async () => {
    const { response, line } = await requestThroughRouter(await freePort());
    expect(statusOf(response)).toBe(503);
    expect(line).toMatch(
      /^at=error code=H21 desc="Backend connection refused" .* dyno=web\.1 connect=\d+ms service= /,
    );
  });

  test.each([
    ['invalid content length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['invalid content length', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['oversized cookie', `HTTP/1.1 200 OK\r\nSet-Cookie: ${'x'.repeat(8200)}\r\n\r\n`],
    ['oversized header', `HTTP/1.1 200 OK\r\nX-Big: ${'x'.repeat(8200)}\r\n\r\n`],
    ['oversized header', `HTTP/1.1 200 OK\r\n${`X-Big: ${'x'.repeat(2000)}\r\n`.repeat(50)}`],
    ['too many headers', `HTTP/1.1 200 OK\r\n${'X-Many: yes\r\n'.repeat(129)}\r\n`],
    ['oversized status line', `HTTP/1.1 200 ${'x'.repeat(8200)}\r\n\r\n`],
  ])('H25: %s', async (what, bytes) => {
    const { response, line } = await requestThroughRouter(await startFixedResponseDyno(bytes));
    expect(statusOf(response)).toBe(502);
    expect(line).toContain(`at=error code=H25 desc="HTTP restriction: ${what}" method=GET`);
  });
});

describe('when the client fails', () => {
  const host = 'Host: myapp.localhost\r\n';
  test.each([
    [400, 'bad header', `GET / HTTP/1.1\r\n${host}nonsense\r\n\r\n`],
    [400, 'bad header', `GET / HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
    [400, 'bad header', `POST / HTTP/1.1\r\n${host}Content-Length: +1\r\n\r\nx`],
    [400, 'bad header', `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`],
    [400, 'bad header', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n`],
    [400, 'bad header', `GET / HTTP/1.1\r\n${host}X-A : b\r\n\r\n`],
    [400, 'bad request line', `GET  / HTTP/1.1\r\n${host}\r\n`],
    [400, 'bad request line', `GET / HTTP/2.0\r\n${host}\r\n`],
    [405, 'unsupported method', `CONNECT example.com:443 HTTP/1.1\r\n${host}\r\n`],
    [405, 'unsupported method', `CONNECT / HTTP/1.1\r\n${host}\r\n`],
    [405, 'unsupported method', `TRACE / HTTP/1.1\r\n${host}\r\n`],
    [400, 'bad chunk', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    [417, 'unsupported expect header value', `POST / HTTP/1.1\r\n${host}Expect: wonders\r\n\r\n`],
    [414, 'oversized request line', `GET /${'x'.repeat(8200)} HTTP/1.1\r\n${host}\r\n`],
    [431, 'oversized header', `GET / HTTP/1.1\r\n${host}X-Big: ${'x'.repeat(8200)}\r\n\r\n`],
    [431, 'oversized header', `GET / HTTP/1.1\r\n${host}${`X-Big: ${'x'.repeat(2000)}\r\n`.repeat(50)}`],
    [431, 'too many headers', `GET / HTTP/1.1\r\n${host}${'X-Many: yes\r\n'.repeat(128)}\r\n`],
  ])('H26: %i %s', async (status, cause, request) => {
    const port = await startFixedResponseDyno(OK);
    const { response, line } = await requestThroughRouter(port, {}, request);
    expect(statusOf(response)).toBe(status);
    expect(line).toContain(`at=error code=H26 desc="Request Error" cause="${cause}" method=`);
    expect(line).toContain(`status=${status} bytes=0 `);
  });

  test('H27: it closes the connection while the dyno works', async () => {
    const app = new TestApp();
    const client: { current?: RawClient } = {};
    app.dynos = [
      upstreamUp(await startRawDyno((socket) => socket.on('data', () => client.current?.socket.end()))),
    ];
    const router = await startTestRouter(app);
    client.current = new RawClient(router.port);
    client.current.send(getRequest());
    expect(await app.waitForLine(1)).toMatch(
      /^sock=client at=warning code=H27 desc="Client Request Interrupted" method=GET .* dyno=web\.1 .* status=499 bytes=0 protocol=http$/,
    );
  });

  test('H27: it closes the connection while it waits for a dyno', async () => {
    const app = new TestApp();
    app.dynos = [{ name: 'web.1', port: 1, state: 'starting' }];
    const router = await startTestRouter(app);
    const client = new RawClient(router.port);
    client.send(getRequest());
    await app.requestWaiting();
    client.socket.destroy();
    expect(await app.waitForLine(1)).toContain('code=H27');
    expect(app.listenerCount).toBe(0);
  });

  test('H28: it stalls in the middle of the body', async () => {
    const request = `POST / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhalf`;
    const { line } = await requestThroughRouter(await startRawDyno(() => {}), { idleMs: 40 }, request);
    expect(line).toMatch(/^sock=client at=warning code=H28 desc="Client Connection Idle" method=POST/);
  });

  test('a request that came while the router stood still is served, on a connection that was idle for too long', async () => {
    const app = new TestApp();
    app.dynos = [upstreamUp(await startFixedResponseDyno(OK))];
    const router = await startTestRouter(app, { timeouts: { keepAliveMs: 40 } });
    const client = new RawClient(router.port);
    client.send(`GET / HTTP/1.1\r\n${host}\r\n`);
    await client.waitForText('200 OK');
    client.send(`GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
    standStill(80);
    expect((await client.readToEnd()).match(/200 OK/g)).toHaveLength(2);
  });

  test('a head that never ends gets 408', async () => {
    const app = new TestApp();
    const router = await startTestRouter(app, { timeouts: { headMs: 40 } });
    expect(statusOf(await sendAndReadAll(router.port, 'GET / HTTP/1.1\r\nHost: my'))).toBe(408);
    expect(app.lines).toEqual([]);
  });
});

/** A process that listens but never accepts, with its backlog full: further connections get no response. */
async function startDeafDyno(): Promise<number> {
  const script = `const s=require('net').createServer().listen(0,'127.0.0.1',1,()=>{
    require('fs').writeSync(1,s.address().port+'\\n');Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0)})`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const port = await new Promise<number>((resolve) =>
    child.stdout.once('data', (text) => resolve(Number(text))),
  );
  for (let filler = 0; filler < 4; filler++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    onTestFinished(() => void socket.destroy());
  }
  return port;
}
