/**
 * The HTTP sources: `POST /logs`, and OpenTelemetry's `POST /v1/logs`. A 2xx response means that the lines are stored: whatever
 * crashes next, they are not lost.
 */

import type { TextDecoder } from 'node:util';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../common/errors.ts';
import { trimOws } from '../../../common/http/fields.ts';
import type { TrustedProxies } from '../../../common/http/trusted-proxies.ts';
import { GuessPacer } from '../../../common/limits/guess-pacer.ts';
import { eventLoopBudget } from '../../../common/limits/turns.ts';
import type { Log } from '../../../common/log.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../router/token-cache.ts';
import { declaredDecoder, decodeToUtf8, detectDecoder } from '../bodies/body-charset.ts';
import { BodyMemory, type BodyReservation } from '../bodies/body-memory.ts';
import { digestRequestInSlices } from '../bodies/digest.ts';
import { type ParseJob, parseQuickly } from '../bodies/parse-body.ts';
import { type ParsedBody, ParsingThread } from '../bodies/parsing-thread.ts';
import { readBody } from '../bodies/read-body.ts';
import { encodeOtlpStatus } from '../formats/otlp-schema.ts';
import type { PackedLines } from '../formats/packed-lines.ts';
import { createListenerCounters, type ListenerCounters } from '../listener-counters.ts';
import { RejectionWarnings } from '../rejection-warnings.ts';
import { BODY_FORMATS, isHerokuDrainForm, OTLP_FORMATS, refusalForm } from './body-formats.ts';
import { FastPathServer } from './fast-path/fast-path-server.ts';
import { HELD_REQUESTS, HeldRequests, type HoldableRequest } from './held-requests.ts';
import {
  type AuthorizedSender,
  IngestAuthorizer,
  type IngestAuthorizerOptions,
  queryText,
  type SourceForSender,
} from './ingest-authorizer.ts';
import { RefusedRequests, refusalOf } from './refused-requests.ts';
import { LogplexLines, ParsedLines, type RequestLines, TextLines } from './request-lines.ts';
import { readFrameId, recordFormFor, sharesBatches } from './request-receiver.ts';
import { RequestStorer } from './request-storer.ts';

/** Largest body of a request, decompressed. */
const BODY_BYTES_MAX = 8_000_000;

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

