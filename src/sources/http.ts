/**
 * Lines in over HTTP: `POST /logs`. A 2xx answer means that the lines are stored: whatever dies next, they are not
 * lost.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readAuthorization } from '../authorization.ts';
import { TailraceError } from '../errors.ts';
import type { Limits } from '../router/limits.ts';
import type { Router } from '../router/router.ts';
import { plainAddress } from '../router/rules.ts';
import type { Tenant } from '../router/tenants.ts';
import type { AppId } from '../store/contract.ts';
import { countFrames } from '../syslog/framing.ts';
import { Header, scanHeader } from '../syslog/header.ts';
import { readBody } from './body.ts';
import { type SourceCounters, sourceCounters } from './counters.ts';
import { Intake, Taken } from './intake.ts';
import { NamedBatch } from './named-batch.ts';
import { Refusals } from './refusals.ts';
import { TextLines } from './text-lines.ts';

/** Largest body of a request, unpacked. */
export const BODY_BYTES_MAX = 8_000_000;
/** Seconds after which a sender that was turned away may try again. */
const RETRY_AFTER_S = '1';
const SPACE = 0x20;
const LOGPLEX_TYPES = ['application/logplex-1', 'application/x-logplex-1'];

export interface HttpSourceOptions {
  readonly router: Router;
  readonly limits: Limits;
  /** May this API key write lines to any app? */
  readonly mayWrite: (key: string) => Promise<boolean>;
  readonly warn: (fields: object, message: string) => void;
}

interface Sender {
  /** Whose all the lines are; undefined when every line names its own token. */
  readonly tenant: Tenant | undefined;
}

