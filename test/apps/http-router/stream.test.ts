import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  getRequest,
  portOf,
  RawClient,
  sendAndReadAll,
  startDyno,
  startDynoServer,
  startRawDyno,
  startTestRouter,
  TestApp,
  upstreamUp,
} from './harness.ts';

const HOST = 'Host: myapp.localhost\r\n';
const MIB = 1_048_576;

test('server-sent events are relayed one by one, without buffering', async () => {
  const app = new TestApp();
  const sent: { next?: (text: string) => void } = {};
  const dyno = await startDyno((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    sent.next = (text) => response.write(`data: ${text}\n\n`);
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  const client = new RawClient(router.port);
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  await client.waitForText('text/event-stream');
  for (const event of ['first', 'second', 'third']) {
    sent.next?.(event);
    await client.waitForText(`data: ${event}\n\n`);
  }
  client.socket.destroy();
  expect(await app.waitForLine(1)).toMatch(/code=H27 .* status=499 bytes=40 /);
});

test('a body of 50 MB is sent whole', async () => {
  const app = new TestApp();
  const dyno = await startDyno(async (incoming, response) => {
    const hash = createHash('sha256');
    for await (const piece of incoming) hash.update(piece);
    response.end(hash.digest('hex'));
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  const piece = Buffer.alloc(MIB, 'abcdefg');
  const expected = createHash('sha256');
  for (let count = 0; count < 50; count++) expected.update(piece);
  for (const headers of [{ 'content-length': 50 * MIB }, {}]) {
    const sent = request({ port: router.port, host: '127.0.0.1', method: 'POST', headers });
    const responded = once(sent, 'response');
    for (let count = 0; count < 50; count++) {
      if (!sent.write(piece)) await once(sent, 'drain');
    }
    sent.end();
    const [response] = await responded;
    let body = '';
    for await (const text of response) body += text;
    expect(body).toBe(expected.copy().digest('hex'));
  }
});

test('a dyno that does not read slows the client down', async () => {
  const app = new TestApp();
  app.dynos = [upstreamUp(await startRawDyno((socket) => socket.pause()))];
  // Longer than this client stands still on a busy machine: it isn't the one who is idle.
  const router = await startTestRouter(app, { timeouts: { idleMs: 2_000 } });
  const client = new RawClient(router.port);
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${200 * MIB}\r\n\r\n`);
  let accepted = 0;
  const piece = Buffer.alloc(MIB);
  const pump = (): void => {
    if (accepted === 200) return;
    client.socket.write(piece, (error) => {
      if (error) return;
      accepted++;
      pump();
    });
  };
  pump();
  const line = await app.waitForLine(1);
  expect(line).toContain('code=H12');
  // What the kernel's buffers hold on two connections, and no more.
  expect(accepted).toBeLessThan(40);
});

test('a client that does not read slows the dyno down', async () => {
  const app = new TestApp();
  let accepted = 0;
  const piece = Buffer.alloc(MIB);
  const dyno = await startRawDyno((socket) => {
    const pump = (): void => {
      socket.write(piece, (error) => {
        if (error) return;
        accepted++;
        pump();
      });
    };
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${200 * MIB}\r\n\r\n`);
      pump();
    });
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app, { timeouts: { idleMs: 150 } });
  const client = new RawClient(router.port);
  client.socket.pause();
  client.send(getRequest());
  expect(await app.waitForLine(1)).toContain('code=H15');
  expect(accepted).toBeLessThan(40);
});

test('a large response is relayed whole', async () => {
  const app = new TestApp();
  const body = 'abcdefgh'.repeat(MIB);
  app.dynos = [upstreamUp(await startDyno((_request, response) => response.end(body)))];
  const router = await startTestRouter(app);
  const response = await sendAndReadAll(router.port, getRequest());
  expect(response.slice(response.indexOf('\r\n\r\n') + 4)).toBe(body);
  expect(app.lines[0]).toContain(`bytes=${8 * MIB} `);
});

async function webSocketDyno() {
  const server = await startDynoServer((_request, response) => response.end('plain'));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (message, binary) => socket.send(message, { binary }));
  });
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
  });
  return portOf(server);
}

test('a WebSocket is tunneled, and logged at its end', async () => {
  const app = new TestApp();
  app.dynos = [upstreamUp(await webSocketDyno())];
  const router = await startTestRouter(app);
  const socket = new WebSocket(`ws://127.0.0.1:${router.port}/chat`);
  await once(socket, 'open');
  for (const text of ['hello', 'x'.repeat(200_000)]) {
    socket.send(text);
    expect(String((await once(socket, 'message'))[0])).toBe(text);
  }
  expect(app.lines).toEqual([]);
  socket.close();
  await once(socket, 'close');
  const line = await app.waitForLine(1);
  expect(line).toMatch(
    /^at=info method=GET path="\/chat" .* dyno=web\.1 .* status=101 bytes=\d+ protocol=http$/,
  );
  expect(Number(/bytes=(\d+)/.exec(line)?.[1])).toBeGreaterThan(200_000);
});

test('an idle WebSocket ends with H15', async () => {
  const app = new TestApp();
  app.dynos = [upstreamUp(await webSocketDyno())];
  const router = await startTestRouter(app, { timeouts: { idleMs: 60 } });
  const socket = new WebSocket(`ws://127.0.0.1:${router.port}/`);
  await once(socket, 'close');
  expect(await app.waitForLine(1)).toContain('code=H15');
});

test('bytes right after an upgrade, on either side, belong to the tunnel', async () => {
  const app = new TestApp();
  const dyno = await startRawDyno((socket) => {
    socket.once('data', () => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: upgrade\r\n\r\nfirst words',
      );
      socket.on('data', (bytes) => socket.end(`got ${bytes}`));
    });
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  const client = new RawClient(router.port);
  client.send(`GET / HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: raw\r\n\r\nearly`);
  expect(await client.readToEnd()).toMatch(
    /^HTTP\/1\.1 101 .*Upgrade: raw\r\n.*\r\n\r\nfirst wordsgot early$/s,
  );
});

test('a refused upgrade is an ordinary response', async () => {
  const app = new TestApp();
  app.dynos = [upstreamUp(await startDyno((_request, response) => response.end('no')))];
  const router = await startTestRouter(app);
  const client = new RawClient(router.port);
  client.send(`GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  await client.waitForText('no');
  client.send(getRequest());
  expect((await client.readToEnd()).match(/200 OK/g)).toHaveLength(2);
});
