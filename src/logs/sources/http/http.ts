/**
 * Lines in over HTTP: `POST /logs`, and OpenTelemetry's `POST /v1/logs`. A 2xx answer means that the lines are stored:
 * whatever dies next, they are not lost.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../../../common/errors.ts';
import { release } from '../../../common/release.ts';
import type { Limits } from '../../router/limits.ts';
import type { Router } from '../../router/router.ts';
import { plainAddress } from '../../router/rules.ts';
import { ANY_SOURCE, type Tenant } from '../../router/tenants.ts';
import { BATCH_BYTES, RECORD_HEADER } from '../../syslog/batch.ts';
import { type SourceCounters, sourceCounters } from '../counters.ts';
import { jsonLine, readJson, readNdjson } from '../formats/json-lines.ts';
import { logplexBatchBytes, takeLogplex } from '../formats/logplex-body.ts';
import { otlpLines } from '../formats/otlp.ts';
import { TextLines } from '../formats/text-lines.ts';
import type { Intake } from '../intake.ts';
import { Refusals } from '../refusals.ts';
import { readBody } from './body.ts';
import { HttpSenders } from './http-sender.ts';
import { UnnamedRequests } from './unnamed-requests.ts';
import { UsualConnections } from './usual-connections.ts';
import { frameName, intakeOf } from './whole-request.ts';

/** Largest body of a request, unpacked. */
export const BODY_BYTES_MAX = 8_000_000;

const NEWLINE = 0x0a;
/** What a line without time and host grows by in a batch. */
const LINE_GROWTH_BYTES = RECORD_HEADER + 96;

/** How a body is read, by its content type. */
const FORMS: Readonly<Record<string, 'logplex' | 'text' | 'ndjson' | 'json'>> = {
  'application/logplex-1': 'logplex',
  'application/x-logplex-1': 'logplex',
  'text/plain': 'text',
  // `curl --data-binary @file` says that it sends a form.
  'application/x-www-form-urlencoded': 'text',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/x-jsonlines': 'ndjson',
  'application/json': 'json',
};

export interface HttpSourceOptions {
  readonly router: Router;
  readonly limits: Limits;
  /** May this API key write lines to any app? */
  readonly mayWrite: (key: string) => Promise<boolean>;
  readonly warn: (fields: object, message: string) => void;
}

interface PushedBody {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Whose all the lines are. */
  readonly tenant: Tenant | undefined;
  readonly body: Buffer;
  /** About what its lines take in a batch. */
  readonly bytes: number;
  readonly counted: SourceCounters;
}

