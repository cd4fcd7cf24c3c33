import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startHttpRouter } from '../../../src/apps/http-router/http-router.ts';
import {
  getRequest,
  RawClient,
  startDyno,
  startRawDyno,
  startTestRouter,
  statusOf,
  TestApp,
  upstreamUp,
} from './harness.ts';

const HOST = 'Host: myapp.localhost\r\n';

test('closing lets a request in flight finish, and accepts no other', async () => {
  const app = new TestApp();
  const held: { finish?: () => void } = {};
  const requested = new Promise<void>((resolve) => {
    app.dynos = [];
    void startDyno((_request, response) => {
      held.finish = () => response.end('finished');
      resolve();
    }).then((port) => app.setDynos([upstreamUp(port)]));
  });
  const router = await startTestRouter(app);
  const idle = new RawClient(router.port);
  await once(idle.socket, 'connect');
  const client = new RawClient(router.port);
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  await requested;
  const closed = router.close(10_000);
  await idle.readToEnd();
  const late = connect(router.port, '127.0.0.1');
  const [error] = await once(late, 'error');
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  held.finish?.();
  expect(await client.readToEnd()).toMatch(/Connection: close\r\n.*\r\n\r\nfinished$/s);
  await closed;
  expect(app.lines[0]).toContain('at=info');
});

test('requests that are not finished after the grace period are aborted, with a log line', async () => {
  const app = new TestApp();
  const requested = new Promise<void>((resolve) => {
    void startRawDyno((socket) => socket.on('data', () => resolve())).then((port) =>
      app.setDynos([upstreamUp(port)]),
    );
  });
  const router = await startTestRouter(app);
  const client = new RawClient(router.port);
  client.send(getRequest());
  await requested;
  await router.close(20);
  expect(app.lines).toHaveLength(1);
  expect(app.lines[0]).toContain('at=error code=H99 desc="Platform error"');
  await client.readToEnd();
});

test('an idle connection of a client is closed after a while', async () => {
  const app = new TestApp();
  app.dynos = [upstreamUp(await startDyno((_request, response) => response.end('ok')))];
  const router = await startTestRouter(app, { timeouts: { keepAliveMs: 40 } });
  const client = new RawClient(router.port);
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  expect(statusOf(await client.readToEnd())).toBe(200);
});

test('a port that is in use is an error', async () => {
  const router = await startTestRouter(new TestApp());
  const apps = { appForHost: () => undefined };
  await expect(startHttpRouter({ host: '127.0.0.1', port: router.port, apps })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});
