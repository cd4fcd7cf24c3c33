import { once } from 'node:events';
import { Agent, request, type Server } from 'node:http';
import { expect, test } from 'vitest';
import type { Upstream } from '../../../src/apps/http-router/app-lookup.ts';
import { freePort } from '../../support/free-port.ts';
import {
  getRequest,
  portOf,
  sendAndReadAll,
  startDyno,
  startDynoServer,
  startRawDyno,
  startTestRouter,
  statusOf,
  TestApp,
  upstreamUp,
} from './harness.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const post = getRequest().replace('GET', 'POST').replace('Connection', 'Content-Length: 4\r\nConnection');

test('each dyno gets its share of the requests', async () => {
  const app = new TestApp();
  const names = ['web.1', 'web.2', 'web.3'];
  for (const name of names) {
    app.dynos.push(upstreamUp(await startDyno((_request, response) => response.end(name)), name));
  }
  const randoms = [0, 0.34, 0.99];
  const router = await startTestRouter(app, { random: () => randoms.shift() ?? 0 });
  for (const name of names)
    expect(await sendAndReadAll(router.port, getRequest())).toMatch(new RegExp(`${name}$`));
});

test('after a refused connection another dyno gets the request, and the first is in quarantine', async () => {
  const app = new TestApp();
  const good = await startDyno((_request, response) => response.end('ok'));
  app.dynos = [upstreamUp(await freePort(), 'web.1'), upstreamUp(good, 'web.2')];
  const picks: number[] = [];
  const router = await startTestRouter(app, {
    random: () => {
      picks.push(app.lines.length);
      return 0;
    },
  });
  expect(statusOf(await sendAndReadAll(router.port, getRequest()))).toBe(200);
  expect(picks).toEqual([0, 0]);
  expect(
    statusOf(await sendAndReadAll(router.port, post.replace('Content-Length: 4', 'Content-Length: 0'))),
  ).toBe(200);
  expect(picks).toEqual([0, 0, 1]);
  expect(app.lines.every((line) => line.includes('dyno=web.2') && line.includes('status=200'))).toBe(true);
});

test('a body that arrived before the connection goes to the dyno that accepts it', async () => {
  const app = new TestApp();
  const good = await startDyno((incoming, response) => incoming.pipe(response));
  app.dynos = [upstreamUp(await freePort(), 'web.1'), upstreamUp(good, 'web.2')];
  const router = await startTestRouter(app, { random: () => 0 });
  expect(await sendAndReadAll(router.port, `${post}body`)).toContain('\r\nbody\r\n');
});

test('ten dynos are tried, not more', async () => {
  const app = new TestApp();
  for (let number = 1; number <= 12; number++) app.dynos.push(upstreamUp(await freePort(), `web.${number}`));
  let tries = 0;
  const random = () => {
    tries++;
    return 0;
  };
  const router = await startTestRouter(app, { random });
  expect(statusOf(await sendAndReadAll(router.port, getRequest()))).toBe(503);
  expect(tries).toBe(10);
  expect(app.lines).toHaveLength(1);
  expect(app.lines[0]).toContain('code=H21');
});

test('a dyno in quarantine gets the request when there is no other', async () => {
  const app = new TestApp();
  const port = await freePort();
  app.dynos = [upstreamUp(port)];
  const router = await startTestRouter(app);
  expect(statusOf(await sendAndReadAll(router.port, getRequest()))).toBe(503);
  const server = await startDynoServer((_request, response) => response.end('ok'));
  app.dynos = [upstreamUp(portOf(server))];
  expect(statusOf(await sendAndReadAll(router.port, getRequest()))).toBe(200);
});

/** A dyno that responds once on each connection, and closes it at the second request. */
function oneResponseDyno(requests: string[]): Promise<number> {
  return startRawDyno((socket) => {
    let responded = false;
    socket.on('data', (bytes) => {
      requests.push(bytes.toString('latin1').slice(0, 4));
      if (responded) socket.destroy();
      else socket.write(OK);
      responded = true;
    });
  });
}

test('an idle connection that the dyno closed is no error for the client', async () => {
  const app = new TestApp();
  const requests: string[] = [];
  app.dynos = [upstreamUp(await oneResponseDyno(requests))];
  const router = await startTestRouter(app);
  for (let count = 0; count < 4; count++)
    expect(statusOf(await sendAndReadAll(router.port, getRequest()))).toBe(200);
  expect(requests).toHaveLength(7);
  expect(app.lines.filter((line) => line.includes('at=info'))).toHaveLength(4);
});

