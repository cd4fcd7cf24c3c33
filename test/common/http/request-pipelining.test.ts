import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { serializePipelinedRequests } from '../../../src/common/http/request-pipelining.ts';
import { until } from '../../support/until.ts';

/** A server whose requests wait for their answers, and connections to it. */
async function scene() {
  const open: ServerResponse[] = [];
  const sockets: Socket[] = [];
  let begun = 0;
  const server = createServer((_request, response) => {
    begun++;
    open.push(response);
  });
  serializePipelinedRequests(server);
  server.on('connection', (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    sockets,
    begun: () => begun,
    answerNext: async () => {
      await until('a request begins', () => open.length > 0);
      open.shift()?.end();
    },
    connect: () => {
      const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
      onTestFinished(() => void client.destroy());
      return client.on('error', () => undefined).resume();
    },
  };
}

const request = (path: string): string => `GET /${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
const PADDED = request('x'.repeat(500));

it('nothing more is read of a connection with many requests that wait, whatever of them is answered', async () => {
  const { sockets, begun, answerNext, connect } = await scene();
  const client = connect();
  const sent = 20_000;
  client.write(PADDED.repeat(sent));
  await until('many wait', () => sockets.some(({ bytesRead }) => bytesRead > 40 * PADDED.length));
  const seen = new Set<number>();
  for (let i = 0; i < 10; i++) {
    await answerNext();
    await until('the next one begins', () => begun() === i + 2);
    seen.add(sockets[0].bytesRead);
  }
  // One read has up to 64 KB.
  expect(Math.max(...seen)).toBeLessThanOrEqual(131_072);
  expect(seen.size).toBe(1);
  // It is read on when most of what was read has been answered.
  const readBefore = sockets[0].bytesRead;
  while (sockets[0].bytesRead === readBefore) await answerNext();
  expect(readBefore - begun() * PADDED.length).toBeLessThan(65_536 + 32 * PADDED.length);
});

it('a body in chunks of a byte is parsed over many turns, whatever has come, and comes whole', async () => {
  let turns = 0;
  const piecesOf = new Map<number, number>();
  let bytes = 0;
  let isWatching = true;
  onTestFinished(() => {
    isWatching = false;
  });
  const watch = (): void => {
    turns++;
    if (isWatching) setImmediate(watch);
  };
  const server = createServer((request, response) => {
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      piecesOf.set(turns, (piecesOf.get(turns) ?? 0) + 1);
    });
    request.on('end', () => response.end('whole'));
  });
  serializePipelinedRequests(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void client.destroy());
  let answer = '';
  client
    .on('error', () => undefined)
    .on('data', (data: Buffer) => {
      answer += data.toString();
    });
  watch();
  const sent = 150_000;
  client.end(
    `POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(sent)}0\r\n\r\n`,
  );
  await until('it is answered', () => answer.includes('whole'));
  expect(bytes).toBe(sent);
  // Two slices of 32 KB at the most, where Node.js takes up to 2 MB.
  expect(Math.max(...piecesOf.values())).toBeLessThanOrEqual(11_000);
});

it('a connection isn’t listened to more often for each request on it', async () => {
  const { sockets, begun, answerNext, connect } = await scene();
  const client = connect();
  const listeners = () => sockets[0].listenerCount('close') + sockets[0].listenerCount('resume');
  let first: number | undefined;
  for (let i = 1; i <= 15; i++) {
    client.write(request('a') + request('b'));
    await answerNext();
    await answerNext();
    await until('both have begun', () => begun() === 2 * i);
    first ??= listeners();
  }
  expect(listeners()).toBe(first);
});

it('requests that come on many connections at once all begin, and what waits ends with its connection', async () => {
  const { sockets, begun, connect } = await scene();
  const clients = Array.from({ length: 50 }, connect);
  for (const client of clients) client.write(request('a') + request('b'));
  await until('all first ones begin', () => begun() === clients.length);
  for (const client of clients) client.destroy();
  await until('all are closed', () => sockets.every(({ destroyed }) => destroyed));
  expect(begun()).toBe(clients.length);
});
