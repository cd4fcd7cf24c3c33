/** The HTTP server of this project's programs: limits, errors, and nothing else. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { SecureContextOptions } from 'node:tls';
import Fastify, {
  errorCodes,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import { ChunkList } from '../buffers/chunk-list.ts';
import { systemCode, TailraceError } from '../errors.ts';
import { fileError } from '../files/file-error.ts';
import { unlessSomethingCame } from '../limits/deadline.ts';
import { assertJsonWithinLimits, type JsonLimits, RESOURCE_JSON_LIMITS } from '../limits/json-scanner.ts';
import type { Log } from '../log.ts';
import { nameProgram, programOf } from '../text/program-name.ts';
import { answerClientError, answerConnect, answerExpectation } from './client-error.ts';
import { discardBody } from './discard-body.ts';
import { REQUEST_ID_PATTERN } from './fields.ts';
import { lazySchemaCompilers } from './lazy-schema-compiler.ts';
import { serializePipelinedRequests } from './request-pipelining.ts';
import { assertNotEncoded, explainRefusal, unreadableJson } from './request-refusal.ts';
import type { TrustedProxies } from './trusted-proxies.ts';
import { UpgradableRequest } from './upgradable-request.ts';
import { isSlowUpload } from './upload-timeout.ts';

/** A request has to be complete after this time, and its header after that. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;

export interface HttpServerOptions {
  /** A request has to be complete after this time; left out: a minute. */
  readonly requestTimeoutMs?: number;
  /** Certificate and key in PEM form, and what else TLS is spoken with; left out: without it. */
  readonly https?: SecureContextOptions;
  /** Proxies in front that are believed what they say of the client; left out: none. */
  readonly trustedProxies?: TrustedProxies;
  /** What to say of a path that no route has, which is named without its query; undefined: nothing in particular. */
  readonly describeMissing?: (path: string) => string | undefined;
}

/** A Fastify server, without routes, that responds with this project's errors: `{id, message}`. */
export function createHttpServer(
  log: Log,
  { requestTimeoutMs = REQUEST_TIMEOUT_MS, https, trustedProxies, describeMissing }: HttpServerOptions = {},
): FastifyInstance {
  const nodeOptions = {
    headersTimeout: Math.min(requestTimeoutMs, HEADERS_TIMEOUT_MS),
    connectionsCheckingInterval: Math.min(requestTimeoutMs, 5_000),
    IncomingMessage: UpgradableRequest,
    // Refused below, with a sentence.
    requireHostHeader: false,
  };
  const options: FastifyServerOptions<Server> = {
    // Of the request alone: a response (a tail) may take any time.
    requestTimeout: requestTimeoutMs,
    clientErrorHandler: (error, socket) => {
      if (isSlowUpload(error, socket)) return;
      const answer = () => answerClientError(error, socket, requests);
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') requests.unlessCompleted(socket, answer);
      else answer();
    },
    logger: false,
    trustProxy: trustedProxies ? (address, hop) => trustedProxies.trusts(address, hop) : false,
    bodyLimit: 1_048_576,
    genReqId: (request) => {
      // Requests that push lines need no id, and there are thousands a second.
      if (request.url?.startsWith('/logs') || request.url?.startsWith('/v1/logs')) return '';
      const given = request.headers['request-id'] ?? request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID_PATTERN.test(given) ? given : randomUUID();
    },
    ajv: {
      customOptions: {
        // A list as a name is a mistake. Where a number may come as text, the schema allows both.
        coerceTypes: false,
        allowUnionTypes: true,
        // A format without a type, as that of a body of bytes, is meant. Ajv would write a line about it to standard error.
        strictTypes: false,
        // Our schemas are good ones, a test says: to compile what they are checked with takes a third of a server's first request.
        meta: false,
        validateSchema: false,
      },
    },
    // What no route is looked for with: it is refused before there is one.
    frameworkErrors: ({ statusCode = 400 }, _request, reply: FastifyReply) => {
      const message =
        statusCode === 414
          ? 'A part of this address is too long: nothing here is named like that.'
          : "This address can't be read: encode what is between its slashes as URLs have it.";
      void reply
        .code(statusCode)
        .header('X-Content-Type-Options', 'nosniff')
        .send({ id: 'bad_request', message });
    },
    schemaController: { compilersFactory: lazySchemaCompilers },
    // Requests that come while it closes are answered, as the last ones of their connections.
    return503OnClosing: false,
    forceCloseConnections: true,
    // It holds for the hooks of `close` as well, and these wait for requests.
    pluginTimeout: 0,
  };
  // A server with TLS is one without it, as far as routes go.
  const server = https
    ? (Fastify({
        ...options,
        https: { ...https, ...nodeOptions },
      } as typeof options) as FastifyInstance)
    : (Fastify({ ...options, http: nodeOptions } as typeof options) as FastifyInstance);
  const requests = serializePipelinedRequests(server.server);
  server.server.on('checkExpectation', answerExpectation);
  server.server.on('timeout', (socket) => {
    unlessSomethingCame(socket, () => socket.destroy());
  });
  server.server.on('connect', (_request, socket) => answerConnect(socket, requests));
  readJsonWithin(server, RESOURCE_JSON_LIMITS);
  server.addHook('onRequest', requireOneHost);
  server.setErrorHandler((error: Error, request, reply) => answerError(log, error, request, reply));
  server.setNotFoundHandler(({ url, headers }, reply) => {
    const described = describeMissing?.(url.split('?', 1)[0]);
    const message = described ?? 'The requested API endpoint was not found.';
    return reply.code(404).send({ id: 'not_found', message: nameProgram(message, programOf(headers)) });
  });
  return server;
}