test('a POST is never sent twice', async () => {
  const app = new TestApp();
  const requests: string[] = [];
  app.dynos = [upstreamUp(await oneResponseDyno(requests))];
  const router = await startTestRouter(app);
  await sendAndReadAll(router.port, getRequest());
  expect(statusOf(await sendAndReadAll(router.port, `${post}body`))).toBe(503);
  expect(requests).toEqual(['GET ', 'POST']);
  expect(app.lines[1]).toContain('code=H13');
});

test('a GET that kills a dyno is not sent to the next', async () => {
  const app = new TestApp();
  let requests = 0;
  const killed = () =>
    startRawDyno((socket) =>
      socket.on('data', () => {
        requests++;
        socket.destroy();
      }),
    );
  app.dynos = [upstreamUp(await killed(), 'web.1'), upstreamUp(await killed(), 'web.2')];
  const router = await startTestRouter(app);
  expect(statusOf(await sendAndReadAll(router.port, getRequest()))).toBe(503);
  expect(requests).toBe(1);
});

test('a connection is not used again after a response that was too long', async () => {
  const app = new TestApp();
  let connections = 0;
  const dyno = await startRawDyno((socket) => {
    connections++;
    socket.on('data', () => socket.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong`));
  });
  app.dynos = [upstreamUp(dyno)];
  const router = await startTestRouter(app);
  for (let count = 0; count < 3; count++) {
    expect(await sendAndReadAll(router.port, getRequest())).toMatch(/\r\n\r\nok$/);
  }
  expect(connections).toBe(3);
});

/** Sends requests on 20 connections until stopped; gives the number of responses by status. */
function load(port: number, method: string) {
  const agent = new Agent({ keepAlive: true });
  const statuses = new Map<number, number>();
  let running = true;
  let count = 0;
  let reached: { count: number; resolve: () => void } | undefined;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const sent = request({ agent, port, host: '127.0.0.1', method }, (response) => {
        statuses.set(response.statusCode ?? 0, (statuses.get(response.statusCode ?? 0) ?? 0) + 1);
        count++;
        if (reached !== undefined && count >= reached.count) reached.resolve();
        response.resume().on('end', resolve).on('error', reject);
      });
      sent.on('error', reject).end(method === 'POST' ? 'body' : undefined);
    });
  const done = Promise.all(
    Array.from({ length: 20 }, async () => {
      while (running) await one();
    }),
  );
  return {
    /** Resolves after this many more responses. */
    more: (wanted: number) =>
      new Promise<void>((resolve) => {
        reached = { count: count + wanted, resolve };
      }),
    async stop() {
      running = false;
      await done;
      agent.destroy();
      return statuses;
    },
  };
}

const respondWith = (name: string) =>
  startDynoServer((incoming, response) => {
    incoming.resume().on('end', () => response.end(name));
  });

async function stopOrderly(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await closed;
}

test.each(['GET', 'POST'])('no %s fails while one of two dynos is replaced under load', async (method) => {
  const app = new TestApp();
  const first = await respondWith('one');
  const second = await respondWith('two');
  const one = upstreamUp(portOf(first), 'web.1');
  app.dynos = [one, upstreamUp(portOf(second), 'web.2')];
  const router = await startTestRouter(app);
  const clients = load(router.port, method);
  await clients.more(300);
  const stopping: Upstream = { ...app.dynos[1], state: 'stopping' };
  app.setDynos([one, stopping]);
  await router.waitForInFlight(stopping.port);
  await stopOrderly(second);
  app.setDynos([one, { ...stopping, state: 'starting' }]);
  await clients.more(300);
  app.setDynos([one, upstreamUp(portOf(await respondWith('three')), 'web.2')]);
  await clients.more(300);
  const statuses = await clients.stop();
  expect([...statuses.keys()]).toEqual([200]);
});

test('no GET fails when a dyno stops and the router is not notified', async () => {
  const app = new TestApp();
  const second = await respondWith('two');
  app.dynos = [upstreamUp(portOf(await respondWith('one')), 'web.1'), upstreamUp(portOf(second), 'web.2')];
  const router = await startTestRouter(app);
  const clients = load(router.port, 'GET');
  await clients.more(300);
  await stopOrderly(second);
  await clients.more(300);
  expect([...(await clients.stop()).keys()]).toEqual([200]);
});
