/** The connection of an HTTP drain, to destinations of every manner. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TargetPolicy } from '../../../../src/logs/drains/options/target-policy.ts';
import { Dialer } from '../../../../src/logs/drains/sinks/dialer.ts';
import { HttpConnection, type HttpLimits } from '../../../../src/logs/drains/sinks/http-connection.ts';
import { makeClientCertificates } from '../../../support/senders/client-certificates.ts';
import { standStill } from '../../../support/stand-still.ts';
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

async function connectionTo(
  onRequest: OnRequest,
  limits?: HttpLimits,
): Promise<{ own: HttpConnection; connections: Socket[] }> {
  const { onConnection, connections } = answering(onRequest);
  const port = await listen(createServer(onConnection), connections);
  const own = new HttpConnection(async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  }, limits);
  onTestFinished(() => own.close(new Error('the end')));
  return { own, connections };
}

const IMPATIENT: HttpLimits = { responseMs: 1_000, restMs: 100, unreadBytes: 100_000 };

function request(bytes = 5): Buffer[] {
  return [Buffer.from(`POST / HTTP/1.1\r\nContent-Length: ${bytes}\r\n\r\n`), Buffer.alloc(bytes, 'x')];
}

describe('the connection of an HTTP drain', () => {
  it.each([
    ['its first byte', '', OK],
    ['the rest of its body', OK.slice(0, -1), OK.slice(-1)],
    ['its last head', 'HTTP/1.1 102 Processing\r\n\r\n', OK],
  ])('takes the answer that came while this process stood still, from %s on', async (_from, before, rest) => {
    const limits: HttpLimits = { ...IMPATIENT, responseMs: 50, restMs: 50 };
    const { own, connections } = await connectionTo((socket) => {
      socket.write(before);
      // It is read before the rest comes.
      setTimeout(() => {
        socket.write(rest);
        standStill(100);
      }, 5);
    }, limits);
    const { status } = await own.post(request(), 1_000, true);
    expect(status).toBe(200);
    expect(connections).toHaveLength(1);
  });

  it('is one for all requests, large ones too', async () => {
    const { own, connections } = await connectionTo((socket) => socket.write(OK));
    for (let i = 0; i < 20; i++) expect((await own.post(request(i * 50_000), 10)).body.toString()).toBe('ok');
    expect(connections).toHaveLength(1);
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
    for (let i = 0; i < 20; i++)
      expect((await own.post([Buffer.concat(request(i * 50_000))], 10)).status).toBe(200);
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

  it('is closed a second before the destination would close it, counted from the last answer', async () => {
    const { own, connections } = await connectionTo((socket) => {
      // Slow answers, and the last is more than a second behind the first.
      setTimeout(() => socket.write(OK.replace('\r\n', '\r\nKeep-Alive: timeout=2\r\n')), 300);
    });
    for (let i = 0; i < 5; i++) await own.post(request(), 10);
    const answeredMs = performance.now();
    await until('it is closed', () => connections[0].closed);
    expect(performance.now() - answeredMs).toBeGreaterThan(990);
    expect(connections).toHaveLength(1);
  });

  it('is a new one when an answer came before all was sent, and nobody reads the request any more', async () => {
    const connections: Socket[] = [];
    const received: Buffer[] = [];
    const port = await listen(
      createServer((socket) => {
        connections.push(socket);
        socket.on('error', () => {});
        socket.once('data', () => {
          socket.pause();
          socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
          socket.on('data', (chunk: Buffer) => received.push(chunk));
        });
      }),
      connections,
    );
    const own = new HttpConnection(async () => connect(port, '127.0.0.1'));
    onTestFinished(() => own.close(new Error('the end')));
    for (let i = 0; i < 3; i++) {
      const [head, body] = request(50_000_000);
      expect((await own.post([head, body], 10)).status).toBe(413);
      body.fill('y');
      connections[i].resume();
      await until('what was sent has come', () => connections[i].closed);
    }
    expect(connections).toHaveLength(3);
    expect(received.length).toBeGreaterThan(3);
    expect(received.some((chunk) => chunk.includes('y'))).toBe(false);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['stays', (socket) => socket.write(OK)],
    ['closes its half, with a length', (socket) => socket.end(OK)],
    ['closes its half behind the answer', (socket) => socket.end('HTTP/1.1 202 Accepted\r\n\r\nok')],
    ['says more than it was asked for', (socket) => socket.write(`${OK}${OK}`)],
  ])(
    'sends all of a request that is accepted before it is read, when the destination %s',
    async (_how, answer) => {
      const connections: Socket[] = [];
      let received = 0;
      const port = await listen(
        createServer({ allowHalfOpen: true }, (socket) => {
          connections.push(socket);
          socket.on('error', () => {});
          socket.once('data', (first: Buffer) => {
            received += first.length;
            socket.pause();
            answer(socket);
            socket.on('data', (chunk: Buffer) => {
              received += chunk.length;
            });
            setImmediate(() => setTimeout(() => socket.resume(), 20));
          });
        }),
        connections,
      );
      const own = new HttpConnection(async () => connect(port, '127.0.0.1'));
      onTestFinished(() => own.close(new Error('the end')));
      // More than the system buffers.
      const parts = request(20_000_000);
      const bytes = parts.reduce((sum, { length }) => sum + length, 0);
      expect((await own.post(parts, 10)).status).toBeLessThan(300);
      await until('all bytes', () => received === bytes);
    },
  );

  it('that breaks off fails the request, unless its status has come', async () => {
    const broken = await connectionTo((socket) => socket.end('HTTP/1.1 200 O'));
    await expect(broken.own.post(request(), 10)).rejects.toThrow('the destination closed the connection');
    const late = await connectionTo((socket) =>
      socket.end('HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nabc'),
    );
    const { status, body } = await late.own.post(request(), 10);
    expect([status, body.toString()]).toEqual([503, 'abc']);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['closed', (socket) => socket.destroy()],
    ['reset', (socket) => socket.resetAndDestroy()],
  ])(
    'that was %s while it was idle is a new one for the same request: it doesn’t fail',
    async (_how, end) => {
      const answered = new Set<Socket>();
      const { own, connections } = await connectionTo((socket) => {
        // Nothing of the next request is read: so it is when both cross each other.
        if (answered.has(socket)) return end(socket);
        answered.add(socket);
        socket.write(OK);
      });
      for (let i = 0; i < 4; i++) expect((await own.post(request(200_000), 10)).status).toBe(200);
      expect(connections).toHaveLength(4);
    },
  );

  it('that is new and breaks fails the request, and so does one on which no answer comes: it isn’t sent twice at once', async () => {
    let requests = 0;
    const broken = await connectionTo((socket) => {
      requests++;
      socket.resetAndDestroy();
    });
    await expect(broken.own.post(request(), 10)).rejects.toThrow('ECONNRESET');
    expect(requests).toBe(1);
    const silent = await connectionTo((socket) => ++requests === 2 && socket.write(OK), IMPATIENT);
    await silent.own.post(request(), 10);
    await expect(silent.own.post(request(), 10)).rejects.toThrow("the destination didn't answer for 1 s");
    expect(requests).toBe(3);
    expect(silent.connections).toHaveLength(1);
  });

  it.each<[string, string, string]>([
    ['a head that comes byte by byte', 'HTTP/1.1 200 OK\r\nX: ', 'took longer than 1 s'],
    [
      'answers that only inform, without end',
      'HTTP/1.1 103 Early Hints\r\n\r\n',
      'answers 103 more than 100 times',
    ],
  ])('isn’t held by %s', async (_what, text, why) => {
    const { own, connections } = await connectionTo((socket) => {
      const going = setInterval(() => socket.write(text.includes('103') ? text.repeat(50) : 'x'), 5);
      socket.on('close', () => clearInterval(going));
      socket.write(text);
    }, IMPATIENT);
    await expect(own.post(request(), 10)).rejects.toThrow(why);
    await until('the connection is closed', () => connections[0].closed);
  });

  it.each<[string, string, string]>([
    ['a body without end', 'HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n', 'x'.repeat(70_000)],
    ['chunks without end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
    ['an answer that has neither a length nor an end', 'HTTP/1.1 200 OK\r\n\r\nx', ''],
  ])('isn’t held by %s: the status is known', async (_what, head, more) => {
    const { own, connections } = await connectionTo((socket) => {
      const going = setInterval(() => socket.write(more), 5);
      socket.on('close', () => clearInterval(going));
      socket.write(head);
    }, IMPATIENT);
    const { status } = await own.post(request(), 10);
    expect(status).toBe(200);
    await until('the connection is closed', () => connections[0].closed);
  });

  it('isn’t held by a body that drips, when nobody reads it: the status is known', async () => {
    const dripping =
      (length: number) =>
      (socket: Socket): void => {
        const going = setInterval(() => socket.write('x'), 5);
        socket.on('close', () => clearInterval(going));
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      };
    // What is read is waited for longer than the test.
    const limits = { ...IMPATIENT, responseMs: 600_000, restMs: 20 };
    const { own, connections } = await connectionTo(dripping(1_000_000), limits);
    expect((await own.post(request(), 10, false)).status).toBe(200);
    await until('the connection is closed', () => connections[0].closed);
    const { own: reads } = await connectionTo(dripping(50), limits);
    const { status, body } = await reads.post(request(), 100);
    expect([status, body.toString()]).toEqual([200, 'x'.repeat(50)]);
  });

  it('to a destination that closes each is made with the TLS session of the one before, by its options', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'http-connection-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { serverCert, serverKey } = makeClientCertificates(folder);
    const secure = { cert: readFileSync(serverCert), key: readFileSync(serverKey) };
    const { onConnection, connections } = answering((socket) => socket.end(OK));
    const reused: boolean[] = [];
    const port = await listen(
      createTlsServer(secure, (socket: TLSSocket) => {
        reused.push(socket.isSessionReused());
        onConnection(socket);
      }),
      connections,
    );
    const dialer = new Dialer(new TargetPolicy(true));
    const ask = async (tls: { insecure: boolean }) => {
      const own = new HttpConnection(() => dialer.dial({ host: '127.0.0.1', port, tls }));
      for (let i = 0; i < 2; i++) {
        expect((await own.post(request(), 10)).status).toBe(200);
        await until('it is closed', () => connections.every(({ closed }) => closed));
      }
    };
    await ask({ insecure: true });
    expect(reused).toEqual([false, true]);
    // What wasn't verified is no session for those who verify.
    await expect(ask({ insecure: false })).rejects.toThrow(/certificate/);
    await ask({ insecure: true });
    expect(reused.slice(-2)).toEqual([false, true]);
  });

  it('is to the address that answers, of those that a name has', async () => {
    const { onConnection, connections } = answering((socket) => socket.write(OK));
    const port = await listen(createServer(onConnection), connections);
    const policy = Object.assign(new TargetPolicy(true), {
      lookup: (_name: string, options: { all?: boolean }, callback: (...found: unknown[]) => void) => {
        const found = ['127.0.0.3', '127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }));
        if (options.all) callback(null, found);
        else callback(null, found[0].address, 4);
      },
    });
    const own = new HttpConnection(() => new Dialer(policy).dial({ host: 'several.example', port }));
    onTestFinished(() => own.close(new Error('the end')));
    expect((await own.post(request(), 10)).status).toBe(200);
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
