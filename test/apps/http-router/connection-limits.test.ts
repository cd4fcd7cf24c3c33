/** The HTTP router's limits of connections, in the server that people start and in its parts. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Log } from '../../../src/common/log.ts';
import { SILENT_LOG } from '../../../src/common/log.ts';
import { startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import {
  getRequest,
  portOf,
  sendAndReadAll,
  startDynoServer,
  startTestRouter,
  statusOf,
  TestApp,
  upstreamUp,
} from './harness.ts';

/** A connection from one of the addresses of this machine (Linux has all of 127.0.0.0/8), as soon as it is there. */
async function open(port: number, localAddress: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  socket.resume();
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Is a connection from this address answered? One that isn't is closed without a word. */
async function isServed(port: number, localAddress: string): Promise<boolean> {
  const socket = await open(port, localAddress);
  let received = '';
  socket.on('data', (bytes) => {
    received += bytes;
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write(getRequest());
  await closed;
  return statusOf(received) === 200;
}

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';

async function startLimited(max: number, maxPerPeer?: number) {
  const app = new TestApp();
  const dyno = await startDynoServer((_request, response) => void response.end('ok'));
  dyno.on('upgrade', (_request, socket) => socket.write(SWITCH));
  app.dynos = [upstreamUp(portOf(dyno))];
  const warnings: string[] = [];
  const log: Log = { ...SILENT_LOG, warn: (_fields, message) => void warnings.push(message) };
  const router = await startTestRouter(app, { connections: { max, maxPerPeer }, log });
  return { port: router.port, warnings };
}

test.skipIf(process.platform !== 'linux')(
  'one peer can’t keep others out, whatever it does with its connections',
  async () => {
    const { port, warnings } = await startLimited(6, 3);
    const mine = await Promise.all([1, 2, 3].map(() => open(port, '127.0.0.1')));
    // Silent, in the middle of a head, in the middle of a body.
    mine[1].write('GET / HTTP/1.1\r\nHost: my');
    mine[2].write('POST / HTTP/1.1\r\nHost: myapp.localhost\r\nContent-Length: 100\r\n\r\nx');
    expect(await isServed(port, '127.0.0.1')).toBe(false);
    for (let i = 0; i < 10; i++) expect(await isServed(port, '127.0.0.2')).toBe(true);
    expect(warnings).toEqual([
      'a connection was closed: its address has 3 already (TAILRACE_ROUTER_CONNECTIONS_PER_PEER)',
    ]);
    mine[0].destroy();
    await until('room', () => isServed(port, '127.0.0.1'));
  },
);

test.skipIf(process.platform !== 'linux')(
  'there are no more than so many in all, and there is room again when some are closed',
  async () => {
    const { port, warnings } = await startLimited(3, 2);
    const held = [
      await open(port, '127.0.0.1'),
      await open(port, '127.0.0.1'),
      await open(port, '127.0.0.2'),
    ];
    expect(await isServed(port, '127.0.0.3')).toBe(false);
    expect(warnings).toEqual(['a connection was closed: there are 3 already (TAILRACE_ROUTER_CONNECTIONS)']);
    held[0].destroy();
    await until('room', () => isServed(port, '127.0.0.3'));
  },
);

test('a connection counts as long as its tunnel', async () => {
  const { port } = await startLimited(2, 1);
  const first = await open(port, '127.0.0.1');
  first.write('GET / HTTP/1.1\r\nHost: myapp.localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
  const [answer] = await once(first, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 101 /);
  expect(await isServed(port, '127.0.0.1')).toBe(false);
  first.destroy();
  await until('room', () => isServed(port, '127.0.0.1'));
});

test.skipIf(process.platform !== 'linux')('the settings of a server are these limits', async () => {
  const server = await startServerForTest({
    env: { TAILRACE_ROUTER_CONNECTIONS: '4', TAILRACE_ROUTER_CONNECTIONS_PER_PEER: '2' },
  });
  const app = await server.createApp();
  const { web_url: webUrl } = await server.request<{ web_url: string }>('GET', `/apps/${app.name}`);
  const { port: portText, hostname } = new URL(webUrl);
  const port = Number(portText);
  const answer = (): Promise<string> =>
    sendAndReadAll(port, getRequest().replace('myapp.localhost', hostname)).catch(() => '');
  expect(statusOf(await answer())).toBe(502); // nothing is deployed to it
  await Promise.all([1, 2].map(() => open(port, '127.0.0.1')));
  await until('the limit', async () => (await answer()) === '');
  const other = await open(port, '127.0.0.2');
  other.write(getRequest().replace('myapp.localhost', hostname));
  await once(other, 'data');
});
