/**
 * The HTTP sources: `POST /logs`, and OpenTelemetry's `POST /v1/logs`. A 2xx response means that the lines are stored: whatever
 * crashes next, they are not lost.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { detachBuffer } from '../../../common/buffers/detach-buffer.ts';
import { TailraceError } from '../../../common/errors.ts';
import { trimOws } from '../../../common/http/fields.ts';
import type { Log } from '../../../common/log.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../router/token-cache.ts';
import { RECORD_HEADER } from '../../syslog/batch.ts';
import { jsonToSyslogLine, readJson, readNdjson } from '../formats/json-lines.ts';
import { estimateLogplexBatchBytes, takeLogplexBody } from '../formats/logplex-body.ts';
import { otlpToSyslogLines } from '../formats/otlp.ts';
import { PlainTextBody } from '../formats/plain-text-body.ts';
import type { LineReceiver } from '../line-receiver.ts';
import { createListenerCounters, type ListenerCounters } from '../listener-counters.ts';
import { RejectionWarnings } from '../rejection-warnings.ts';
import { FastPathServer } from './fast-path-server.ts';
import { IngestAuthorizer } from './ingest-authorizer.ts';
import { readBody } from './read-body.ts';
import { appsStoredInSpite, digestRequest, RefusedRequests } from './refused-requests.ts';
import { readFrameId, receiverForRequest } from './request-receiver.ts';

/** Largest body of a request, decompressed. */
const BODY_BYTES_MAX = 8_000_000;

const NEWLINE = 0x0a;
/** By so much a line without timestamp and host grows in a batch. */
const LINE_GROWTH_BYTES = RECORD_HEADER + 96;

/** The format of a body, by its content type. */
const BODY_FORMATS: Readonly<Record<string, 'logplex' | 'text' | 'ndjson' | 'json'>> = {
  'application/logplex-1': 'logplex',
  'application/x-logplex-1': 'logplex',
  'text/plain': 'text',
  // What `curl --data-binary @file` sends by default.
  'application/x-www-form-urlencoded': 'text',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/x-jsonlines': 'ndjson',
  'application/json': 'json',
};

export interface IngestRoutesOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  /** May this API key write lines to any app? */
  readonly mayWrite: (key: string) => Promise<boolean>;
  readonly log: Log;
}

interface PushedRequest {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** The source of all lines. */
  readonly logSource: LogSource | undefined;
  readonly body: Buffer;
  /** About what its lines take in a batch. */
  readonly bytes: number;
  readonly counters: ListenerCounters;
}

/**
 * Adds the routes to a server, in an encapsulation of their own: here bodies are bytes. Returns the counters of `http` and `otlp`.
 */
