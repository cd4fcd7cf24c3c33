/**
 * The usual request: a `POST /logs` of `application/logplex-1` with a token that is known, neither packed nor large. It is
 * answered here, past Fastify, with the same outcome; whatever is unusual about a request leaves it to the routes.
 *
 * Measured with 100 lines a request: 10 to 15 of 100 microseconds of CPU time were hooks, parsers and routes.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { readAuthorization } from '../authorization.ts';
import { RETRY_AFTER_S, TailraceError } from '../errors.ts';
import type { Limits } from '../router/limits.ts';
import type { Router } from '../router/router.ts';
import { ANY_SOURCE, type Tenant } from '../router/tenants.ts';
import { BATCH_BYTES } from '../syslog/batch.ts';
import { readBody } from './body.ts';
import type { SourceCounters } from './counters.ts';
import { logplexBatchBytes, takeLogplex } from './logplex-body.ts';
import { frameName, intakeOf } from './whole-request.ts';

export interface UsualRequestsOptions {
  readonly router: Router;
  readonly limits: Limits;
  readonly counters: SourceCounters;
  /** Called after every request: to look at the counters. */
  readonly answered: () => void;
  readonly warn: (fields: object, message: string) => void;
}

/** To be called before the server listens: puts itself in front of what listens to its requests now. */
export function takeUsualRequests(server: Server, options: UsualRequestsOptions): void {
  const others = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const tenant = usualSender(request, options);
    if (tenant) void take(request, response, tenant, options);
    else for (const other of others) other.call(server, request, response);
  });
}

/** Whose request it is, if it is a usual one. */
function usualSender(
  { method, url, headers }: IncomingMessage,
  { router, limits }: UsualRequestsOptions,
): Tenant | undefined {
  if (method !== 'POST' || url !== '/logs' || headers['content-type'] !== 'application/logplex-1')
    return undefined;
  if (headers['content-encoding'] !== undefined || headers['logplex-drain-token'] !== undefined)
    return undefined;
  if (!(batchBytes(headers) <= BATCH_BYTES) || headers.accept?.includes('json')) return undefined;
  const shown = readAuthorization(headers.authorization);
  const tenant = shown.kind === 'token' ? router.findTenant(shown.token) : undefined;
  if (!tenant || tenant.source === ANY_SOURCE || router.congested) return undefined;
  return limits.off || limits.isOpen(tenant) ? tenant : undefined;
}

/** About what the request's lines take in a batch. */
function batchBytes(headers: IncomingMessage['headers']): number {
  return logplexBatchBytes(Number(headers['content-length']), headers['logplex-msg-count']);
}

async function take(
  request: IncomingMessage,
  response: ServerResponse,
  tenant: Tenant,
  options: UsualRequestsOptions,
): Promise<void> {
  const { router, limits, counters, answered, warn } = options;
  try {
    const body = await readBody(request, BATCH_BYTES);
    const claimed = request.headers['logplex-msg-count'];
    const bytes = batchBytes(request.headers);
    const name = frameName(request);
    const intake = intakeOf({ router, limits, counters, request, tenant, bytes, name });
    await takeLogplex(body, intake, { claimed, ownTokens: false, counters });
    await intake.stored();
    response.writeHead(204).end();
  } catch (error) {
    refuse(response, error, warn);
  }
  answered();
}

/** Senders of lines know Logplex's answers, which are plain words. */
function refuse(response: ServerResponse, error: unknown, warn: UsualRequestsOptions['warn']): void {
  const expected = error instanceof TailraceError;
  if (!expected && !response.destroyed)
    warn({ err: error, method: 'POST', url: '/logs' }, 'a request failed unexpectedly');
  const status = expected ? error.status : 500;
  response.writeHead(status, {
    'Content-Type': 'text/plain',
    ...(status === 503 ? { 'Retry-After': RETRY_AFTER_S } : {}),
  });
  response.end(expected ? error.message : 'Internal server error.');
}
