import type { FastifyInstance } from 'fastify';
import type { AppRecord } from '../../apps/records/directory.ts';
import { TailraceError } from '../../common/errors.ts';
import { type DrainRecord, parseDrainUrl } from '../../logs/drains/options/drain.ts';
import { readOptions } from '../../logs/drains/options/drain-options.ts';
import type { Context } from '../context.ts';
import { body, describe } from '../shapes.ts';

interface NewTelemetryDrain {
  readonly owner: { readonly id: string; readonly type: string };
  readonly signals?: readonly string[];
  readonly exporter: {
    readonly type: string;
    readonly endpoint: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
}

/** `/telemetry-drains`: drains that speak OTLP/HTTP. Of the signals there are logs. */
export function telemetryRoutes(api: FastifyInstance, context: Context): void {
  const { directory, deliveries } = context;
  const ofApp = async (app: AppRecord) =>
    (await directory.drains(app.id)).filter(isTelemetry).map(telemetryView);

  api.get<{ Params: { app: string } }>(
    '/apps/:app/telemetry-drains',
    describe("List an app's telemetry drains", 'TelemetryDrain', { many: true }),
    async (request) => ofApp(await directory.app(request.params.app)),
  );
  const wanted = body(
    {
      owner: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
      signals: { type: 'array', items: { type: 'string' } },
      exporter: {
        type: 'object',
        required: ['endpoint'],
        properties: { endpoint: { type: 'string' }, type: { type: 'string' }, headers: { type: 'object' } },
      },
    },
    ['owner', 'exporter'],
  );
  api.post<{ Body: NewTelemetryDrain }>(
    '/telemetry-drains',
    describe('Send logs by OTLP/HTTP', 'TelemetryDrain', { status: 201, body: wanted }),
    async (request, reply) => {
      const { owner, signals = ['logs'], exporter } = request.body;
      const app = await directory.app(owner.id);
      if (!signals.includes('logs'))
        throw new TailraceError('invalid_params', 'Only logs can be sent: use --signals logs.');
      if (exporter.type === 'otlp')
        throw new TailraceError('invalid_params', 'OTLP goes over HTTP here: use --transport http.');
      const hasHeaders = Object.keys(exporter.headers ?? {}).length > 0;
      const target = parseDrainUrl(exporter.endpoint);
      const options = readOptions(target.url, {
        format: 'otlp',
        ...(hasHeaders ? { headers: exporter.headers } : {}),
      });
      await context.targets.vet(target.host);
      const drain = await directory.addDrain(app.id, exporter.endpoint, { options, appName: app.name });
      await deliveries.look();
      reply.code(201);
      return telemetryView(drain);
    },
  );
  for (const method of ['GET', 'DELETE'] as const)
    api.route<{ Params: { id: string } }>({
      method,
      url: '/telemetry-drains/:id',
      ...describe(
        method === 'GET' ? 'Look at a telemetry drain' : 'Remove a telemetry drain',
        'TelemetryDrain',
      ),
      handler: async (request) => {
        for (const app of await directory.apps()) {
          const drain = (await directory.drains(app.id))
            .filter(isTelemetry)
            .find(({ id }) => id === request.params.id);
          if (!drain) continue;
          if (method === 'DELETE') {
            await directory.removeDrain(app.id, drain.id);
            await deliveries.look();
          }
          return telemetryView(drain);
        }
        throw new TailraceError('not_found', "Couldn't find that telemetry drain.");
      },
    });
}

function isTelemetry({ options }: DrainRecord): boolean {
  return options?.format === 'otlp' || options?.format === 'otlp-protobuf';
}

function telemetryView({ id, app, url, createdAt, updatedAt, options }: DrainRecord) {
  return {
    id,
    exporter: { type: 'otlphttp', endpoint: url, headers: options?.headers ?? {} },
    owner: { id: app, type: 'app' },
    signals: ['logs'],
    created_at: createdAt,
    updated_at: updatedAt,
  };
}
