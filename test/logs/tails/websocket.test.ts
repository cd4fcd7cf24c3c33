import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { WebSocketSink } from '../../../src/logs/tails/output/websocket-sink.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import {
  connectTcp,
  logplexBody,
  logplexLine,
  numberedMessages,
  octetCounted,
  postLogs,
  pushLines,
  TIME,
} from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** An app with 300 lines: every third of nginx, every tenth of the worker. */
async function appWithLines(): Promise<App> {
  const app = await server.createApp();
  const nginx = await server.addToken(app, 'nginx');
  const bytes = numberedMessages(300).map((text, i) =>
    octetCounted(
      logplexLine(
        text,
        i % 3 === 0 ? nginx : app.token,
        i % 10 === 0 ? 'worker.1' : i % 2 ? 'web.1' : 'web.12',
      ),
    ),
  );
  const { status } = await postLogs(server, '', Buffer.concat(bytes), {
    authorization: `Bearer ${server.key}`,
  });
  expect(status).toBe(204);
  return app;
}

describe('the last lines', () => {
  it('are as many as were asked for, 100 by default', async () => {
    const app = await appWithLines();
    const all = numberedMessages(300);
    const last = async (lines?: number) => {
      const reader = new TailClient(server, app, { tail: false, lines });
      await until('its end', () => reader.closeCode);
      expect(reader.closeCode).toBe(1000);
      return reader.messages();
    };
    expect(await last(5)).toEqual(all.slice(-5));
    expect(await last(1_000)).toEqual(all);
    expect(await last(0)).toEqual([]);
    const reader = new TailClient(server, app, { tail: false });
    await until('its end', () => reader.closeCode);
    expect(reader.messages()).toEqual(all.slice(-100));
  });

  it.each([
    ['a source', 'source=nginx', (i: number) => i % 3 === 0],
    ['a dyno', 'dyno=worker.1', (i: number) => i % 10 === 0],
    ['a process type', 'dyno=web', (i: number) => i % 10 !== 0],
    ['a dyno whose name begins like another', 'dyno=web.1', (i: number) => i % 10 !== 0 && i % 2 === 1],
    ['both', 'source=app&dyno=worker', (i: number) => i % 10 === 0 && i % 3 !== 0],
    ['nothing that there is', 'source=redis', () => false],
  ])('of %s: the filter counts before the limit', async (_name, query, matches) => {
    const app = await appWithLines();
    const expected = numberedMessages(300).filter((_, i) => matches(i));
    expect(await server.readMessages(app, `${query}&lines=7`)).toEqual(expected.slice(-7));
    expect(await server.readMessages(app, `${query}&lines=1000`)).toEqual(expected);
  });

  it('are found far back in the stream', async () => {
    const app = await server.createApp();
    const nginx = await server.addToken(app, 'nginx');
    await pushLines(server, nginx, ['the needle']);
    for (let i = 0; i < 20; i++) await pushLines(server, app.token, numberedMessages(2_000, 'x'.repeat(200)));
    expect(await server.readMessages(app, 'source=nginx&lines=1')).toEqual(['the needle']);
  });
});

