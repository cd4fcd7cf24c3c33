/** What SDKs talk to: `/api/1/envelope/`, `/api/1/store/`, `/api/1/security/`, with the public key of the DSN. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { discardBody } from '../../../../common/http/discard-body.ts';
import { isSameSecret } from '../../../../common/secret-comparison.ts';
import { BodyMemory } from '../../../../logs/sources/bodies/body-memory.ts';
import { readBody } from '../../../../logs/sources/bodies/read-body.ts';
import { readEventId } from '../event/error-event.ts';
import { EVENT_DECOMPRESSORS, readPackedEvent } from './body-codings.ts';
import { envelopeKeyOf, requestKeyOf } from './credentials.ts';
import { parseJsonValue, readEnvelope, readEnvelopeHeader } from './envelope.ts';
import { asSentryError, type ErrorIntake, EVENT_BYTES_MAX, parseEvent } from './error-intake.ts';
import { readSecurityReports } from './security-report.ts';
import { SentryError } from './sentry-error.ts';

/** A DSN ends with it. There is one project. */
export const PROJECT = '1';
/** Packed or not: envelopes may have attachments, which are dropped. */
const BODY_BYTES_MAX = 20 * 1_048_576;
/** Bodies of all requests together. */
const BODIES_BYTES_MAX = 96 * 1_048_576;
const REPORT_LIMITS = { depth: 10, keys: 200, containers: 2_000 };

/** SDKs run in browsers, too. */
const CORS_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'X-Sentry-Error, X-Sentry-Rate-Limits, Retry-After',
  'Cross-Origin-Resource-Policy': 'cross-origin',
};
const PREFLIGHT_HEADERS = {
  'Access-Control-Allow-Methods': 'POST, OPTIONS',
  'Access-Control-Allow-Headers':
    'X-Sentry-Auth, X-Requested-With, Origin, Accept, Content-Type, Content-Encoding, Authentication, Authorization, sentry-trace, baggage, traceparent',
  'Access-Control-Max-Age': '86400',
};

interface IngestRequest {
  Params: { project: string };
  Querystring: { sentry_key?: unknown };
}

type Handler = (body: Buffer) => Promise<object>;

export function ingestRoutes(server: FastifyInstance, intake: ErrorIntake, publicKey: string): void {
  const memory = new BodyMemory(BODIES_BYTES_MAX);
  server.removeAllContentTypeParsers();
  // Bodies are read by the routes: with a limit on what is unpacked of them.
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
  server.addHook('onRequest', async (_request, reply) => {
    reply.headers(CORS_HEADERS);
  });
  server.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    void discardBody(request.raw);
    return sendError(error, reply);
  });

  const post = (name: string, handle: (request: FastifyRequest<IngestRequest>) => Handler): void => {
    const take = async (request: FastifyRequest<IngestRequest>): Promise<object> => {
      if (request.params.project !== PROJECT)
        throw new SentryError(403, 'event submission rejected with_reason: ProjectId');
      const key = keyOf(request);
      if (key !== undefined) requireKey(key, publicKey);
      else if (name !== 'envelope')
        throw new SentryError(403, 'missing authorization information: send the key of the DSN');
      const reservation = memory.reserve();
      try {
        memory.assertSpace();
        const body = await readBody(request.raw, BODY_BYTES_MAX, reservation, EVENT_DECOMPRESSORS);
        if (key === undefined) requireKey(envelopeKeyOf(readEnvelopeHeader(body)), publicKey);
        return await handle(request)(body);
      } catch (error) {
        intake.refusedRequests++;
        throw asSentryError(error);
      } finally {
        reservation.release();
      }
    };
    // Clients of all ages leave out the slash, or don't.
    for (const path of [`/api/:project(^\\d+$)/${name}/`, `/api/:project(^\\d+$)/${name}`]) {
      server.post(path, { bodyLimit: BODY_BYTES_MAX }, take);
      server.options(path, async (_request, reply) => reply.headers(PREFLIGHT_HEADERS).send(''));
    }
  };

  post('envelope', () => async (body) => {
    const { header, items } = readEnvelope(body);
    const envelopeId = readEventId(header.event_id);
    const id = (await intake.takeItems(items, envelopeId)) ?? envelopeId;
    return id === undefined ? {} : { id };
  });
  post('store', () => async (body) => ({
    id: await intake.take([parseEvent(await readPackedEvent(body, EVENT_BYTES_MAX))]),
  }));
  post('security', () => async (body) => {
    const reports = readSecurityReports(parseJsonValue(body, REPORT_LIMITS, 'the report'));
    await intake.take(reports.slice(0, 100));
    return {};
  });
}

function keyOf({ headers, query }: FastifyRequest<IngestRequest>): string | undefined {
  const sentryAuth = headers['x-sentry-auth'];
  return requestKeyOf({
    sentryAuth: typeof sentryAuth === 'string' ? sentryAuth : undefined,
    authorization: headers.authorization,
    query: typeof query.sentry_key === 'string' ? query.sentry_key : undefined,
  });
}

function requireKey(given: string | undefined, wanted: string): void {
  if (!isSameSecret(given ?? '', wanted))
    throw new SentryError(
      403,
      'event submission rejected with_reason: ProjectId: the key is not that of this DSN, take SENTRY_DSN as it is',
    );
}

/** `{"detail": …, "causes": […]}`, and what makes SDKs wait. */
function sendError(error: Error & { statusCode?: number }, reply: FastifyReply): FastifyReply {
  const status = error instanceof SentryError ? error.status : (error.statusCode ?? 500);
  const detail = status < 500 || error instanceof SentryError ? error.message : 'internal error';
  // Headers can't have anything else; texts of errors may quote what was sent.
  reply.header('X-Sentry-Error', detail.replace(/[^\x20-\x7e]/g, '?').slice(0, 500));
  if (error instanceof SentryError && error.retryAfter !== undefined)
    reply.headers({
      'Retry-After': String(error.retryAfter),
      // Seconds, categories of items, what it holds for.
      'X-Sentry-Rate-Limits': `${error.retryAfter}:error;default;security:organization`,
    });
  return reply.code(status).send({ detail, causes: [] });
}
