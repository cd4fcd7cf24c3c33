import type { FastifyInstance } from 'fastify';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import { parseDrainOptions } from '../../logs/drains/options/drain-options.ts';
import type { DrainRecord } from '../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import { getNamedApp, isVisible, PROTECTED_ROUTE } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { admitDrain } from './admit-drain.ts';

interface NewTelemetryDrainRequest {
  readonly owner: { readonly id: string; readonly type: string };
  readonly signals?: readonly string[];
  readonly exporter: {
    readonly type: string;
    readonly endpoint: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
}

/** What these routes work with. */
export interface TelemetryDrainRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly deliveries: DrainSupervisor;
  /** Where drains may point. */
  readonly targetPolicy: TargetPolicy;
}

/** `/telemetry-drains`: drains that speak OTLP/HTTP. Logs are the only signal. */
export function telemetryDrainRoutes(
  api: FastifyInstance,
  dependencies: TelemetryDrainRouteDependencies,
): void {
  const { appRegistry, deliveries } = dependencies;
  const telemetryDrainsOfApp = async (app: AppRecord) =>
    (await appRegistry.listDrains(app.id)).filter(isTelemetryDrain).map(telemetryDrainView);

  api.get<{ Params: { app: string } }>(
    '/apps/:app/telemetry-drains',
    {
      ...routeSchema("List an app's telemetry drains", 'TelemetryDrain', { many: true }),
      ...PROTECTED_ROUTE,
    },
    async (request) => telemetryDrainsOfApp(await appRegistry.getApp(request.params.app)),
  );
  const requestBody = bodySchema(
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
  api.post<{ Body: NewTelemetryDrainRequest }>(
    '/telemetry-drains',
    routeSchema('Send logs by OTLP/HTTP', 'TelemetryDrain', { status: 201, body: requestBody }),
    async (request, reply) => {
      const { owner, signals = ['logs'], exporter } = request.body;
      const app = await getNamedApp(request, appRegistry, owner.id);
      if (!signals.includes('logs'))
        throw new TailraceError('invalid_params', 'Only logs can be sent: use --signals logs.');
      if (exporter.type === 'otlp')
        throw new TailraceError('invalid_params', 'OTLP goes over HTTP here: use --transport http.');
      const hasHeaders = Object.keys(exporter.headers ?? {}).length > 0;
      const { url, options } = await admitDrain(dependencies, app.id, exporter.endpoint, (target) =>
        parseDrainOptions(target, {
          format: 'otlp',
          ...(hasHeaders ? { headers: exporter.headers } : {}),
        }),
      );
      const drain = await appRegistry.addDrain(app.id, url, { options, appName: app.name });
      await deliveries.reconcile();
      reply.code(201);
      return telemetryDrainView(drain);
    },
  );
  for (const method of ['GET', 'DELETE'] as const)
    api.route<{ Params: { id: string } }>({
      method,
      url: '/telemetry-drains/:id',
      ...routeSchema(
        method === 'GET' ? 'Look at a telemetry drain' : 'Remove a telemetry drain',
        'TelemetryDrain',
      ),
      ...(method === 'GET' ? PROTECTED_ROUTE : {}),
      handler: async (request) => {
        for (const app of await appRegistry.listApps()) {
          const drain = (await appRegistry.listDrains(app.id))
            .filter(isTelemetryDrain)
            .find(({ id }) => id === request.params.id);
          if (!drain || (request.keyGrant && !isVisible(request.keyGrant, app))) continue;
          if (method === 'DELETE') {
            await appRegistry.removeDrain(app.id, drain.id);
            await deliveries.reconcile();
          }
          return telemetryDrainView(drain);
        }
        throw new TailraceError('not_found', "Couldn't find that telemetry drain.");
      },
    });
}

function isTelemetryDrain({ options }: DrainRecord): boolean {
  return options?.format === 'otlp' || options?.format === 'otlp-protobuf';
}

function telemetryDrainView({ id, app, url, createdAt, updatedAt, options }: DrainRecord) {
  return {
    id,
    exporter: { type: 'otlphttp', endpoint: url, headers: options?.headers ?? {} },
    owner: { id: app, type: 'app' },
    signals: ['logs'],
    created_at: createdAt,
    updated_at: updatedAt,
  };
}
