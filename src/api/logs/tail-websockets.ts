import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { WebSocketServer } from 'ws';
import type { KeyGrant } from '../../apps/access/api-keys.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import type { TrustedProxies } from '../../common/http/trusted-proxies.ts';
import type { StreamReaders } from '../../logs/store/stream-reader.ts';
import { openTail, prepareTail } from '../../logs/tails/open-tail.ts';
import {
  limitTailFrames,
  TAIL_FRAGMENTS_MAX,
  TAIL_PAYLOAD_BYTES_MAX,
} from '../../logs/tails/output/websocket-limits.ts';
import { WebSocketSink } from '../../logs/tails/output/websocket-sink.ts';
import { parseTailQuery, type TailQuery } from '../../logs/tails/tail-query.ts';
import type { Caller } from '../access/authorize.ts';
import type { LogSessionStore } from './log-session-store.ts';
import { appOfSession } from './log-sessions.ts';
import type { TailRegistry } from './tail-registry.ts';

const TAIL_PATH = /^\/apps\/([^/]+)\/tail$/;
const SESSION_PATH = /^\/sessions\/([^/]+)\/([^/]+)$/;
/** How long a client may take to answer the close frame. */
const CLOSE_TIMEOUT_MS = 500;

/** What a client may read of an app's stream. */
interface AuthorizedTail {
  readonly app: AppRecord;
  readonly query: TailQuery;
  /** Of the key without which it ends. */
  readonly keyHash: string | undefined;
  /** Called when it is connected; returns what to call when it is gone. */
  readonly keepSessionAlive: () => () => void;
}

/** What these routes work with. */
export interface TailWebSocketDependencies {
  readonly appRegistry: AppRegistry;
  readonly readers: StreamReaders;
  readonly trustedProxies: TrustedProxies;
}

/**
 * Live tails over WebSockets: `GET /apps/:app/tail` with an API key, `GET /sessions/:app/:secret` without, for browsers, which
 * can't send one; both with the query of {@link TailQuery}.
 */
export function tailWebSocketRoutes(
  server: FastifyInstance,
  dependencies: TailWebSocketDependencies,
  sessionStore: LogSessionStore,
  tailRegistry: TailRegistry,
  grantToRead: (caller: Caller, app: AppRecord | undefined) => Promise<KeyGrant | undefined>,
): void {
  const { appRegistry, readers, trustedProxies } = dependencies;
  // Of a client that sends frame after frame one is read in a turn of the event loop (`allowSynchronousEvents`).
  const uncompressed = new WebSocketServer({
    noServer: true,
    allowSynchronousEvents: false,
    perMessageDeflate: false,
    maxPayload: TAIL_PAYLOAD_BYTES_MAX,
    maxFragments: TAIL_FRAGMENTS_MAX,
  });
  // Without context takeover a message is compressed once for all readers.
  const compressed = new WebSocketServer({
    noServer: true,
    allowSynchronousEvents: false,
    perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    maxPayload: TAIL_PAYLOAD_BYTES_MAX,
    maxFragments: TAIL_FRAGMENTS_MAX,
  });
  server.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    upgrade(request, socket, head).catch((error: unknown) => rejectUpgrade(socket, error));
  });
  // Before the server waits for its connections to end: these are among them.
  server.addHook('preClose', async () => {
    for (const sockets of [uncompressed, compressed]) {
      for (const socket of sockets.clients) {
        socket.close(1001, 'the server stops');
        setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
      }
      sockets.close();
    }
  });

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { app, query, keyHash, keepSessionAlive } = await authorizeTail(request);
    const options = parseTailQuery(query, { tail: true });
    const sockets = shouldCompress(request) ? compressed : uncompressed;
    const release = await prepareTail(readers, app.id);
    sockets.handleUpgrade(request, socket, head, (connection) => {
      limitTailFrames(connection);
      const sink = new WebSocketSink(connection, socket, options.format);
      const close = openTail(readers, app.id, options, sink, () =>
        connection.close(1011, 'the stream can not be read'),
      );
      const releaseSession = keepSessionAlive();
      const unregister = tailRegistry.add(app, keyHash, () => sink.end());
      connection.on('close', () => {
        close();
        releaseSession();
        unregister();
      });
      connection.on('error', () => connection.terminate());
    });
    release();
  }

  async function authorizeTail(request: IncomingMessage): Promise<AuthorizedTail> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const query = tailQueryOf(url.searchParams);
    const session = SESSION_PATH.exec(url.pathname);
    if (session) {
      const [, id, secret] = session;
      const app = await appOfSession(appRegistry, id);
      const resolved = await sessionStore.resolveQuery(app, secret, query);
      return { app, ...resolved, keepSessionAlive: () => sessionStore.keepAlive(app.id, secret) };
    }
    const tail = TAIL_PATH.exec(url.pathname);
    if (!tail)
      throw new TailraceError(
        'not_found',
        'There is no WebSocket here: tails are at /apps/<app>/tail and /sessions/….',
      );
    const found = await appRegistry.findApp(decodePathSegment(tail[1]));
    // Whoever has no key doesn't learn which apps there are.
    const { headers, socket } = request;
    const grant = await grantToRead(
      { headers, ip: trustedProxies.senderOf(socket, headers), method: 'GET' },
      found,
    );
    if (!grant)
      throw new TailraceError(
        'unauthorized',
        'Invalid credentials provided: show an API key as `Authorization: Bearer …`.',
      );
    if (!found) throw new TailraceError('not_found', "Couldn't find that app.");
    return { app: found, query, keyHash: grant.hash, keepSessionAlive: () => () => {} };
  }
}

/** Parameters as Fastify has them: one that comes twice is a list, which no tail takes. */
function tailQueryOf(parameters: URLSearchParams): TailQuery {
  const names = [...new Set(parameters.keys())];
  return Object.fromEntries(
    names.map((name) => {
      const values = parameters.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}

/**
 * Compression saves three quarters of the bytes for a microsecond a line: worth it on a network, not within a machine. A client that wants
 * a smaller window than the default goes without.
 */
function shouldCompress(request: IncomingMessage): boolean {
  const offer = request.headers['sec-websocket-extensions'] ?? '';
  if (!offer.includes('permessage-deflate') || /server_max_window_bits\s*=\s*"?(?!15)/.test(offer))
    return false;
  const from = request.socket.remoteAddress ?? '';
  const isProxied =
    request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined;
  return isProxied || !/^(?:127\.|::1$|::ffff:127\.)/.test(from);
}

function decodePathSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TailraceError('bad_request', 'The address is not percent-encoded correctly.');
  }
}

function rejectUpgrade(socket: Duplex, error: unknown): void {
  const known =
    error instanceof TailraceError ? error : new TailraceError('unavailable', 'Internal server error.');
  const body = JSON.stringify({ id: known.code, message: known.message });
  socket.end(
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
