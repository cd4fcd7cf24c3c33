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
import { prepareQuery } from '../../../../src/logs/query/query-matcher.ts';
import { LineFilter } from '../../../../src/logs/syslog/line-filter.ts';
import {
  limitTailFrames,
  TAIL_FRAGMENTS_MAX,
  TAIL_PAYLOAD_BYTES_MAX,
} from '../../../../src/logs/tails/output/websocket-limits.ts';
import type { Grant } from '../../access/grant.ts';
import type { Groups } from '../../groups/groups.ts';
import type { ViewerParts } from '../../parts.ts';
import { readPositions } from '../lines/positions.ts';
import { selectedStreams } from '../lines/selection.ts';
import { StreamMatchers } from '../lines/stream-matchers.ts';
import { Parameters } from '../parameters.ts';
import { grantOf } from '../request-grant.ts';
import { EventStreamConnection, WebSocketConnection } from './connections.ts';
import { OpenTails, type TailRequest } from './open-tails.ts';

const PARAMETERS = ['group', 'stream', 'q', 'after', 'events'];
const PATH = '/api/tail';
const CLOSE_TIMEOUT_MS = 500;

/** Events are a route behind the sign-in; upgrades come to the server itself. */
export function registerTailRoutes(server: FastifyInstance, parts: ViewerParts): void {
  const { groups, access } = parts;
  const tails = new OpenTails(parts);
  // Of a client that sends frame after frame one is read in a turn of the event loop (`allowSynchronousEvents`).
  const sockets = new WebSocketServer({
    noServer: true,
    allowSynchronousEvents: false,
    perMessageDeflate: false,
    maxPayload: TAIL_PAYLOAD_BYTES_MAX,
    maxFragments: TAIL_FRAGMENTS_MAX,
  });

  server.get(PATH, async (request, reply) => {
    const lastEventId = request.headers['last-event-id'];
    const given = typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined;
    const tail = readTail(new Parameters(request.query, PARAMETERS), given, groups, grantOf(request));
    tails.requireRoom();
    reply.hijack();
    const close = tails.open(tail, new EventStreamConnection(reply.raw, PAGE_SECURITY_HEADERS));
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
    const tail = readTail(new Parameters(parse(query), PARAMETERS), undefined, groups, grant);
    tails.requireRoom();
    sockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      limitTailFrames(webSocket);
      const close = tails.open(tail, new WebSocketConnection(webSocket, socket));
      webSocket.on('close', close);
      webSocket.on('error', () => webSocket.terminate());
    });
  }
}

/** @throws TailraceError when the parameters can't be read, or what is selected isn't the reader's */
function readTail(
  parameters: Parameters,
  lastEventId: string | undefined,
  groups: Groups,
  grant: Grant,
): TailRequest {
  const matchers = new StreamMatchers(prepareQuery(parameters.text('q') ?? ''));
  const wholeEvents = parameters.flag('events');
  const after = lastEventId ?? parameters.text('after');
  const streamsOf = (renewed: Grant) => selectedStreams(parameters, groups, renewed);
  const streams = streamsOf(grant);
  return {
    grant,
    streams,
    streamsOf,
    after: after === undefined ? undefined : readPositions(after, streams, 'after'),
    filterOf: (stream) => new LineFilter({ matcher: matchers.of(stream), wholeEvents }),
  };
}

function refuseUpgrade(socket: Duplex, error: unknown): void {
  const known =
    error instanceof TailraceError ? error : new TailraceError('unavailable', 'Internal server error.');
  const body = JSON.stringify({ id: known.code, message: known.message });
  socket.end(
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\nConnection: close\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
