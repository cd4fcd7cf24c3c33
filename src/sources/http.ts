/**
 * Lines in over HTTP: `POST /logs`, and OpenTelemetry's `POST /v1/logs`. A 2xx answer means that the lines are stored:
 * whatever dies next, they are not lost.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TailraceError } from '../errors.ts';
import type { Limits } from '../router/limits.ts';
import type { Router } from '../router/router.ts';
import { plainAddress } from '../router/rules.ts';
import { ANY_SOURCE, type Tenant } from '../router/tenants.ts';
import type { AppId } from '../store/contract.ts';
import { readBody } from './body.ts';
import { type SourceCounters, sourceCounters } from './counters.ts';
import { HttpSenders } from './http-sender.ts';
import { Intake } from './intake.ts';
import { jsonLine, readJson, readNdjson } from './json-lines.ts';
import { takeLogplex } from './logplex-body.ts';
import { NamedBatch } from './named-batch.ts';
import { otlpLines } from './otlp.ts';
import { Refusals } from './refusals.ts';
import { TextLines } from './text-lines.ts';

/** Largest body of a request, unpacked. */
export const BODY_BYTES_MAX = 8_000_000;

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

/** Adds the routes to a server, in an encapsulation of their own: the bodies here are bytes. Counts `http` and `otlp`. */
export async function httpSource(
  server: FastifyInstance,
  { router, limits, mayWrite, warn }: HttpSourceOptions,
): Promise<readonly SourceCounters[]> {
  const counters = sourceCounters('http');
  const otlpCounters = sourceCounters('otlp');
  const senders = new HttpSenders({ router, limits, mayWrite, counters });
  const otlpSenders = new HttpSenders({ router, limits, mayWrite, counters: otlpCounters });
  const refusals = [counters, otlpCounters].map((of) => new Refusals(of, warn));
  await server.register(async (logs) => {
    logs.removeAllContentTypeParsers();
    logs.addContentTypeParser('*', (_request, _payload, done) => done(null));
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
    const type = contentType(request);
    const form = FORMS[type];
    const sender = await senders.authorise(request, reply);
    if (!form)
      throw new TailraceError(
        'unsupported_type',
        `Content-Type ${type || '(none)'} isn't supported: send application/logplex-1, text/plain, application/x-ndjson or application/json.`,
      );
    senders.admit(request, reply, sender);
    const { tenant } = sender;
    if (form !== 'logplex' && !tenant)
      throw new TailraceError(
        'bad_request',
        `${form === 'text' ? 'Plain text' : 'JSON'} needs a source token: add ?token=t.… or authenticate with it.`,
      );
    const body = await readBody(request.raw, BODY_BYTES_MAX);
    const intake = intakeFor(request, tenant, body.length, counters);
    const { dyno } = request.query as { dyno?: string };
    if (form === 'logplex') {
      const claimed = request.headers['logplex-msg-count'];
      await takeLogplex(body, intake, { claimed, ownTokens: !tenant, counters });
    } else if (form === 'text') new TextLines(dyno).take(body, intake);
    else {
      const values = form === 'json' ? readJson(body) : readNdjson(body);
      takeLines(
        values.map((value) => jsonLine(value, dyno)),
        intake,
      );
    }
    await intake.stored();
  }

  async function takeOtlp(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const type = contentType(request);
    const isJson = type === 'application/json';
    const tenant = await otlpSenders.authoriseOne(request, reply, 'OTLP');
    if (!isJson && type !== 'application/x-protobuf' && type !== 'application/protobuf')
      throw new TailraceError(
        'unsupported_type',
        `Content-Type ${type || '(none)'} isn't supported: send application/x-protobuf or application/json.`,
      );
    otlpSenders.admit(request, reply, { tenant });
    const body = await readBody(request.raw, BODY_BYTES_MAX);
    const lines = otlpLines(body, isJson, tenant.source, tenant.source === ANY_SOURCE);
    const intake = intakeFor(request, tenant, body.length, otlpCounters);
    takeLines(lines, intake);
    await intake.stored();
    // An ExportLogsServiceResponse without a partial success: in protobuf, no bytes at all.
    return reply.type(isJson ? type : 'application/x-protobuf').send(isJson ? '{}' : Buffer.alloc(0));
  }

  function intakeFor(
    request: FastifyRequest,
    fixed: Tenant | undefined,
    bodyBytes: number,
    counted: SourceCounters,
  ): Intake {
    const frameId = request.headers['logplex-frame-id'];
    const named = typeof frameId === 'string' && frameId !== '' ? frameId.slice(0, 128) : undefined;
    return new Intake({
      router,
      counters: counted,
      limits,
      host: plainAddress(request.ip),
      fixed,
      // Drains in other formats name their token, too.
      drainForm:
        request.headers['logplex-drain-token'] !== undefined &&
        contentType(request) === 'application/logplex-1',
      targetFor: named === undefined ? undefined : namedBatches(named, bodyBytes, counted),
    });
  }

  /** One batch an app, however many sources of it speak in turns: the name is used once. */
  function namedBatches(
    name: string,
    bodyBytes: number,
    counted: SourceCounters,
  ): (app: AppId) => NamedBatch {
    const batches = new Map<AppId, NamedBatch>();
    return (app) => {
      const batch = batches.get(app) ?? new NamedBatch(router, app, name, bodyBytes, counted);
      batches.set(app, batch);
      return batch;
    };
  }
}

function takeLines(lines: readonly Buffer[], intake: Intake): void {
  for (const line of lines) intake.take(line, 0, line.length);
}

function contentType(request: FastifyRequest): string {
  return request.headers['content-type']?.split(';', 1)[0].trim().toLowerCase() ?? '';
}