export async function registerIngestRoutes(
  server: FastifyInstance,
  { router, rateLimiter, mayWrite, log }: IngestRoutesOptions,
): Promise<readonly ListenerCounters[]> {
  const counters = createListenerCounters('http');
  const otlpCounters = createListenerCounters('otlp');
  const authorizer = new IngestAuthorizer({ router, rateLimiter, mayWrite, counters });
  const otlpAuthorizer = new IngestAuthorizer({ router, rateLimiter, mayWrite, counters: otlpCounters });
  const refusedRequests = new RefusedRequests();
  const rejectionWarnings = [counters, otlpCounters].map((of) => new RejectionWarnings(of, log));
  const fastPath = new FastPathServer(server.server, {
    router,
    rateLimiter,
    counters,
    refusedRequests,
    onResponse: () => rejectionWarnings[0].check(),
    log,
  });
  server.addHook('preClose', () => fastPath.close());
  await server.register(async (logs) => {
    logs.removeAllContentTypeParsers();
    logs.addContentTypeParser('*', (_request, _payload, done) => done(null));
    logs.setErrorHandler((error: Error & { code?: string }, request) => {
      // A type without a slash: Fastify rejects it before the handler is called.
      if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
        throw request.routeOptions.url === '/logs'
          ? unsupportedContentType(request)
          : unsupportedOtlpContentType(request);
      throw error;
    });
    logs.addHook('onResponse', async () => {
      for (const of of rejectionWarnings) of.check();
    });
    logs.post('/logs', async (request, reply) => {
      await takeRequest(request, reply);
      return reply.code(204).send();
    });
    logs.post('/v1/logs', takeOtlp);
    for (const url of ['/logs', '/v1/logs'])
      logs.route({
        method: ['GET', 'PUT', 'PATCH', 'DELETE'],
        url,
        handler: async (_request, reply) => {
          reply.code(405).header('Allow', 'POST');
          return { id: 'method_not_allowed', message: 'Lines are pushed with POST.' };
        },
      });
  });
  return [counters, otlpCounters];

  async function takeRequest(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const format = BODY_FORMATS[contentType(request)];
    const sender = await authorizer.authorize(request, reply);
    if (!format) throw unsupportedContentType(request);
    authorizer.admit(request, sender);
    const { logSource } = sender;
    if (format !== 'logplex' && !logSource)
      throw new TailraceError(
        'bad_request',
        `${format === 'text' ? 'Plain text' : 'JSON'} needs a source token: add ?token=t.… or authenticate with it.`,
      );
    const body = await readBody(request.raw, BODY_BYTES_MAX);
    const { dyno } = request.query as { dyno?: string };
    if (format === 'logplex') {
      const msgCount = request.headers['logplex-msg-count'];
      const bytes = estimateLogplexBatchBytes(body.length, msgCount);
      await storeRequest({ request, reply, logSource, body, bytes, counters }, (receiver) =>
        takeLogplexBody(body, receiver, { msgCount, tokenPerLine: !logSource, counters }),
      );
      return;
    }
    if (format === 'text') {
      const bytes = body.length + countLines(body) * LINE_GROWTH_BYTES;
      const take = (receiver: LineReceiver): void => new PlainTextBody(dyno).take(body, receiver);
      await storeRequest({ request, reply, logSource, body, bytes, counters }, take);
      return;
    }
    const lines = parseCounted(counters, () =>
      (format === 'json' ? readJson(body) : readNdjson(body)).map((value) => jsonToSyslogLine(value, dyno)),
    );
    const bytes = estimateBatchBytes(lines);
    await storeRequest({ request, reply, logSource, body, bytes, counters }, linesTaker(lines));
  }

  async function takeOtlp(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const type = contentType(request);
    const isJson = type === 'application/json';
    const logSource = await otlpAuthorizer.authorizeSingleSource(request, reply, 'OTLP');
    if (!isJson && type !== 'application/x-protobuf' && type !== 'application/protobuf')
      throw unsupportedOtlpContentType(request);
    otlpAuthorizer.admit(request, { logSource });
    const body = await readBody(request.raw, BODY_BYTES_MAX);
    const isWildcard = logSource.source === WILDCARD_SOURCE;
    const lines = parseCounted(otlpCounters, () =>
      otlpToSyslogLines(body, isJson, logSource.source, isWildcard),
    );
    const bytes = estimateBatchBytes(lines);
    await storeRequest({ request, reply, logSource, body, bytes, counters: otlpCounters }, linesTaker(lines));
    // An ExportLogsServiceResponse without a partial success: in protobuf, no bytes at all.
    return reply.type(isJson ? type : 'application/x-protobuf').send(isJson ? '{}' : Buffer.alloc(0));
  }

  /** Stores a request's lines; resolves when they are stored. Those of an app are stored all or none. */
  async function storeRequest(
    { request, reply, logSource, body, bytes, counters: counted }: PushedRequest,
    take: (receiver: LineReceiver) => Promise<void> | undefined | void,
  ): Promise<void> {
    const frameId = readFrameId(request.headers['logplex-frame-id']);
    // Heroku's drains in other formats send this header, too.
    const fromHerokuDrain =
      request.headers['logplex-drain-token'] !== undefined &&
      contentType(request) === 'application/logplex-1';
    const sender = `${logSource?.token} ${request.url} ${contentType(request)}`;
    const known = frameId === undefined && !refusedRequests.isEmpty ? digestRequest(sender, body) : undefined;
    const receiver = receiverForRequest({
      router,
      rateLimiter,
      counters: counted,
      host: normalizeAddress(request.ip),
      logSource,
      bytes,
      frameId,
      storedBefore: known === undefined ? undefined : await refusedRequests.storedAppsOf(known),
      fromHerokuDrain,
    });
    try {
      const taking = take(receiver);
      // Not after a turn of the event loop when nothing had to be waited for: others' lines may come.
      await (taking ? taking.then(() => receiver.whenStored()) : receiver.whenStored());
    } catch (error) {
      const storedApps = appsStoredInSpite(error, logSource?.app);
      if (storedApps && frameId === undefined)
        refusedRequests.remember(known ?? digestRequest(sender, body), storedApps);
      throw error;
    }
    detachBuffer(body);
    // A sender that disconnects before the response doesn't know, and sends it again.
    if (known !== undefined) reply.raw.once('finish', () => refusedRequests.forget(known));
  }
}

/** Parses a body; one that is malformed is counted. */
function parseCounted(counters: ListenerCounters, parse: () => readonly Buffer[]): readonly Buffer[] {
  try {
    return parse();
  } catch (error) {
    if (error instanceof TailraceError && error.code === 'bad_request') counters.malformed++;
    throw error;
  }
}

function linesTaker(lines: readonly Buffer[]): (receiver: LineReceiver) => void {
  return (receiver) => {
    for (const line of lines) receiver.take(line, 0, line.length);
  };
}

function estimateBatchBytes(lines: readonly Buffer[]): number {
  return lines.reduce((sum, line) => sum + line.length + LINE_GROWTH_BYTES, 0);
}

function countLines(text: Buffer): number {
  let count = 1;
  for (let at = text.indexOf(NEWLINE); at !== -1; at = text.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

function contentType(request: FastifyRequest): string {
  return trimOws(request.headers['content-type']?.split(';', 1)[0] ?? '').toLowerCase();
}

function unsupportedContentType(request: FastifyRequest): TailraceError {
  return new TailraceError(
    'unsupported_type',
    `Content-Type ${contentType(request) || '(none)'} isn't supported: send application/logplex-1, text/plain, application/x-ndjson or application/json.`,
  );
}

function unsupportedOtlpContentType(request: FastifyRequest): TailraceError {
  return new TailraceError(
    'unsupported_type',
    `Content-Type ${contentType(request) || '(none)'} isn't supported: send application/x-protobuf or application/json.`,
  );
}
