import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { WebSocketServer } from 'ws';
import { TailraceError } from '../errors.ts';
import { parseTailQuery, type TailQuery } from '../tails/query.ts';
import { TailSession } from '../tails/session.ts';
import { WebSocketSink } from '../tails/websocket.ts';
import type { Context } from './context.ts';

/** How long a reader may take to answer the goodbye. */
const GOODBYE_MS = 500;
const PATH = /^\/apps\/([^/]+)\/tail$/;

/** Live tails over WebSockets: `GET /apps/:app/tail` with the query of {@link TailQuery} and an API key. */
export function tailSockets(
  server: FastifyInstance,
  context: Context,
  mayRead: (authorization: string | undefined) => Promise<boolean>,
): void {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 4_096 });
  server.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    upgrade(request, socket, head).catch((error: unknown) => refuse(socket, error));
  });
  // Before the server waits for its connections to end: these are among them.
  server.addHook('preClose', async () => {
    for (const socket of sockets.clients) {
      socket.close(1001, 'the server stops');
      setTimeout(() => socket.terminate(), GOODBYE_MS).unref();
    }
    sockets.close();
  });

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const match = PATH.exec(url.pathname);
    if (!match)
      throw new TailraceError('not_found', 'There is no WebSocket here: tails are at /apps/<app>/tail.');
    if (!(await mayRead(request.headers.authorization)))
      throw new TailraceError(
        'unauthorized',
        'Invalid credentials provided: show an API key as `Authorization: Bearer …`.',
      );
    const app = await context.directory.app(decoded(match[1]));
    const query: TailQuery = Object.fromEntries(url.searchParams);
    const options = parseTailQuery(query, { tail: true });
    sockets.handleUpgrade(request, socket, head, (connection) => {
      const sink = new WebSocketSink(connection, options.format);
      const { reader, close } = context.readers.open(app.id);
      const session = new TailSession(reader, options, sink);
      sink.onReady = () => session.resume();
      connection.on('close', () => {
        session.close();
        close();
      });
      connection.on('error', () => connection.terminate());
      session.start().catch(() => connection.close(1011, 'the stream can not be read'));
    });
  }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // no app is called like that
  }
}

function refuse(socket: Duplex, error: unknown): void {
  const known =
    error instanceof TailraceError ? error : new TailraceError('unavailable', 'Internal server error.');
  const body = JSON.stringify({ id: known.code, message: known.message });
  socket.end(
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
