import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import { mergeDrainOptions, parseDrainOptions } from '../../logs/drains/options/drain-options.ts';
import type { DrainRecord } from '../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import { getNamedApp, isVisible, PROTECTED_ROUTE } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { admitDrain } from './admit-drain.ts';

interface TelemetryExporter {
  readonly type?: string;
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
}
interface NewTelemetryDrainRequest {
  readonly owner: { readonly id: string; readonly type: string };
  readonly signals?: readonly string[];
  readonly exporter: TelemetryExporter;
}
interface TelemetryDrainUpdate {
  readonly signals?: readonly string[];
  readonly exporter?: Partial<TelemetryExporter>;
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
  const signalNames = { type: 'array', items: { type: 'string' } };
  const exporter = {
    type: 'object',
    properties: { endpoint: { type: 'string' }, type: { type: 'string' }, headers: { type: 'object' } },
  };
  const requestBody = bodySchema(
    {
      owner: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
      signals: signalNames,
      exporter: { ...exporter, required: ['endpoint'] },
    },
    ['owner', 'exporter'],
  );
  api.post<{ Body: NewTelemetryDrainRequest }>(
    '/telemetry-drains',
    routeSchema('Send logs by OTLP/HTTP', 'TelemetryDrain', { status: 201, body: requestBody }),
    async (request, reply) => {
      const { owner, signals, exporter } = request.body;
      const app = await getNamedApp(request, appRegistry, owner.id);
      requireLogs(signals, exporter);
      const { url, options } = await admitDrain(dependencies, app.id, exporter.endpoint, (target) =>
        parseDrainOptions(target, { format: 'otlp', headers: givenHeaders(exporter) }),
      );
      const drain = await appRegistry.addDrain(app.id, url, { options });
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
        const drain = await getTelemetryDrain(request);
        if (method === 'DELETE') {
          await appRegistry.removeDrain(drain.app, drain.id);
          await deliveries.reconcile();
        }
        return telemetryDrainView(drain);
      },
    });
  api.patch<{ Params: { id: string }; Body: TelemetryDrainUpdate | null }>(
    '/telemetry-drains/:id',
    routeSchema("Change a telemetry drain's address or headers", 'TelemetryDrain', {
      body: bodySchema({ signals: signalNames, exporter }),
    }),
    async (request) => {
      const { app, id } = await getTelemetryDrain(request);
      const { signals, exporter: given = {} } = request.body ?? {};
      requireLogs(signals, given);
      const headers = given.headers === undefined ? {} : { headers: givenHeaders(given) };
      const next = await appRegistry.updateDrain(app, id, ({ url, options = {} }) =>
        admitDrain(dependencies, app, given.endpoint ?? url, (target) =>
          mergeDrainOptions(options, target, given.endpoint !== undefined, headers),
        ),
      );
      await deliveries.reconcile();
      return telemetryDrainView(next);
    },
  );

  /** @throws TailraceError `not_found`, also for one of an app that the key isn't for */
  async function getTelemetryDrain({
    params: { id },
    keyGrant,
  }: FastifyRequest<{ Params: { id: string } }>): Promise<DrainRecord> {
    for (const app of await appRegistry.listApps()) {
      if (keyGrant && !isVisible(keyGrant, app)) continue;
      const drains = (await appRegistry.listDrains(app.id)).filter(isTelemetryDrain);
      const drain = drains.find((one) => one.id === id);
      if (drain) return drain;
    }
    throw new TailraceError('not_found', "Couldn't find that telemetry drain.");
  }
}

/** @throws TailraceError `invalid_params` */
function requireLogs(signals: readonly string[] = ['logs'], { type }: Partial<TelemetryExporter>): void {
  if (!signals.includes('logs'))
    throw new TailraceError('invalid_params', 'Only logs can be sent: use --signals logs.');
  if (type === 'otlp')
    throw new TailraceError('invalid_params', 'OTLP goes over HTTP here: use --transport http.');
}

/** None is said as null. */
function givenHeaders({ headers = {} }: Partial<TelemetryExporter>): TelemetryExporter['headers'] | null {
  return Object.keys(headers).length > 0 ? headers : null;
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
