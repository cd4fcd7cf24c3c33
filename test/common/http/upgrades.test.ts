/** What a client sends right behind a request for another protocol, before it has an answer: all of it, in order, however it is read. */
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { serializePipelinedRequests } from '../../../src/common/http/request-pipelining.ts';
import { until } from '../../support/until.ts';

const UPGRADE = 'GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
const CONNECT = 'CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n';

/** A server that collects what comes behind the request. */
async function collect(event: 'upgrade' | 'connect', putsBack: boolean, isHeldUp: boolean) {
  let received = '';
  const server = createServer((_request, response) => void response.end());
  serializePipelinedRequests(server);
  server.on(event, (_request, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined); // the client leaves with answers that it hasn't read
    if (putsBack && head.length > 0) socket.unshift(head);
    else received += head.toString('latin1');
    const begin = (): void => {
      socket.on('data', (bytes: Buffer) => {
        received += bytes.toString('latin1');
      });
      socket.resume();
    };
    if (isHeldUp) setImmediate(begin);
    else begin();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void client.destroy());
  return { client, received: () => received };
}

for (const event of ['upgrade', 'connect'] as const)
  for (const putsBack of [true, false])
    for (const isHeldUp of [true, false])
      for (const before of [0, 1, 30])
        it(`is all there behind ${event} and ${before} other requests, ${putsBack ? 'put back' : 'taken'}, ${isHeldUp ? 'later' : 'at once'}`, async () => {
          const { client, received } = await collect(event, putsBack, isHeldUp);
          const sent = Array.from({ length: 30_000 }, (_, i) => `${i};`).join('');
          const requests = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(before);
          client.write(`${requests}${event === 'upgrade' ? UPGRADE : CONNECT}${sent}`);
          await until('all of it', () => received().length >= sent.length);
          expect(received() === sent).toBe(true);
        });

it.each([
  [0, 0],
  [0, 30_000],
  [100, 0],
  [100, 30_000],
])(
  'goes on behind %i requests that wait for their answers, with %i bytes behind it',
  async (before, bytes) => {
    const server = createServer((_request, response) => void setImmediate(() => response.end()));
    serializePipelinedRequests(server);
    let received = 0;
    server.on('upgrade', (_request, socket: Duplex, head: Buffer) => {
      received += head.length;
      socket.on('error', () => undefined);
      socket.on('data', (more: Buffer) => {
        received += more.length;
      });
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    for (let i = 0; i < 20; i++) {
      const client = connect(port, '127.0.0.1');
      onTestFinished(() => void client.destroy());
      client.on('error', () => undefined);
      client.write(`${'GET / HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(before)}${UPGRADE}${'x'.repeat(bytes)}`);
      let answers = '';
      client.on('data', (more: Buffer) => {
        answers += more.toString('latin1');
        if (!answers.includes('101 ')) return;
        answers = '';
        client.write('later');
      });
    }
    await until('all of it', () => received === 20 * (bytes + 5));
  },
);
