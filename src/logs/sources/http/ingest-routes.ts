/**
 * The routes of the HTTP sources: `POST /logs`, and OpenTelemetry's `POST /v1/logs`. A 2xx response means that the lines are stored:
 * whatever crashes next, they are not lost.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TrustedProxies } from '../../../common/http/trusted-proxies.ts';
import { AuthFailureThrottle } from '../../../common/limits/auth-failure-throttle.ts';
import type { Log } from '../../../common/log.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import { BodyMemory } from '../bodies/body-memory.ts';
import { ParsingThread } from '../bodies/parsing-thread.ts';
import { encodeOtlpResponse, encodeOtlpStatus, otlpResponseJson } from '../formats/otlp-schema.ts';
import { createListenerCounters, type ListenerCounters } from '../listener-counters.ts';
import { RejectionWarnings } from '../rejection-warnings.ts';
import { OTLP_FORMATS, refusalForm } from './body-formats.ts';
import { FastPathServer } from './fast-path/fast-path-server.ts';
import { HELD_REQUESTS, HeldRequests } from './held-requests.ts';
import { IngestAuthorizer, type IngestAuthorizerOptions, type SourceForSender } from './ingest-authorizer.ts';
import {
  IngestHandler,
  requestContentType,
  unsupportedContentType,
  unsupportedOtlpContentType,
} from './ingest-handler.ts';
import { RefusedRequests } from './refused-requests.ts';

export interface IngestRoutesOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  /** May this API key write lines to any app? */
  readonly mayWrite: IngestAuthorizerOptions['mayWrite'];
  /** Left out: a token says whose lines a request has, and nothing else does. */
  readonly sourceForSender?: SourceForSender;
  /** How long a request is held that the store can't take for now, milliseconds. */
  readonly holdMs: number;
  /** Proxies that are believed who sends; left out: none. */
  readonly trustedProxies?: TrustedProxies;
  readonly log: Log;
}

/**
 * Adds the routes to a server, in an encapsulation of their own: here bodies are bytes. Returns the counters of `http` and `otlp`.
 */
export async function registerIngestRoutes(
  server: FastifyInstance,
  { router, rateLimiter, mayWrite, sourceForSender, holdMs, trustedProxies, log }: IngestRoutesOptions,
): Promise<readonly ListenerCounters[]> {
  const counters = createListenerCounters('http');
  const otlpCounters = createListenerCounters('otlp');
  const authorization = {
    router,
    rateLimiter,
    mayWrite,
    sourceForSender,
    guesses: new AuthFailureThrottle(),
  };
  const authorizer = new IngestAuthorizer({ ...authorization, counters });
  const otlpAuthorizer = new IngestAuthorizer({ ...authorization, counters: otlpCounters });
  const held = new HeldRequests({ ...HELD_REQUESTS, holdMs });
  const bodyMemory = new BodyMemory();
  const parsingThread = new ParsingThread();
  const refusedRequests = new RefusedRequests();
  const handler = new IngestHandler({
    router,
    rateLimiter,
    held,
    bodyMemory,
    parsingThread,
    refusedRequests,
  });
  const rejectionWarnings = [counters, otlpCounters].map((of) => new RejectionWarnings(of, log));
  const fastPath = new FastPathServer(server.server, {
    router,
    rateLimiter,
    counters,
    otlpCounters,
    sourceForSender,
    bodyMemory,
    held,
    refusedRequests,
    trustedProxies,
    onResponse: () => {
      for (const of of rejectionWarnings) of.check();
    },
    log,
  });
  server.addHook('preClose', async () => {
    held.close();
    await fastPath.close();
  });
  server.addHook('onClose', () => parsingThread.close());
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
      await handler.takeLines({ request, reply, authorizer, counters });
      // Winston's HTTP transport, for one, takes anything but 200 for a failure.
      if (isJsonRequest(request)) return reply.code(200).type('application/json').send('{}');
      return reply.code(204).send();
    });
    logs.post('/v1/logs', { onSend: refuseAsOtlp }, async (request, reply) => {
      const isJson = requestContentType(request) === 'application/json';
      const rejected = await handler.takeOtlp({
        request,
        reply,
        authorizer: otlpAuthorizer,
        counters: otlpCounters,
      });
      return reply
        .type(isJson ? 'application/json' : 'application/x-protobuf')
        .send(isJson ? otlpResponseJson(rejected) : encodeOtlpResponse(rejected));
    });
    for (const url of ['/logs', '/v1/logs'])
      logs.route({
        method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
        url,
        handler: async (_request, reply) => {
          reply.code(405).header('Allow', 'POST');
          return { id: 'method_not_allowed', message: 'Lines are pushed with POST.' };
        },
      });
  });
  return [counters, otlpCounters];
}

/** A request that is answered in JSON. */
function isJsonRequest(request: FastifyRequest): boolean {
  const type = requestContentType(request);
  return type === '' || type === 'application/json';
}

/** Refusals of OTLP are written as the request is. */
async function refuseAsOtlp(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<unknown> {
  const format = OTLP_FORMATS.get(requestContentType(request)) ?? 'otlp-json';
  const acceptsJson = request.headers.accept?.includes('json') ?? false;
  if (reply.statusCode < 400 || refusalForm(format, acceptsJson) !== 'protobuf') return payload;
  reply.type('application/x-protobuf');
  return encodeOtlpStatus(JSON.parse(String(payload)).message);
}
