import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { onResponseClosed } from '../../common/http/response-closed.ts';
import { parseTime } from '../../common/time-expression.ts';
import { withTimes } from '../../logs/query/query-times.ts';
import type { AppId } from '../../logs/store/contract.ts';
import type { StreamReaders } from '../../logs/store/stream-reader.ts';
import { openTail, prepareTail } from '../../logs/tails/open-tail.ts';
import { EventStreamSink, TextStreamSink } from '../../logs/tails/output/event-stream-sink.ts';
import { parseTailQuery, type TailQuery } from '../../logs/tails/tail-query.ts';
import type { LogSessionStore } from './log-session-store.ts';
import type { TailRegistry } from './tail-registry.ts';

/** The body of a request for a log session: Heroku's `lines`, `tail`, `source` and `dyno`, and all that a tail understands. */
type LogSessionRequest = { readonly [name in keyof TailQuery]?: string | number | boolean | null };

/** What these routes work with. */
export interface LogSessionRouteDependencies {
  readonly addresses: Addresses;
  readonly appRegistry: AppRegistry;
  readonly readers: StreamReaders;
}

/**
 * Log sessions: `POST /apps/:app/log-sessions` gives a URL that can be read without a key until it is unused for five
 * minutes; `GET` there gives server-sent events, or plain text for those who don't ask for events. `GET /apps/:app/logs` gives
 * the same with a key.
 */
export function logSessionRoutes(
  server: FastifyInstance,
  dependencies: LogSessionRouteDependencies,
  sessionStore: LogSessionStore,
  tailRegistry: TailRegistry,
  authorize: (request: FastifyRequest) => Promise<void>,
): void {
  const { addresses, appRegistry, readers } = dependencies;

  server.post<{ Params: { app: string }; Body: LogSessionRequest | null }>(
    '/apps/:app/log-sessions',
    { onRequest: authorize },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const query = parseSessionBody(request.body ?? {});
      const { sinceMs, untilMs } = parseTailQuery(query, { tail: false });
      // `10m` counts from now, not from when a client connects.
      const since = sinceMs === undefined ? undefined : new Date(sinceMs).toISOString();
      const until = untilMs === undefined ? undefined : new Date(untilMs).toISOString();
      const q = query.q && withTimes(query.q, toIsoTime);
      const sessionQuery = { ...query, ...(q && { q }), ...(since && { since }), ...(until && { until }) };
      const secret = await sessionStore.create(app.id, sessionQuery, request.keyGrant?.hash);
      reply.code(201);
      const createdAt = new Date().toISOString();
      return {
        id: secret,
        logplex_url: `${addresses.forClient(request)}/sessions/${app.id}/${secret}`,
        created_at: createdAt,
        updated_at: createdAt,
      };
    },
  );

  server.get<{ Params: { app: AppId; secret: string }; Querystring: TailQuery }>(
    '/sessions/:app/:secret',
    async (request, reply) => {
      const { secret } = request.params;
      const app = await appOfSession(appRegistry, request.params.app);
      const requested = queryWithLastEventId(request);
      const { query, keyHash } = await sessionStore.resolveQuery(app, secret, requested);
      await streamTail(request, reply, app, query, keyHash, () => sessionStore.keepAlive(app.id, secret));
    },
  );

  server.get<{ Params: { app: string }; Querystring: TailQuery }>(
    '/apps/:app/logs',
    { onRequest: authorize },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      await streamTail(request, reply, app, queryWithLastEventId(request), request.keyGrant?.hash);
    },
  );

  // A WebSocket's request comes here without its upgrade (tail-websockets.ts has the others).
  server.get('/apps/:app/tail', { onRequest: authorize }, async (_request, reply) => {
    reply.header('Upgrade', 'websocket').header('Connection', 'Upgrade');
    throw new TailraceError(
      'upgrade_required',
      'This is a WebSocket, and the request came without an upgrade: a proxy on the way may have removed it (nginx needs `proxy_http_version 1.1` and the headers Upgrade and Connection). `GET /apps/<app>/logs` gives the same lines as server-sent events.',
    );
  });

  async function streamTail(
    request: FastifyRequest,
    reply: FastifyReply,
    app: AppRecord,
    query: TailQuery,
    keyHash: string | undefined,
    keepSessionAlive: () => () => void = () => () => {},
  ): Promise<void> {
    const options = parseTailQuery(query, { tail: false });
    const release = await prepareTail(readers, app.id);
    const wantsEvents = request.headers.accept?.includes('text/event-stream') ?? false;
    reply.hijack();
    const sink = wantsEvents
      ? new EventStreamSink(reply.raw, options.format)
      : new TextStreamSink(reply.raw, options.format);
    const close = openTail(readers, app.id, options, sink, () => reply.raw.destroy());
    release();
    const releaseSession = keepSessionAlive();
    const unregister = tailRegistry.add(app, keyHash, () => sink.end());
    onResponseClosed(reply.raw, () => {
      close();
      releaseSession();
      unregister();
    });
  }
}

/** The app whose id an address of a session has. @throws TailraceError `not_found` */
export async function appOfSession(appRegistry: AppRegistry, id: string): Promise<AppRecord> {
  const app = await appRegistry.findApp(id);
  if (app?.id !== id)
    throw new TailraceError('not_found', 'This log session has expired: ask for a new one.');
  return app;
}

/** A time that can be read, as one that means the same later. */
function toIsoTime(text: string): string {
  const ms = parseTime(text, Date.now());
  return ms === undefined ? text : new Date(ms).toISOString();
}

/** @throws TailraceError `invalid_params` for what is no object, and for values that are neither text, number nor flag. */
function parseSessionBody(body: LogSessionRequest): TailQuery {
  if (typeof body !== 'object' || Array.isArray(body))
    throw new TailraceError(
      'invalid_params',
      'A log session is asked for with an object, such as {"lines": 100}.',
    );
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(body)) {
    if (value === null) continue;
    if (typeof value === 'object')
      throw new TailraceError('invalid_params', `${name} must be a text, a number or true or false.`);
    query[name] = String(value);
  }
  return query;
}

/** The query of a URL; `Last-Event-ID` is the position of an event stream's reader when it lost the connection. */
function queryWithLastEventId(request: FastifyRequest<{ Querystring: TailQuery }>): TailQuery {
  const id = request.headers['last-event-id'];
  const known = typeof id === 'string' && /^\d{1,15}$/.test(id) ? id : undefined;
  return { ...request.query, after: known ?? request.query.after };
}