/** Reads bodies in JSON, of all routes that are added to this server or to this part of it, unless there is more in them than that. */
export function readJsonWithin(server: FastifyInstance, limits: JsonLimits): void {
  const parse = server.getDefaultJsonParser('error', 'ignore');
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser('application/json', (request, payload, done) => {
    const onBody = (body: Buffer): void => {
      // Clients name JSON as the content type also without a body (DELETE).
      if (body.length === 0) {
        done(null, null);
        return;
      }
      try {
        assertNotEncoded(request.headers['content-encoding']);
        assertJsonWithinLimits(body, limits);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      const text = body.toString();
      parse(request, text, (error, value) => done(error && unreadableJson(text), value));
    };
    readWhole(payload, request.headers['content-length'], request.routeOptions.bodyLimit).then(onBody, done);
  });
}

/** HTTP/1.1 requires one, and who reads another one of several serves another site (RFC 9112 section 3.2). */
function requireOneHost({ raw }: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const hosts = countHosts(raw.rawHeaders);
  const mayLackHost = raw.httpVersionMajor !== 1 || raw.httpVersionMinor !== 1;
  if (hosts === 1 || (hosts === 0 && mayLackHost)) {
    done();
    return;
  }
  const message =
    hosts === 0
      ? 'The request has no Host: HTTP/1.1 requires one (RFC 9112, section 3.2).'
      : 'The request has more than one Host: send one (RFC 9112, section 3.2).';
  void reply.code(400).header('Connection', 'close').send({ id: 'bad_request', message });
}

function answerError(
  log: Log,
  thrown: Error & { statusCode?: number; validation?: unknown },
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = fileError(thrown) as typeof thrown;
  if (error instanceof TailraceError) {
    if (error.code === 'too_large' || error.status === 503) void discardBody(request.raw);
    if (error.retryAfter !== undefined) reply.header('Retry-After', error.retryAfter);
    // Senders of lines expect Logplex's responses, which are plain text.
    if (request.routeOptions.url === '/logs' && !request.headers.accept?.includes('json'))
      return reply.code(error.status).type('text/plain').send(error.message);
    const message = nameProgram(error.message, programOf(request.headers));
    return reply.code(error.status).send({ id: error.code, message });
  }
  if (error.validation)
    return reply.code(422).send({ id: 'invalid_params', message: validationMessage(error.message) });
  const status = error.statusCode ?? 500;
  if (status === 413) {
    // Closing at once, as Fastify does, resets the connection of a sender that is still sending.
    void discardBody(request.raw);
    reply.removeHeader('connection');
  }
  if (status < 500) return reply.code(status).send(explainRefusal(status, error.message, request));
  // The client has broken off: that is no fault of the server's, and nobody reads an answer.
  if (systemCode(thrown) === 'ECONNRESET' && !request.raw.complete)
    return reply.code(400).send({ id: 'bad_request', message: 'The request broke off.' });
  log.warn(
    { err: error, method: request.method, url: request.routeOptions.url },
    'a request failed unexpectedly',
  );
  return reply.code(500).send({ id: 'internal_server_error', message: 'Internal server error.' });
}

/** @param rawHeaders names and values, in turns. Node.js keeps the first of several. */
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i].length === 4 && rawHeaders[i].toLowerCase() === 'host') hosts++;
  return hosts;
}

/** Fastify's own reader keeps every chunk as it came, however small. */
function readWhole(
  payload: IncomingMessage,
  contentLength: string | undefined,
  bytesMax: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): void => reject(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
    if (Number(contentLength) > bytesMax) return tooLarge();
    const chunks = new ChunkList();
    const onData = (chunk: Buffer): void => {
      if (chunks.length + chunk.length <= bytesMax) chunks.add(chunk);
      else {
        payload.off('data', onData); // the rest is for `discardBody`
        tooLarge();
      }
    };
    payload.on('data', onData);
    payload.once('end', () => resolve(chunks.take()));
    payload.once('error', (error) => reject(Object.assign(error, { statusCode: 400 })));
  });
}

/** @param message of the schema validator: `body/updates/0 must have …` */
function validationMessage(message: string): string {
  return `Invalid request: ${message}.`;
}
