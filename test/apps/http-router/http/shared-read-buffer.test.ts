import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { expect, test } from 'vitest';
import {
  RawClient,
  readAll,
  sendAndReadAll,
  startDyno,
  startRawDyno,
  startTestRouter,
  TestApp,
  upstreamUp,
} from '../harness.ts';

// All connections read into the same memory: what is buffered must be a copy by the time another one reads.

const MIB = 1_048_576;

test('bodies that wait for their receivers are not overwritten while others are read', async () => {
  const app = new TestApp();
  const dyno = await startDyno(async (incoming, response) => {
    const all = await readAll(incoming);
    response.writeHead(200, { 'content-length': all.length });
    response.end(all);
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  const echoed = async (): Promise<boolean> => {
    const body = randomBytes(2 * MIB + 7);
    const sent = request({ port: router.port, host: '127.0.0.1', method: 'POST', agent: false });
    sent.end(body);
    const [response] = await once(sent, 'response');
    // No read for a while: the router has to buffer what it has.
    await new Promise((resolve) => setImmediate(resolve));
    return (await readAll(response)).equals(body);
  };
  const whole = await Promise.all(Array.from({ length: 12 }, echoed));
  expect(whole).toEqual(Array(12).fill(true));
});

test('incomplete heads, of requests and of responses, are not overwritten by other requests', async () => {
  const app = new TestApp();
  const release: (() => void)[] = [];
  const dyno = await startRawDyno((socket) => {
    socket.on('data', (bytes) => {
      const path = / (\S+) /.exec(bytes.toString('latin1'))?.[1] ?? '';
      const end = `Path: ${path}\r\nContent-Length: 2\r\n\r\nok`;
      if (!path.startsWith('/slow')) socket.write(`HTTP/1.1 200 OK\r\n${end}`);
      else {
        socket.write('HTTP/1.1 200 OK\r\nX-Half: ');
        release.push(() => socket.write(`yes\r\n${end}`));
      }
    });
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  const half = new RawClient(router.port);
  half.send('GET /half HTTP/1.1\r\nHost: myapp.loc');
  const slow = new RawClient(router.port);
  slow.send('GET /slow HTTP/1.1\r\nHost: myapp.localhost\r\n\r\nGET /piped HTTP/1.1\r\nHost: myapp.loc');
  const other = new RawClient(router.port);
  for (let count = 0; release.length === 0 || count < 5; count++) {
    other.send(`GET /other${count} HTTP/1.1\r\nHost: myapp.localhost\r\n\r\n`);
    await other.waitForText(`Path: /other${count}\r\n`);
  }
  for (const go of release) go();
  expect(await slow.waitForText('Path: /slow\r\n')).toContain('X-Half: yes\r\n');
  slow.send('alhost\r\n\r\n');
  await slow.waitForText('Path: /piped\r\n');
  half.send('alhost\r\nConnection: close\r\n\r\n');
  expect(await half.readToEnd()).toContain('Path: /half\r\n');
});

test('a body sent before there is a dyno is kept for it', async () => {
  const app = new TestApp();
  app.desiredCount = 1;
  const router = await startTestRouter(app);
  const early = new RawClient(router.port);
  early.send(
    'POST /early HTTP/1.1\r\nHost: myapp.localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
  );
  await app.requestWaiting();
  const dyno = await startDyno(async (incoming, response) => response.end(`got ${await readAll(incoming)}`));
  // Another client's bytes arrive meanwhile.
  const unknown = `GET /${'x'.repeat(4_000)} HTTP/1.1\r\nHost: nobody.localhost\r\nConnection: close\r\n\r\n`;
  expect(await sendAndReadAll(router.port, unknown)).toContain(' 404 ');
  app.setDynos([upstreamUp(dyno)]);
  expect(await early.readToEnd()).toContain('got hello');
});
