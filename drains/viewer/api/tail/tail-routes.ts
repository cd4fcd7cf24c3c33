/** `GET /api/tail`: lines as they come, as server-sent events or over a WebSocket; `after` is a position that a search or a tail gave out. */
import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import { parse } from 'node:querystring';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import { TailraceError } from '../../../../src/common/errors.ts';
import { onResponseClosed } from '../../../../src/common/http/response-closed.ts';
import { PAGE_SECURITY_HEADERS } from '../../../../src/common/http/static-files.ts';
import { PeriodicCheck } from '../../../../src/common/limits/deadline.ts';
import { prepareQuery } from '../../../../src/logs/query/query-matcher.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { LineFilter } from '../../../../src/logs/syslog/line-filter.ts';
import type { TailEncoding } from '../../../../src/logs/tails/output/encodings.ts';
import {
  limitTailFrames,
  TAIL_FRAGMENTS_MAX,
  TAIL_PAYLOAD_BYTES_MAX,
} from '../../../../src/logs/tails/output/websocket-limits.ts';
import type { Grant } from '../../access/grant.ts';
import type { LogStreamRecord } from '../../groups/group-records.ts';
import type { ViewerParts } from '../../parts.ts';
import { readPositions } from '../lines/positions.ts';
import { selectedStreams } from '../lines/selection.ts';
import { StreamMatchers } from '../lines/stream-matchers.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';
import { EventStreamConnection, WebSocketConnection } from './connections.ts';
import { MergedTail, type TailConnection } from './merged-tail.ts';
import { streamEncoding } from './stream-encoding.ts';

const PARAMETERS = ['group', 'stream', 'q', 'after', 'events'];
const PATH = '/api/tail';
const KEEP_ALIVE_MS = 15_000;
const TAILS_MAX = 1_000;
const CLOSE_TIMEOUT_MS = 500;

interface TailRequest {
  /** What of a stream's lines it gets. */
  readonly filterOf: (stream: LogStreamRecord) => LineFilter;
  /** What is selected now; throws when it may not be read any more. */
  readonly streams: (grant: Grant) => readonly LogStreamRecord[];
  readonly after: string | undefined;
}

type KeptConnection = TailConnection & { keepAlive(after: string | undefined): void };

/** Events are a route behind the sign-in; upgrades come to the server itself. */
export function registerTailRoutes(server: FastifyInstance, parts: ViewerParts): void {
  const { groups, access, readers, records, store, log } = parts;
  const encodings = new Map<AppId, TailEncoding<string>>();
  let tails = 0;
  // Of a client that sends frame after frame one is read in a turn of the event loop (`allowSynchronousEvents`).
  const sockets = new WebSocketServer({
    noServer: true,
    allowSynchronousEvents: false,
    perMessageDeflate: false,
    maxPayload: TAIL_PAYLOAD_BYTES_MAX,
    maxFragments: TAIL_FRAGMENTS_MAX,
  });

  server.get(PATH, async (request, reply) => {
    const grant = grantOf(request);
    const lastEventId = request.headers['last-event-id'];
    const given = typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined;
    const tail = readTail(new Parameters(request.query, PARAMETERS), given);
    const streams = tail.streams(grant);
    const after = tail.after === undefined ? undefined : readPositions(tail.after, streams, 'after');
    requireRoom();
    reply.hijack();
    const connection = new EventStreamConnection(reply.raw, PAGE_SECURITY_HEADERS);
    const close = openTail(tail, grant, streams, after, connection);
    onResponseClosed(reply.raw, close);
    reply.raw.on('error', () => undefined);
  });

  server.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    upgrade(request, socket, head).catch((error: unknown) => refuseUpgrade(socket, error));
  });
  server.addHook('preClose', async () => {
    for (const socket of sockets.clients) {
      socket.close(1001, 'the server stops');
      setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
    }
    sockets.close();
  });

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = request.url ?? '';
    // What is searched for may have another one in it.
    const queryAt = `${url}?`.indexOf('?');
    const [path, query] = [url.slice(0, queryAt), url.slice(queryAt + 1)];
    if (path !== PATH)
      throw new TailraceError('not_found', `There is no WebSocket here: tails are at ${PATH}.`);
    const requestHead = { headers: request.headers, method: 'GET' };
    // A page of another site may open a WebSocket with this one's cookies.
    if (request.headers.authorization === undefined) access.requireOwnOrigin(requestHead);
    const grant = await access.authenticate(requestHead);
    const tail = readTail(new Parameters(parse(query), PARAMETERS), undefined);
    const streams = tail.streams(grant);
    const after = tail.after === undefined ? undefined : readPositions(tail.after, streams, 'after');
    requireRoom();
    sockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      limitTailFrames(webSocket);
      const connection = new WebSocketConnection(webSocket, socket);
      const close = openTail(tail, grant, streams, after, connection);
      webSocket.on('close', close);
      webSocket.on('error', () => webSocket.terminate());
    });
  }

  function readTail(parameters: Parameters, lastEventId: string | undefined): TailRequest {
    const matchers = new StreamMatchers(prepareQuery(parameters.text('q') ?? ''));
    const wholeEvents = parameters.flag('events');
    return {
      filterOf: (stream) => new LineFilter({ matcher: matchers.of(stream), wholeEvents }),
      streams: (grant) => selectedStreams(parameters, groups, grant),
      after: lastEventId ?? parameters.text('after'),
    };
  }

  function requireRoom(): void {
    if (tails >= TAILS_MAX)
      throw new TailraceError('unavailable', 'Too many tails are open: close some, or try again later.');
  }

  function openTail(
    tail: TailRequest,
    granted: Grant,
    streams: readonly LogStreamRecord[],
    after: ReadonlyMap<AppId, number> | undefined,
    connection: KeptConnection,
  ): () => void {
    tails++;
    const merged = new MergedTail({ store, records, readers, encodingOf }, tail.filterOf, connection);
    let isOpen = true;
    const started = merged.start(streams, after).catch((error: unknown) => {
      log.warn({ err: error }, 'a tail ended early');
      connection.end();
    });
    /** Somebody may have lost the right to read, or a stream was added. */
    const look = async (): Promise<void> => {
      await started;
      const grant = await access.renew(granted);
      if (!isOpen) return;
      if (!grant) {
        connection.end();
        return;
      }
      merged.setStreams(tail.streams(grant));
    };
    const lookSafely = (): void =>
      void look().catch((error: unknown) => {
        // Nobody knows while the store is unavailable.
        if (!(error instanceof TailraceError) || error.code !== 'unavailable') connection.end();
      });
    const check = new PeriodicCheck(KEEP_ALIVE_MS, () => {
      connection.keepAlive(merged.newPosition());
      // A session may have ended by itself.
      lookSafely();
    });
    const unwatch = [access.onChange(lookSafely), groups.onChange(lookSafely)];
    return () => {
      if (!isOpen) return;
      isOpen = false;
      tails--;
      check.stop();
      for (const end of unwatch) end();
      merged.close();
    };
  }

  function encodingOf(stream: AppId): TailEncoding<string> {
    let encoding = encodings.get(stream);
    if (!encoding) {
      encoding = streamEncoding(stream);
      encodings.set(stream, encoding);
    }
    return encoding;
  }
}

function refuseUpgrade(socket: Duplex, error: unknown): void {
  const known =
    error instanceof TailraceError ? error : new TailraceError('unavailable', 'Internal server error.');
  const body = JSON.stringify({ id: known.code, message: known.message });
  socket.end(
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\nConnection: close\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