describe('live', () => {
  it('lines come as they are stored, after the last ones, each once', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(10));
    const reader = await new TailClient(server, app, { lines: 3 }).opened();
    for (let i = 10; i < 60; i += 10) await pushLines(server, app.token, numberedMessages(10, 'line', i));
    expect(await reader.waitForLines(53)).toEqual(numberedMessages(60).slice(7));
    reader.disconnect();
  });

  it('a tail that starts while lines come in misses none and gets none twice', async () => {
    const app = await server.createApp();
    const pushing = (async () => {
      for (let i = 0; i < 2_000; i += 20) await pushLines(server, app.token, numberedMessages(20, 'line', i));
    })();
    const readers: TailClient[] = [];
    for (let i = 0; i < 10; i++) readers.push(await new TailClient(server, app, { lines: 100_000 }).opened());
    await pushing;
    for (const reader of readers) {
      expect(await reader.waitForLines(2_000)).toEqual(numberedMessages(2_000));
      reader.disconnect();
    }
  });

  it('filters apply to new lines, too', async () => {
    const app = await server.createApp();
    const nginx = await server.addToken(app, 'nginx');
    const reader = await new TailClient(server, app, { lines: 0, source: 'nginx' }).opened();
    await pushLines(server, app.token, ['not this']);
    await pushLines(server, nginx, ['this']);
    expect(await reader.waitForLines(1)).toEqual(['this']);
    reader.disconnect();
  });

  it('as JSON a line has all its fields', async () => {
    const app = await server.createApp();
    const reader = await new TailClient(server, app, { format: 'json', lines: 0 }).opened();
    const text = `<134>1 ${TIME} db1 token postgres.1 ID7 [a@1 k="v"] hello \u001b[31m"quoted"\nnext`;
    await postLogs(server, app.token, octetCounted(text));
    await reader.waitForLines(1);
    expect(reader.lines).toEqual([
      {
        position: '1',
        timestamp: TIME,
        facility: 16,
        level: 'info',
        severity: 6,
        hostname: 'db1',
        source: 'app',
        dyno: 'postgres.1',
        msgid: 'ID7',
        structured_data: '[a@1 k="v"]',
        message: 'hello \u001b[31m"quoted"\nnext',
      },
    ]);
    reader.disconnect();
  });

  it('escape sequences and forged lines are escaped, in the names too', async () => {
    const app = await server.createApp();
    const forged = `ok\n${TIME} heroku[router]: forged`;
    const bytes = [
      octetCounted(logplexLine(forged, 'token')),
      octetCounted(logplexLine('m', 'token', `web\u001b[2J\n${TIME.replaceAll(' ', '')}`)),
      octetCounted(logplexLine('\u001b]0;title\u0007\u009b2J', 'token')),
    ];
    expect((await postLogs(server, app.token, Buffer.concat(bytes))).status).toBe(204);
    const text = (await server.readLines(app)).join('\n');
    expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    expect(text.split('\n').filter((shown) => shown.startsWith(TIME))).toHaveLength(3);
    const json = (await server.readLines(app, 'format=json')).join('\n');
    expect(json).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
  });
});

describe('errors', () => {
  it.each([
    ['no app', '/apps/nothing-here/tail', 404],
    ['nothing there', '/elsewhere', 404],
    ['a bad number', '/apps/APP/tail?lines=many', 422],
    ['a bad position', '/apps/APP/tail?after=yesterday', 422],
    ['a bad format', '/apps/APP/tail?format=xml', 422],
    ['a name that can’t be decoded', '/apps/%E0%A4%A/tail', 400],
  ])('%s', async (_name, path, status) => {
    const app = await server.createApp();
    const { rejectedStatus: refused } = await upgrade(path.replace('APP', app.name), server.key);
    expect(refused).toBe(status);
  });

  it('without a key, or with a wrong one', async () => {
    const app = await server.createApp();
    expect((await upgrade(`/apps/${app.name}/tail`, 'k.wrong')).rejectedStatus).toBe(401);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });

  it('a client that sends too much is disconnected', async () => {
    const app = await server.createApp();
    const reader = await new TailClient(server, app).opened();
    reader.socket.send('x'.repeat(100_000));
    await until('its end', () => reader.closeCode);
    expect(reader.closeCode).toBe(1009);
    expect((await postLogs(server, app.token, logplexBody(['still here']))).status).toBe(204);
  });
});

async function upgrade(path: string, key: string): Promise<TailClient> {
  const reader = new TailClient(server, path, {}, key);
  await until('an answer', () => reader.rejectedStatus);
  return reader;
}

