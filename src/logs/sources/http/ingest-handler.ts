/** Takes the requests of the HTTP sources: a promise that resolves means that the lines are stored. */

import type { TextDecoder } from 'node:util';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../common/errors.ts';
import { trimOws } from '../../../common/http/fields.ts';
import { eventLoopBudget } from '../../../common/limits/turns.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../router/token-cache.ts';
import { declaredDecoder, decodeToUtf8, detectDecoder } from '../bodies/body-charset.ts';
import type { BodyMemory, BodyReservation } from '../bodies/body-memory.ts';
import { digestRequestInSlices } from '../bodies/digest.ts';
import { type ParseJob, parseQuickly } from '../bodies/parse-body.ts';
import type { ParsedBody, ParsingThread } from '../bodies/parsing-thread.ts';
import { readBody } from '../bodies/read-body.ts';
import type { PackedLines } from '../formats/packed-lines.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import { BODY_FORMATS, isHerokuDrainForm, OTLP_FORMATS } from './body-formats.ts';
import type { HeldRequests, HoldableRequest } from './held-requests.ts';
import { type AuthorizedSender, type IngestAuthorizer, queryText } from './ingest-authorizer.ts';
import { type RefusedRequests, refusalOf } from './refused-requests.ts';
import { LogplexLines, ParsedLines, type RequestLines, TextLines } from './request-lines.ts';
import { readFrameId, recordFormFor, sharesBatches } from './request-receiver.ts';
import { RequestStorer } from './request-storer.ts';

/** Largest body of a request, decompressed. */
const BODY_BYTES_MAX = 8_000_000;

interface IngestHandlerOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  readonly held: HeldRequests;
  readonly bodyMemory: BodyMemory;
  readonly parsingThread: ParsingThread;
  readonly refusedRequests: RefusedRequests;
}

/** A request of one of the routes, with what counts and authorizes those. */
interface ReceivedRequest {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly counters: ListenerCounters;
  readonly authorizer: IngestAuthorizer;
}

/** A request on its way. */
interface PushedRequest extends ReceivedRequest {
  readonly hold: HoldableRequest;
  readonly memory: BodyReservation;
}

/** Stores the lines of requests, each once: what is on its way is held, parsed, and recognized when it comes again. */
export class IngestHandler {
  private readonly options: IngestHandlerOptions;

  constructor(options: IngestHandlerOptions) {
    this.options = options;
  }

  /** Takes a request of `POST /logs`. */
  takeLines(received: ReceivedRequest): Promise<void> {
    return this.withMemory(received, (pushed) => this.takeLinesOf(pushed));
  }

  /** Takes a request of `POST /v1/logs`. Resolves with what of it was left out; undefined: nothing. */
  takeOtlp(received: ReceivedRequest): Promise<PackedLines['rejected']> {
    return this.withMemory(received, (pushed) => this.takeOtlpOf(pushed));
  }

  /** Takes what has come, and gives back what its body took. */
  private async withMemory<T>(
    received: ReceivedRequest,
    take: (pushed: PushedRequest) => Promise<T>,
  ): Promise<T> {
    const { held, bodyMemory } = this.options;
    const memory = bodyMemory.reserve();
    const hold = held.begin(() => received.request.raw.socket.destroyed);
    try {
      return await take({ ...received, hold, memory });
    } finally {
      memory.release();
    }
  }

  private async takeLinesOf(pushed: PushedRequest): Promise<void> {
    const { request } = pushed;
    const type = requestContentType(request);
    // Without a type it may be JSON, which shows in the body.
    const format = type === '' ? 'json' : BODY_FORMATS.get(type);
    const sender = await this.authorize(pushed);
    if (!format) throw unsupportedContentType(request);
    const { logSource } = sender;
    if (format !== 'logplex' && !logSource)
      throw new TailraceError(
        'bad_request',
        `${format === 'text' ? 'Plain text' : 'JSON'} needs a source token: add ?token=t.… or authenticate with it.`,
      );
    const declared = format === 'logplex' ? undefined : declaredDecoder(request.headers['content-type']);
    const received = await this.admitAndRead(pushed, sender);
    const decoder = format === 'logplex' ? undefined : (declared ?? detectDecoder(received));
    const body = decoder ? await this.decode(pushed, received, decoder) : received;
    if (type === '' && !beginsAsJson(body)) throw unsupportedContentType(request);
    const dyno = queryText(request, 'dyno');
    if (format === 'logplex') {
      const msgCount = request.headers['logplex-msg-count'];
      await this.store(
        pushed,
        logSource,
        new LogplexLines(body, { msgCount, tokenPerLine: !logSource, counters: pushed.counters }),
      );
    } else if (format === 'text') await this.store(pushed, logSource, new TextLines(body, dyno));
    else await this.parseAndStore(pushed, logSource, { format, body, dyno });
  }