/** A request on its way. */
interface PushedRequest {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly counters: ListenerCounters;
  readonly authorizer: IngestAuthorizer;
  readonly hold: HoldableRequest;
  readonly memory: BodyReservation;
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
  const authorization = { router, rateLimiter, mayWrite, sourceForSender, guesses: new GuessPacer() };
  const authorizer = new IngestAuthorizer({ ...authorization, counters });
  const otlpAuthorizer = new IngestAuthorizer({ ...authorization, counters: otlpCounters });
  const held = new HeldRequests({ ...HELD_REQUESTS, holdMs });
  const bodyMemory = new BodyMemory();
  const parsingThread = new ParsingThread();
  const refusedRequests = new RefusedRequests();
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
      await withMemory(request, reply, authorizer, counters, takeRequest);
      // Winston's HTTP transport, for one, takes anything but 200 for a failure.
      if (isJsonRequest(request)) return reply.code(200).type('application/json').send('{}');
      return reply.code(204).send();
    });
    logs.post('/v1/logs', { onSend: refuseAsOtlp }, async (request, reply) => {
      const isJson = contentType(request) === 'application/json';
      await withMemory(request, reply, otlpAuthorizer, otlpCounters, takeOtlp);
      // An ExportLogsServiceResponse without a partial success: in protobuf, no bytes at all.
      return reply
        .type(isJson ? 'application/json' : 'application/x-protobuf')
        .send(isJson ? '{}' : Buffer.alloc(0));
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

  /** Takes a request, and gives back what its body took. */
  async function withMemory(
    request: FastifyRequest,
    reply: FastifyReply,
    authorizerOf: IngestAuthorizer,
    countersOf: ListenerCounters,
    take: (pushed: PushedRequest) => Promise<void>,
  ): Promise<void> {
    const memory = bodyMemory.reserve();
    const hold = held.begin(() => request.raw.socket.destroyed);
    try {
      await take({ request, reply, counters: countersOf, authorizer: authorizerOf, hold, memory });
    } finally {
      memory.release();
    }
  }

  async function takeRequest(pushed: PushedRequest): Promise<void> {
    const { request } = pushed;
    const type = contentType(request);
    // Without a type it may be JSON, which shows in the body.
    const format = type === '' ? 'json' : BODY_FORMATS.get(type);
    const sender = await authorize(pushed);
    if (!format) throw unsupportedContentType(request);
    const { logSource } = sender;
    if (format !== 'logplex' && !logSource)
      throw new TailraceError(
        'bad_request',
        `${format === 'text' ? 'Plain text' : 'JSON'} needs a source token: add ?token=t.… or authenticate with it.`,
      );
    const declared = format === 'logplex' ? undefined : declaredDecoder(request.headers['content-type']);
    const received = await admitAndRead(pushed, sender);
    const decoder = format === 'logplex' ? undefined : (declared ?? detectDecoder(received));
    const body = decoder ? await decode(pushed, received, decoder) : received;
    if (type === '' && !beginsAsJson(body)) throw unsupportedContentType(request);
    const dyno = queryText(request, 'dyno');
    if (format === 'logplex') {
      const msgCount = request.headers['logplex-msg-count'];
      await store(
        pushed,
        logSource,
        new LogplexLines(body, { msgCount, tokenPerLine: !logSource, counters }),
      );
    } else if (format === 'text') await store(pushed, logSource, new TextLines(body, dyno));
    else await parseAndStore(pushed, logSource, { format, body, dyno });
  }

  async function takeOtlp(pushed: PushedRequest): Promise<void> {
    const { request } = pushed;
    const type = contentType(request);
    const format = OTLP_FORMATS.get(type);
    const { logSource } = await authorize(pushed);
    if (!logSource)
      throw new TailraceError(
        'bad_request',
        'OTLP needs a source token: add ?token=t.… or authenticate with it.',
      );
    if (!format) throw unsupportedOtlpContentType(request);
    const body = await admitAndRead(pushed, { logSource });
    const source = { source: logSource.source, keepService: logSource.source === WILDCARD_SOURCE };
    await parseAndStore(pushed, logSource, { format, body, source });
  }

  function authorize({ request, reply, authorizer: by, hold }: PushedRequest): Promise<AuthorizedSender> {
    return held.run(hold, () => by.authorize(request, reply));
  }

  async function admitAndRead(pushed: PushedRequest, sender: AuthorizedSender): Promise<Buffer> {
    const { request, authorizer: by, hold, memory } = pushed;
    assertHasLength(request);
    await held.run(hold, () => {
      by.admit(request, sender);
      bodyMemory.assertSpace();
    });
    return readBody(request.raw, BODY_BYTES_MAX, memory);
  }

  /** A body in UTF-8. */
  async function decode({ memory }: PushedRequest, body: Buffer, decoder: TextDecoder): Promise<Buffer> {
    const decoded = await decodeToUtf8(body, decoder, BODY_BYTES_MAX);
    memory.add(decoded.length);
    return decoded;
  }

  async function parseAndStore(
    pushed: PushedRequest,
    logSource: LogSource | undefined,
    job: ParseJob,
  ): Promise<void> {
    const { lines, body } = await parse(pushed, logSource, job).catch((error: unknown) => {
      if (error instanceof TailraceError && error.code === 'bad_request') pushed.counters.malformed++;
      throw error;
    });
    await store(pushed, logSource, new ParsedLines(body, lines));
  }

  async function parse(
    { hold, request }: PushedRequest,
    logSource: LogSource | undefined,
    job: ParseJob,
  ): Promise<ParsedBody> {
    const form = recordFormFor(logSource, normalizeAddress(request.ip));
    const lines = await parseInTurn({ ...job, form });
    if (lines) return { lines, body: job.body };
    return held.run(hold, () => parsingThread.parse(logSource?.app ?? '', job));
  }

  /** Stores a request's lines; resolves when they are stored. What fits into one batch is stored all or none. */
  async function store(
    pushed: PushedRequest,
    logSource: LogSource | undefined,
    lines: RequestLines,
  ): Promise<void> {
    const { request, reply, counters: counted, hold } = pushed;
    const frameId = readFrameId(request.headers['logplex-frame-id']);
    const fromHerokuDrain = isHerokuDrainForm(contentType(request), request.headers['logplex-drain-token']);
    const digest = (): Promise<string> => digestRequestInSlices(senderOf(pushed, logSource), lines.body);
    const known = frameId === undefined && !refusedRequests.isEmpty ? await digest() : undefined;
    const storedBefore = known === undefined ? undefined : await refusedRequests.storedAppsOf(known);
    const bytes = lines.batchBytes;
    const shared = sharesBatches({ logSource, bytes, frameId, storedBefore });
    const storer = new RequestStorer(
      {
        router,
        rateLimiter,
        counters: counted,
        host: normalizeAddress(request.ip),
        logSource,
        bytes,
        frameId,
        storedBefore,
        fromHerokuDrain,
      },
      (receiver) => (shared ? lines.take(receiver) : lines.takeInSlices(receiver)),
    );
    hold.bytes = bytes;
    try {
      await held.run(hold, () => storer.store());
    } catch (error) {
      const { storedInSpite } = storer;
      if (storedInSpite && frameId === undefined)
        refusedRequests.remember(known ?? (await digest()), storedInSpite);
      throw refusalOf(error, storedInSpite);
    }
    // A sender that disconnects before the response doesn't know, and sends it again.
    if (known !== undefined) reply.raw.once('finish', () => refusedRequests.forget(known));
    lines.release();
  }
}

/** Of a body without a length nobody knows where it ends: Node.js takes it for none (RFC 9112 section 6.3). @throws TailraceError `length_required` */
function assertHasLength({ headers }: FastifyRequest): void {
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) return;
  throw new TailraceError(
    'length_required',
    "The request doesn't say how long its body is: send Content-Length, or the body in chunks.",
  );
}

