/** A router that stops stores what syslog senders have on their way: nobody would send it again. */
import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { missing } from '../../../support/program.ts';
import { hasRedis, RedisServer } from '../../../support/redis/redis-server.ts';
import { CertificateAuthority } from '../../../support/senders/certificate-authority.ts';
import {
  connectTcp,
  logplexLine,
  numberedMessages,
  octetCounted,
} from '../../../support/senders/send-lines.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServerForTest,
  temporaryFolder,
} from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const WRITE_INTERVAL_MS = 2;

function frame(message: string, token: string): Buffer {
  return octetCounted(logplexLine(message, token));
}

/** Writes a line every few milliseconds, until the other end ends the connection; resolves with the lines. */
async function writeUntilEnd(socket: Socket, name: string, token: string): Promise<string[]> {
  const lines: string[] = [];
  const timer = setInterval(() => {
    const line = `${name} ${lines.length}`;
    lines.push(line);
    socket.write(frame(line, token));
  }, WRITE_INTERVAL_MS);
  await new Promise<void>((resolve, reject) => {
    socket.once('end', resolve);
    socket.once('error', reject);
    socket.resume();
  });
  clearInterval(timer);
  return lines;
}

/** What a server that is started again finds in the stream. */
async function storedLines(data: string, app: App): Promise<string[]> {
  const server = await startServerForTest({ data });
  return server.readMessages(app);
}

describe('a router that is told to stop', () => {
  it('stores what senders have written by the time they learn of it', async () => {
    const data = dataFolderForTest();
    const server = await startServerForTest({ data });
    const app = await server.createApp();
    const sockets = await Promise.all(numberedMessages(5).map(() => connectTcp(server.syslogPort)));
    const writing = sockets.map((socket, i) => writeUntilEnd(socket, `sender ${i}`, app.token));
    await until('lines', async () => (await server.readMessages(app)).length > 100);
    await server.close();
    const lines = (await Promise.all(writing)).flat();
    expect((await storedLines(data, app)).sort()).toEqual(lines.sort());
  });

  it('stores much that was written at once, and a last line without its end', async () => {
    const data = dataFolderForTest();
    const server = await startServerForTest({ data });
    const app = await server.createApp();
    const socket = await connectTcp(server.syslogPort);
    const ended = new Promise<void>((resolve) => socket.once('end', resolve).resume());
    const lines = numberedMessages(20_000, 'x'.repeat(200));
    socket.write(Buffer.concat(lines.map((line) => Buffer.from(`${logplexLine(line, app.token)}\n`))));
    socket.write(logplexLine('the last one', app.token));
    await until('the first lines', async () => (await server.sourceCounters('tcp')).lines > 0);
    await server.close();
    await ended;
    expect(await storedLines(data, app)).toEqual([...lines, 'the last one']);
  });

  it('doesn’t wait for senders that are silent, or that never stop', async () => {
    const data = dataFolderForTest();
    const server = await startServerForTest({ data });
    const app = await server.createApp();
    const open = (): Promise<Socket> =>
      new Promise((resolve) => {
        const socket = connect({ host: '127.0.0.1', port: server.syslogPort, allowHalfOpen: true }, () =>
          resolve(socket),
        );
        socket.on('error', () => {}).resume();
      });
    const silent = await open();
    silent.write(frame('silent', app.token));
    const deaf = await open();
    let count = 0;
    const timer = setInterval(() => deaf.write(frame(`deaf ${count++}`, app.token)), WRITE_INTERVAL_MS);
    await until('lines', async () => (await server.readMessages(app)).length > 100);
    server.program.child.kill('SIGTERM');
    await until('the router to end', () => server.program.hasExited);
    clearInterval(timer);
    expect(server.program.exitStatus).toBe(0);
    expect(deaf.closed).toBe(true);
    // A sender that doesn't look for the end was told by a reset: not even its first line goes into nothing.
    const failed = new Promise((resolve) => silent.once('error', resolve));
    silent.write(frame('too late', app.token));
    expect(await failed).toMatchObject({ syscall: 'write' });
    expect(await storedLines(data, app)).toContain('silent');
  });

  it.runIf(hasRedis)('ends, though nobody can tell it whose lines a sender has sent', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const server = await startServerForTest({ env: { REDIS_URL: redis.url } });
    const app = await server.createApp();
    const sockets = [await connectTcp(server.syslogPort), await connectTcp(server.syslogPort)];
    for (const socket of sockets) {
      socket.on('error', () => {}).resume();
      socket.write(frame('known', app.token));
    }
    await until('both to be read', async () => (await server.readMessages(app)).length === 2);
    await redis.signal('SIGKILL');
    for (const socket of sockets) socket.write(frame('whose?', 't.not-looked-up-yet'));
    const [staying, leaving] = sockets;
    leaving.end();
    server.program.child.kill('SIGTERM');
    await until('the router to end', () => server.program.hasExited);
    expect(server.program.exitStatus).toBe(0);
    expect(staying.closed).toBe(true);
  });
});

describe.skipIf(missing('openssl'))('a router that is told to stop, over TLS', () => {
  const folder = temporaryFolder();
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const authority = new CertificateAuthority(folder);
  const certificate = authority.issue('IP:127.0.0.1');

  function startTlsServer(data: string): Promise<Server> {
    return startServerForTest({
      data,
      env: { TAILRACE_SYSLOG_TLS_CERT: certificate.certFile, TAILRACE_SYSLOG_TLS_KEY: certificate.keyFile },
    });
  }

  it('stores what senders have written by the time they learn of it', async () => {
    const data = dataFolderForTest();
    const server = await startTlsServer(data);
    const app = await server.createApp();
    const open = (): Promise<Socket> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ host: '127.0.0.1', port: server.tlsPort, ca: authority.cert }, () =>
          resolve(socket),
        ).once('error', reject);
      });
    const sockets = await Promise.all(numberedMessages(3).map(open));
    const writing = sockets.map((socket, i) => writeUntilEnd(socket, `sender ${i}`, app.token));
    await until('lines', async () => (await server.readMessages(app)).length > 100);
    await server.close();
    const lines = (await Promise.all(writing)).flat();
    expect((await storedLines(data, app)).sort()).toEqual(lines.sort());
  });
});