  private async takeOtlpOf(pushed: PushedRequest): Promise<PackedLines['rejected']> {
    const { request } = pushed;
    const type = requestContentType(request);
    const format = OTLP_FORMATS.get(type);
    const { logSource } = await this.authorize(pushed);
    if (!logSource)
      throw new TailraceError(
        'bad_request',
        'OTLP needs a source token: add ?token=t.… or authenticate with it.',
      );
    if (!format) throw unsupportedOtlpContentType(request);
    const body = await this.admitAndRead(pushed, { logSource });
    const source = { source: logSource.source, keepService: logSource.source === WILDCARD_SOURCE };
    return this.parseAndStore(pushed, logSource, { format, body, source });
  }

  private authorize({ request, reply, authorizer, hold }: PushedRequest): Promise<AuthorizedSender> {
    return this.options.held.run(hold, () => authorizer.authorize(request, reply));
  }

  private async admitAndRead(pushed: PushedRequest, sender: AuthorizedSender): Promise<Buffer> {
    const { held, bodyMemory } = this.options;
    const { request, authorizer, hold, memory } = pushed;
    assertHasLength(request);
    await held.run(hold, () => {
      authorizer.admit(request, sender);
      bodyMemory.assertSpace();
    });
    return readBody(request.raw, BODY_BYTES_MAX, memory);
  }

  /** A body in UTF-8. */
  private async decode({ memory }: PushedRequest, body: Buffer, decoder: TextDecoder): Promise<Buffer> {
    const decoded = await decodeToUtf8(body, decoder, BODY_BYTES_MAX);
    memory.add(decoded.length);
    return decoded;
  }

  private async parseAndStore(
    pushed: PushedRequest,
    logSource: LogSource | undefined,
    job: ParseJob,
  ): Promise<PackedLines['rejected']> {
    const { lines, body } = await this.parse(pushed, logSource, job).catch((error: unknown) => {
      if (error instanceof TailraceError && error.code === 'bad_request') pushed.counters.malformed++;
      throw error;
    });
    const { rejected } = lines;
    await this.store(pushed, logSource, new ParsedLines(body, lines));
    if (rejected) pushed.counters.malformed += rejected.count;
    return rejected;
  }

  private async parse(
    { hold, request }: PushedRequest,
    logSource: LogSource | undefined,
    job: ParseJob,
  ): Promise<ParsedBody> {
    const form = recordFormFor(logSource, normalizeAddress(request.ip));
    const lines = await parseInTurn({ ...job, form });
    if (lines) return { lines, body: job.body };
    const { held, parsingThread } = this.options;
    return held.run(hold, () => parsingThread.parse(logSource?.app ?? '', job));
  }

  /** Stores a request's lines; resolves when they are stored. What fits into one batch is stored all or none. */
  private async store(
    pushed: PushedRequest,
    logSource: LogSource | undefined,
    lines: RequestLines,
  ): Promise<void> {
    const { router, rateLimiter, held, refusedRequests } = this.options;
    const { request, reply, counters, hold } = pushed;
    const frameId = readFrameId(request.headers['logplex-frame-id']);
    const fromHerokuDrain = isHerokuDrainForm(
      requestContentType(request),
      request.headers['logplex-drain-token'],
    );
    const digest = (): Promise<string> => digestRequestInSlices(senderOf(pushed, logSource), lines.body);
    const known = frameId === undefined && !refusedRequests.isEmpty ? await digest() : undefined;
    const storedBefore = known === undefined ? undefined : await refusedRequests.storedAppsOf(known);
    const bytes = lines.batchBytes;
    const shared = sharesBatches({ logSource, bytes, frameId, storedBefore });
    const storer = new RequestStorer(
      {
        router,
        rateLimiter,
        counters,
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
  return `${logSource?.token} ${request.url} ${requestContentType(request)}`;
}

/** What a request says its body is, in small letters; '' when it says nothing. */
export function requestContentType(request: FastifyRequest): string {
  return trimOws(request.headers['content-type']?.split(';', 1)[0] ?? '').toLowerCase();
}

/** Does a body begin as an object or an array does? */
function beginsAsJson(body: Buffer): boolean {
  const text = body
    .toString('latin1', 0, 64)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  return text[0] === '{' || text[0] === '[';
}

/** The refusal of a request of `POST /logs`. */
export function unsupportedContentType(request: FastifyRequest): TailraceError {
  return new TailraceError(
    'unsupported_type',
    `Content-Type ${requestContentType(request) || '(none)'} isn't supported: send application/logplex-1, text/plain, application/x-ndjson or application/json.`,
  );
}

/** The refusal of a request of `POST /v1/logs`. */
export function unsupportedOtlpContentType(request: FastifyRequest): TailraceError {
  return new TailraceError(
    'unsupported_type',
    `Content-Type ${requestContentType(request) || '(none)'} isn't supported: send application/x-protobuf or application/json.`,
  );
}