/** Parses a body that takes no time, now or, when many have come at once, in a later turn of the event loop; undefined for others. */
function parseInTurn(job: ParseJob): Promise<PackedLines | undefined> {
  return new Promise((resolve, reject) => {
    eventLoopBudget.run(() => {
      try {
        resolve(parseQuickly(job));
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** Whose request it is, for the recognition of retries. */
function senderOf({ request }: PushedRequest, logSource: LogSource | undefined): string {
  return `${logSource?.token} ${request.url} ${contentType(request)}`;
}

function contentType(request: FastifyRequest): string {
  return trimOws(request.headers['content-type']?.split(';', 1)[0] ?? '').toLowerCase();
}

/** A request that is answered in JSON. */
function isJsonRequest(request: FastifyRequest): boolean {
  const type = contentType(request);
  return type === '' || type === 'application/json';
}

/** Refusals of OTLP are written as the request is. */
async function refuseAsOtlp(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<unknown> {
  const format = OTLP_FORMATS.get(contentType(request)) ?? 'otlp-json';
  const acceptsJson = request.headers.accept?.includes('json') ?? false;
  if (reply.statusCode < 400 || refusalForm(format, acceptsJson) !== 'protobuf') return payload;
  reply.type('application/x-protobuf');
  return encodeOtlpStatus(JSON.parse(String(payload)).message);
}

/** Does a body begin as an object or an array does? */
function beginsAsJson(body: Buffer): boolean {
  const text = body
    .toString('latin1', 0, 64)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  return text[0] === '{' || text[0] === '[';
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
