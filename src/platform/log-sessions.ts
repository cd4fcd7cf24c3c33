import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../errors.ts';
import type { AppId } from '../store/contract.ts';
import { EventStreamSink, TextStreamSink } from '../tails/event-stream.ts';
import { parseTailQuery, type TailQuery } from '../tails/query.ts';
import { TailSession } from '../tails/session.ts';
import type { Context } from './context.ts';

/** A session that nobody connects to ends after this long. */
const SESSION_MS = 5 * 60_000;

/** A log session's record, under `session/<secret>` in its app's scope. */
interface SessionRecord {
  readonly query: TailQuery;
  readonly expiresAtMs: number;
}

interface SessionBody {
  readonly lines?: number | string;
  readonly tail?: boolean;
  readonly source?: string;
  readonly dyno?: string;
  readonly format?: string;
}

/**
 * Log sessions: `POST /apps/:app/log-sessions` gives an address that can be read for five minutes without a key;
 * `GET` there gives server-sent events, or plain text for those who don't ask for events.
 */
export function sessionRoutes(
  server: FastifyInstance,
  context: Context,
  authorise: (request: FastifyRequest) => Promise<void>,
): void {
  const { directory, store } = context;

  server.post<{ Params: { app: string }; Body: SessionBody | null }>(
    '/apps/:app/log-sessions',
    { onRequest: authorise },
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      const query = asQuery(request.body ?? {});
      parseTailQuery(query, { tail: false });
      const secret = randomBytes(24).toString('base64url');
      const now = Date.now();
      const record: SessionRecord = { query, expiresAtMs: now + SESSION_MS };
      const old = await store.list<SessionRecord>(app.id, 'session/');
      await store.transact(app.id, [
        { key: `session/${secret}`, value: record },
        ...old.filter(({ value }) => value.expiresAtMs < now).map(({ key }) => ({ key, value: undefined })),
      ]);
      reply.code(201);
      const createdAt = new Date(now).toISOString();
      return {
        id: secret,
        logplex_url: `${request.protocol}://${request.host}/sessions/${app.id}/${secret}`,
        created_at: createdAt,
        updated_at: createdAt,
      };
    },
  );

  server.get<{ Params: { app: string; secret: string }; Querystring: TailQuery }>(
    '/sessions/:app/:secret',
    async (request, reply) => {
      const { app, secret } = request.params;
      const record = await store.get<SessionRecord>(app, `session/${secret}`);
      if (!record || record.value.expiresAtMs < Date.now())
        throw new TailraceError('not_found', 'This log session has expired: ask for a new one.');
      const after = request.query.after ?? lastEventId(request);
      stream(request, reply, app as AppId, { ...record.value.query, after });
    },
  );

  server.get<{ Params: { app: string }; Querystring: TailQuery }>(
    '/apps/:app/logs',
    { onRequest: authorise },
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      stream(request, reply, app.id, {
        ...request.query,
        after: request.query.after ?? lastEventId(request),
      });
    },
  );

  function stream(request: FastifyRequest, reply: FastifyReply, app: AppId, query: TailQuery): void {
    const options = parseTailQuery(query, { tail: false });
    const wantsEvents = request.headers.accept?.includes('text/event-stream') ?? false;
    reply.hijack();
    const sink = wantsEvents ? new EventStreamSink(reply.raw) : new TextStreamSink(reply.raw);
    const { reader, close } = context.readers.open(app);
    const session = new TailSession(reader, options, sink);
    sink.onReady = () => session.resume();
    reply.raw.on('close', () => {
      session.close();
      close();
    });
    session.start().catch(() => reply.raw.destroy());
  }
}

function asQuery(body: SessionBody): TailQuery {
  return {
    lines: body.lines === undefined ? undefined : String(body.lines),
    tail: body.tail === undefined ? undefined : String(body.tail),
    source: body.source,
    dyno: body.dyno,
    format: body.format,
  };
}

/** `Last-Event-ID`: where an event stream's reader was when it lost the connection. */
function lastEventId(request: FastifyRequest): string | undefined {
  const id = request.headers['last-event-id'];
  return typeof id === 'string' && /^\d{1,16}$/.test(id) ? id : undefined;
}