/** Adds `POST /logs` to a server, in an encapsulation of its own: the bodies here are bytes. */
export async function httpSource(
  server: FastifyInstance,
  options: HttpSourceOptions,
): Promise<SourceCounters> {
  const { router } = options;
  const counters = sourceCounters('http');
  const refusals = new Refusals(counters, options.warn);
  await server.register(async (logs) => {
    logs.removeAllContentTypeParsers();
    logs.addContentTypeParser('*', (_request, _payload, done) => done(null));
    logs.route({
      method: 'POST',
      url: '/logs',
      handler: async (request, reply) => {
        await takeRequest(request, reply);
        refusals.check();
        return reply.code(204).send();
      },
    });
    logs.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE'],
      url: '/logs',
      handler: async (_request, reply) => {
        reply.code(405).header('Allow', 'POST');
        return { id: 'method_not_allowed', message: 'Lines are pushed with POST.' };
      },
    });
  });
  return counters;

  async function takeRequest(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const type = request.headers['content-type']?.split(';', 1)[0].trim().toLowerCase() ?? '';
    const isLogplex = LOGPLEX_TYPES.includes(type);
    // `curl --data-binary @file` says that it sends a form.
    const isText = type === 'text/plain' || type === 'application/x-www-form-urlencoded';
    const sender = await authorise(request, reply);
    if (!isLogplex && !isText)
      throw new TailraceError(
        'unsupported_type',
        `Content-Type ${type || '(none)'} isn't supported: send application/logplex-1 or text/plain.`,
      );
    if (sender.tenant && !options.limits.off && !options.limits.isOpen(sender.tenant)) {
      const claimed = Number(request.headers['logplex-msg-count']);
      const refused = claimed > 0 && claimed < 1_000_000 ? Math.floor(claimed) : 1;
      counters.limited += refused;
      options.limits.refuse(sender.tenant.app, refused);
      reply.header('Retry-After', RETRY_AFTER_S);
      throw new TailraceError(
        'rate_limited',
        'This source or its app has sent more than it may: try again in a moment.',
      );
    }
    if (router.congested) {
      reply.header('Retry-After', RETRY_AFTER_S);
      throw new TailraceError('unavailable', 'Too much waits to be stored: try again in a moment.');
    }
    const body = await readBody(request.raw, BODY_BYTES_MAX);
    if (isLogplex) await takeLogplex(request, body, sender);
    else await takeText(request, body, sender);
  }

  async function authorise(request: FastifyRequest, reply: FastifyReply): Promise<Sender> {
    const shown = readAuthorization(request.headers.authorization);
    if (shown.kind === 'token') {
      const tenant = await tenantOf(shown.token);
      if (tenant) return { tenant };
      counters.unknownToken++;
    } else if (shown.kind === 'key' && (await options.mayWrite(shown.key))) {
      const token = (request.query as { token?: string }).token;
      if (!token) return { tenant: undefined };
      const tenant = await tenantOf(token);
      if (tenant) return { tenant };
    }
    reply.header('WWW-Authenticate', 'Basic realm="Logplex"');
    throw new TailraceError(
      'unauthorized',
      'Unauthorized: show a source token (Basic, user `token`, password `t.…`) or an API key that may write.',
    );
  }

  async function tenantOf(token: string): Promise<Tenant | null> {
    const known = router.findTenant(token);
    return known === undefined ? router.loadTenant(token) : known; // null: known to be unknown
  }

  async function takeLogplex(request: FastifyRequest, body: Buffer, sender: Sender): Promise<void> {
    const frames = countFrames(body);
    if (frames === -1) {
      counters.malformed++;
      throw new TailraceError('malformed_lines', 'Malformed log messages');
    }
    const claimed = request.headers['logplex-msg-count'];
    if (claimed !== undefined && (!/^\d+$/.test(String(claimed)) || Number(claimed) !== frames))
      throw new TailraceError('count_mismatch', 'Message count mismatch');
    // A request is taken whole or not at all: lines that don't say whose they are must be found before the first is taken.
    if (!sender.tenant && !allHaveHeaders(body)) {
      counters.malformed++;
      throw new TailraceError('malformed_lines', 'Malformed log messages');
    }
    const frameId = request.headers['logplex-frame-id'];
    const named = typeof frameId === 'string' && frameId !== '' ? frameId.slice(0, 128) : undefined;
    const intake = new Intake({
      router,
      counters,
      limits: options.limits,
      host: plainAddress(request.ip),
      fixed: sender.tenant,
      targetFor: named === undefined ? undefined : namedBatches(named, body.length),
    });
    await takeAll(body, intake);
    await intake.stored();
  }

  /** One batch an app, however many sources of it speak in turns: the name is used once. */
  function namedBatches(name: string, bodyBytes: number): (app: AppId) => NamedBatch {
    const batches = new Map<AppId, NamedBatch>();
    return (app) => {
      const batch = batches.get(app) ?? new NamedBatch(router, app, name, bodyBytes, counters);
      batches.set(app, batch);
      return batch;
    };
  }

  async function takeText(request: FastifyRequest, body: Buffer, sender: Sender): Promise<void> {
    if (!sender.tenant)
      throw new TailraceError(
        'bad_request',
        'Plain text needs a source token: add ?token=t.… or authenticate with it.',
      );
    const { dyno } = request.query as { dyno?: string };
    const intake = new Intake({
      router,
      counters,
      limits: options.limits,
      host: plainAddress(request.ip),
      fixed: sender.tenant,
    });
    new TextLines(dyno).take(body, intake);
    await intake.stored();
  }
}

/** Hands over the frames of a body that {@link countFrames} found to be well formed; asks for tokens between. */
async function takeAll(body: Buffer, intake: Intake): Promise<void> {
  let i = intake.takeUsual(body, 0);
  while (i < body.length) {
    const start = body.indexOf(SPACE, i) + 1;
    i = start + frameLength(body, i);
    let taken = intake.take(body, start, i);
    if (taken === Taken.ask) {
      await intake.load();
      taken = intake.take(body, start, i);
    }
    if (taken === Taken.malformed) throw new TailraceError('malformed_lines', 'Malformed log messages');
    i = intake.takeUsual(body, i);
  }
}

function allHaveHeaders(body: Buffer): boolean {
  const header = new Header();
  for (let i = 0; i < body.length; ) {
    const start = body.indexOf(SPACE, i) + 1;
    i = start + frameLength(body, i);
    if (!scanHeader(body, start, i, header)) return false;
  }
  return true;
}

/** The number that stands at `i`, up to a space. */
function frameLength(body: Buffer, i: number): number {
  let length = 0;
  for (let byte = body[i]; byte !== SPACE; byte = body[++i]) length = length * 10 + (byte - 0x30);
  return length;
}
