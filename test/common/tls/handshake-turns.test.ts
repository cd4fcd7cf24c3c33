import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { beginHandshake } from '../../../src/common/tls/handshake-turns.ts';
import { until } from '../../support/until.ts';

const CLIENTS = 30;
/** More than works may take together in a turn. */
const HANDSHAKE_MS = 3;

/** Connections to a server whose handshakes take long, and in which turn of the event loop each of them began. */
async function scene() {
  let turns = 0;
  let isOver = false;
  const watch = (): void => {
    turns++;
    if (!isOver) setImmediate(watch);
  };
  const secure = new TlsServer();
  secure.removeAllListeners('connection');
  const begun: number[] = [];
  const first: string[] = [];
  secure.on('connection', (socket: Socket) => {
    begun.push(turns);
    first.push(String(socket.read()));
    const endMs = performance.now() + HANDSHAKE_MS;
    while (performance.now() < endMs);
  });
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clients = Array.from({ length: CLIENTS }, () =>
    connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined),
  );
  onTestFinished(() => {
    isOver = true;
    for (const socket of [...clients, ...accepted]) socket.destroy();
    server.close();
  });
  await until('all are there', () => accepted.length === CLIENTS);
  watch();
  return { clients, accepted, secure, begun, first };
}

it('handshakes of many connections that come together begin in turns of their own', async () => {
  const { clients, accepted, secure, begun, first } = await scene();
  for (const socket of accepted) beginHandshake(socket, secure);
  for (const client of clients) client.write('hello');
  await until('all have begun', () => begun.length === CLIENTS);
  expect(new Set(begun).size).toBe(CLIENTS);
  expect(new Set(first)).toEqual(new Set(['hello']));
});

it('a connection that is gone before its turn has no handshake', async () => {
  const { clients, accepted, secure, begun } = await scene();
  for (const socket of accepted) beginHandshake(socket, secure);
  const [gone, ...others] = accepted;
  gone.on('data', () => gone.destroy());
  for (const client of clients) client.write('hello');
  await until('all others have begun', () => begun.length >= CLIENTS - 1);
  expect(others.every(({ destroyed }) => !destroyed)).toBe(true);
  expect(gone.destroyed).toBe(true);
});

it('what begins no handshake is left to who has looked', async () => {
  const { clients, accepted, secure, begun } = await scene();
  let refused = 0;
  for (const socket of accepted)
    beginHandshake(socket, secure, () => {
      refused++;
      socket.end('no');
      return false;
    });
  let answer = '';
  clients[0].on('data', (data: Buffer) => {
    answer += data.toString();
  });
  for (const client of clients) client.write('GET / HTTP/1.1\r\n\r\n');
  await until('an answer', () => answer === 'no' && refused === CLIENTS);
  expect(begun).toEqual([]);
});
