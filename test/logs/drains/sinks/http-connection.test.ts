/** The connection of an HTTP drain, to destinations of every manner. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HttpConnection } from '../../../../src/logs/drains/sinks/http-connection.ts';
import { makeClientCertificates } from '../../../support/senders/client-certificates.ts';
import { until } from '../../../support/until.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

type OnRequest = (socket: Socket, connection: number) => void;

/** Calls `onRequest` when all of a request has come; counts connections. */
function answering(onRequest: OnRequest): { onConnection: (socket: Socket) => void; connections: Socket[] } {
  const connections: Socket[] = [];
  const onConnection = (socket: Socket): void => {
    const number = connections.push(socket);
    let text = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (end === -1 || text.length < end + 4 + length) return;
      text = text.slice(end + 4 + length);
      onRequest(socket, number);
    });
  };
  return { onConnection, connections };
}

async function listen(server: Server, connections: readonly Socket[]): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function connectionTo(onRequest: OnRequest): Promise<{ own: HttpConnection; connections: Socket[] }> {
  const { onConnection, connections } = answering(onRequest);
  const port = await listen(createServer(onConnection), connections);
  const own = new HttpConnection(async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  });
  onTestFinished(() => own.close(new Error('the end')));
  return { own, connections };
}

function request(bytes = 5): Buffer[] {
  return [Buffer.from(`POST / HTTP/1.1\r\nContent-Length: ${bytes}\r\n\r\n`), Buffer.alloc(bytes, 'x')];
}

describe('the connection of an HTTP drain', () => {
  it('is one for all requests, large ones too', async () => {
    const { own, connections } = await connectionTo((socket) => socket.write(OK));
    for (let i = 0; i < 20; i++) expect((await own.post(request(i * 50_000), 10)).body.toString()).toBe('ok');
    expect(connections).toHaveLength(1);
    expect(own.isFlushed).toBe(true);
  });

  it('is one for all requests over TLS', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'http-connection-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { serverCert, serverKey } = makeClientCertificates(folder);
    const { onConnection, connections } = answering((socket) => socket.write(OK));
    const secure = { cert: readFileSync(serverCert), key: readFileSync(serverKey) };
    const port = await listen(createTlsServer(secure, onConnection), connections);
    const own = new HttpConnection(async () => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      return socket;
    });
    onTestFinished(() => own.close(new Error('the end')));
    for (let i = 0; i < 20; i++) {
      expect((await own.post([Buffer.concat(request(i * 50_000))], 10)).status).toBe(200);
      expect(own.isFlushed).toBe(true);
    }
    expect(connections).toHaveLength(1);
  });

  it.each<[string, OnRequest]>([
    ['without a word', (socket) => socket.end(OK)],
    ['and says so', (socket) => socket.end(OK.replace('\r\n', '\r\nConnection: close\r\n'))],
    ['at the end of its answer', (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nok')],
    [
      'as soon as nothing comes',
      (socket) => socket.write(OK.replace('\r\n', '\r\nKeep-Alive: timeout=1\r\n')),
    ],
    ['behind what nobody asked for', (socket) => socket.write(OK + OK)],
  ])('is a new one when the destination closes it %s: no request fails', async (_how, onRequest) => {
    const { own, connections } = await connectionTo(onRequest);
    for (let i = 0; i < 3; i++) {
      expect((await own.post(request(), 10)).body.toString()).toBe('ok');
      await until('both ends have closed it', () => connections[i].closed);
    }
    expect(connections).toHaveLength(3);
  });

  it('is a new one when an answer came before all was sent', async () => {
    const connections: Socket[] = [];
    const port = await listen(
      createServer((socket) => {
        connections.push(socket);
        socket.on('error', () => {});
        socket.once('data', () => {
          socket.pause();
          socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
        });
      }),
      connections,
    );
    const own = new HttpConnection(async () => connect(port, '127.0.0.1'));
    onTestFinished(() => own.close(new Error('the end')));
    for (let i = 0; i < 3; i++) {
      expect((await own.post(request(50_000_000), 10)).status).toBe(413);
      // The memory may still be read.
      expect(own.isFlushed).toBe(false);
    }
    expect(connections).toHaveLength(3);
  });

  it('that breaks off fails the request, unless its status has come', async () => {
    const broken = await connectionTo((socket) => socket.end('HTTP/1.1 200 O'));
    await expect(broken.own.post(request(), 10)).rejects.toThrow('the destination closed the connection');
    const late = await connectionTo((socket) =>
      socket.end('HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nabc'),
    );
    const { status, body } = await late.own.post(request(), 10);
    expect([status, body.toString()]).toEqual([503, 'abc']);
  });

  it('ends what waits for an answer when it is closed', async () => {
    const { own, connections } = await connectionTo(() => {});
    const answer = own.post(request(), 10);
    const failed = expect(answer).rejects.toThrow('it is enough');
    await until('a connection', () => connections.length === 1);
    own.close(new Error('it is enough'));
    await failed;
    await expect(own.post(request(), 10)).rejects.toThrow('it is enough');
  });
});