/** Adds the routes to a server, in an encapsulation of their own: the bodies here are bytes. Counts `http` and `otlp`. */
export async function httpSource(
  server: FastifyInstance,
  { router, limits, mayWrite, warn }: HttpSourceOptions,
): Promise<readonly SourceCounters[]> {
  const counters = sourceCounters('http');
  const otlpCounters = sourceCounters('otlp');
  const senders = new HttpSenders({ router, limits, mayWrite, counters });
  const otlpSenders = new HttpSenders({ router, limits, mayWrite, counters: otlpCounters });
  const unnamedRequests = new UnnamedRequests();
  const refusals = [counters, otlpCounters].map((of) => new Refusals(of, warn));
  const usual = new UsualConnections(server.server, {
    router,
    limits,
    counters,
    answered: () => refusals[0].check(),
    warn,
  });
  server.addHook('preClose', () => usual.close());
  await server.register(async (logs) => {
    logs.removeAllContentTypeParsers();
    logs.addContentTypeParser('*', (_request, _payload, done) => done(null));
    logs.setErrorHandler((error: Error & { code?: string }, request) => {
      // Something without a slash: Fastify refuses it before we see it.
      if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
        throw request.routeOptions.url === '/logs' ? unknownForm(request) : unknownOtlpForm(request);
      throw error;
    });
    logs.addHook('onResponse', async () => {
      for (const of of refusals) of.check();
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
    const form = FORMS[contentType(request)];
    const sender = await senders.authorise(request, reply);
    if (!form) throw unknownForm(request);
    senders.admit(request, sender);
    const { tenant } = sender;
    if (form !== 'logplex' && !tenant)
      throw new TailraceError(
        'bad_request',
        `${form === 'text' ? 'Plain text' : 'JSON'} needs a source token: add ?token=t.… or authenticate with it.`,
      );
    const body = await readBody(request.raw, BODY_BYTES_MAX);
    const { dyno } = request.query as { dyno?: string };
    if (form === 'logplex') {
      const claimed = request.headers['logplex-msg-count'];
      const bytes = logplexBatchBytes(body.length, claimed);
      await takeWhole({ request, reply, tenant, body, bytes, counted: counters }, async (intake) => {
        await takeLogplex(body, intake, { claimed, ownTokens: !tenant, counters });
        release(body);
      });
      return;
    }
    if (form === 'text') {
      const bytes = body.length + countLines(body) * LINE_GROWTH_BYTES;
      const take = (intake: Intake): void => new TextLines(dyno).take(body, intake);
      await takeWhole({ request, reply, tenant, body, bytes, counted: counters }, take);
      return;
    }
    const lines = (form === 'json' ? readJson(body) : readNdjson(body)).map((value) => jsonLine(value, dyno));
    const bytes = bytesOf(lines);
    await takeWhole({ request, reply, tenant, body, bytes, counted: counters }, takeLines(lines));
  }

  async function takeOtlp(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const type = contentType(request);
    const isJson = type === 'application/json';
    const tenant = await otlpSenders.authoriseOne(request, reply, 'OTLP');
    if (!isJson && type !== 'application/x-protobuf' && type !== 'application/protobuf')
      throw unknownOtlpForm(request);
    otlpSenders.admit(request, { tenant });
    const body = await readBody(request.raw, BODY_BYTES_MAX);
    const lines = otlpLines(body, isJson, tenant.source, tenant.source === ANY_SOURCE);
    const bytes = bytesOf(lines);
    await takeWhole({ request, reply, tenant, body, bytes, counted: otlpCounters }, takeLines(lines));
    // An ExportLogsServiceResponse without a partial success: in protobuf, no bytes at all.
    return reply.type(isJson ? type : 'application/x-protobuf').send(isJson ? '{}' : Buffer.alloc(0));
  }

  /** Hands a request's lines over; resolves when they are stored. What fits into one batch is stored all or none. */
  async function takeWhole(
    { request, reply, tenant, body, bytes, counted }: PushedBody,
    take: (intake: Intake) => void | Promise<void>,
  ): Promise<void> {
    const given = frameName(request.headers['logplex-frame-id']);
    const unnamed =
      given === undefined && bytes > BATCH_BYTES
        ? unnamedRequests.begin(`${tenant?.token} ${request.url} ${contentType(request)}`, body)
        : undefined;
    const name = given ?? unnamed?.name;
    // Drains in other formats name their token, too.
    const drainForm =
      request.headers['logplex-drain-token'] !== undefined &&
      contentType(request) === 'application/logplex-1';
    const intake = intakeOf({
      router,
      limits,
      counters: counted,
      host: plainAddress(request.ip),
      tenant,
      bytes,
      name,
      drainForm,
    });
    await take(intake);
    await intake.stored();
    if (!unnamed) return;
    // Whoever hangs up before the answer doesn't know, and sends it again.
    const { done } = unnamed;
    reply.raw.once('finish', done);
  }
}

function takeLines(lines: readonly Buffer[]): (intake: Intake) => void {
  return (intake) => {
    for (const line of lines) intake.take(line, 0, line.length);
  };
}

function bytesOf(lines: readonly Buffer[]): number {
  return lines.reduce((sum, line) => sum + line.length + LINE_GROWTH_BYTES, 0);
}

function countLines(text: Buffer): number {
  let count = 1;
  for (let at = text.indexOf(NEWLINE); at !== -1; at = text.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

function contentType(request: FastifyRequest): string {
  return request.headers['content-type']?.split(';', 1)[0].trim().toLowerCase() ?? '';
}

function unknownForm(request: FastifyRequest): TailraceError {
  return new TailraceError(
    'unsupported_type',
    `Content-Type ${contentType(request) || '(none)'} isn't supported: send application/logplex-1, text/plain, application/x-ndjson or application/json.`,
  );
}

function unknownOtlpForm(request: FastifyRequest): TailraceError {
  return new TailraceError(
    'unsupported_type',
    `Content-Type ${contentType(request) || '(none)'} isn't supported: send application/x-protobuf or application/json.`,
  );
}