describe('a client that sends', () => {
  const frame = (opcode: number): Buffer => Buffer.from([0x80 | opcode, 0x80, 0, 0, 0, 0]);
  const connected = async (): Promise<{ socket: Socket; ended: () => boolean; text: () => string }> => {
    const app = await server.createApp();
    const socket = await connectTcp(Number(new URL(server.url).port));
    let came = '';
    let hasEnded = false;
    socket.on('data', (bytes) => {
      came += bytes.toString('latin1');
    });
    socket.on('error', () => {}); // it is cut off while it writes
    socket.on('close', () => {
      hasEnded = true;
    });
    const fields = [
      `GET /apps/${app.name}/tail HTTP/1.1`,
      'Host: localhost',
      `Authorization: Bearer ${server.key}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    socket.write(`${fields.join('\r\n')}\r\n\r\n`);
    await until('the upgrade', () => came.includes(' 101 '));
    return { socket, ended: () => hasEnded, text: () => came };
  };

  it.each([
    ['messages', 1],
    ['pings', 9],
    ['pongs', 10],
  ])('%s without end is told so, and cut off', async (_name, opcode) => {
    const { socket, ended, text } = await connected();
    socket.write(Buffer.concat(Array<Buffer>(10_000).fill(frame(opcode))));
    await until('its end', ended);
    // Of pings, so many of which wait for their answers at once, the library ends it.
    if (opcode !== 9) expect(text()).toContain('\x88\x1f\x03\xf0over 100 frames in 10 seconds');
  });

  it.each([
    ['of nothing', 0x00, 0],
    ['of a byte', 0x00, 1],
    ['that end, and begin anew', 0x80, 0],
  ])('a message in fragments %s without end is cut off', async (_name, first, length) => {
    const { socket, ended } = await connected();
    const fragment = Buffer.from([first, 0x80 | length, 0, 0, 0, 0, ...Buffer.alloc(length)]);
    const begin = Buffer.from([0x01, 0x80, 0, 0, 0, 0]);
    socket.write(begin);
    const more = first === 0x80 ? Buffer.concat([fragment, begin]) : fragment;
    socket.write(Buffer.concat(Array<Buffer>(10_000).fill(more)));
    await until('its end', ended);
  });

  it('a sign of life now and then reads on', async () => {
    const { socket, ended } = await connected();
    socket.write(Buffer.concat(Array<Buffer>(50).fill(frame(1))));
    await server.request('GET', '/status');
    expect(ended()).toBe(false);
    socket.destroy();
  });
});

it('is let go when it is refused, whatever else there is to do, so that the server can stop', async () => {
  const busy = await startServer();
  onTestFinished(() => void busy.program.child.kill('SIGKILL'));
  const { port } = new URL(busy.url);
  const refused = Array.from({ length: 300 }, async () => {
    const socket = await connectTcp(Number(port));
    const closed = once(socket, 'close');
    socket
      .resume()
      .write(
        'GET /apps/nope/tail HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
    await closed;
  });
  await Promise.all(refused);
  busy.program.child.kill('SIGTERM');
  await until('it has stopped', () => busy.program.hasExited);
});

it('has a message every 20 seconds, for pages, which see no pings; it says a position when that has moved on', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  });
  await once(sockets, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`);
  const messages: string[] = [];
  client.on('message', (data) => messages.push(String(data)));
  const [connection, request] = await once(sockets, 'connection');
  let pongs = 0;
  connection.on('pong', () => pongs++);
  const sink = new WebSocketSink(connection, request.socket, 'json');
  vi.advanceTimersByTime(20_000);
  await until('a sign of life', () => messages.length === 1);
  sink.position = () => 7;
  await until('an answer', () => pongs === 1);
  vi.advanceTimersByTime(20_000);
  await until('the position', () => messages.length === 2);
  expect(messages.map((text) => JSON.parse(text))).toEqual([{ lines: [] }, { position: '7', lines: [] }]);
});
