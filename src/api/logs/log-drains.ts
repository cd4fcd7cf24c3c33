import type { FastifyInstance } from 'fastify';
import type { Addons } from '../../apps/host/addons/addons.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { parseDrainOptions } from '../../logs/drains/options/drain-options.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { findAddonForDrain, rejectAddonDrainRemoval } from './addon-drains.ts';
import { admitDrain } from './admit-drain.ts';
import { type DrainViewDependencies, drainView } from './drain-view.ts';

interface AppParams {
  Params: { app: string };
}

/** What these routes work with. */
export interface LogDrainRouteDependencies extends DrainViewDependencies {
  readonly appRegistry: AppRegistry;
  readonly addons: Addons;
  /** Where drains may point. */
  readonly targetPolicy: TargetPolicy;
}

/** `/apps/:app/log-drains`. Beside Heroku's fields a drain has `delivery`: what it is doing. */
export function logDrainRoutes(api: FastifyInstance, dependencies: LogDrainRouteDependencies): void {
  const { appRegistry, deliveries, addons } = dependencies;

  api.get<AppParams>(
    '/apps/:app/log-drains',
    routeSchema('List the drains', 'LogDrain', { many: true }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const drains = await appRegistry.listDrains(app.id);
      return Promise.all(drains.map((drain) => drainView(drain, dependencies)));
    },
  );
  api.post<AppParams & { Body: { url?: string; options?: unknown; addon?: unknown } | null }>(
    '/apps/:app/log-drains',
    routeSchema('Add a drain', 'LogDrain', {
      status: 201,
      body: bodySchema({ url: {}, options: {}, addon: {} }),
    }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const given = request.body?.url;
      if (typeof given !== 'string' || given === '')
        throw new TailraceError(
          'invalid_params',
          'A drain needs a url, such as https://host/path or syslog://host:port.',
        );
      const { url, options } = await admitDrain(dependencies, app.id, given, (target) =>
        parseDrainOptions(target, request.body?.options),
      );
      const addon = await findAddonForDrain(addons, app.id, request.body?.addon);
      const drain = await appRegistry.addDrain(app.id, url, { options, addon });
      await deliveries.reconcile();
      reply.code(201);
      return drainView(drain, dependencies);
    },
  );
  api.get<{ Params: { app: string; '*': string } }>(
    '/apps/:app/log-drains/*',
    routeSchema('Look at a drain, by id, token or URL', 'LogDrain'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return drainView(await appRegistry.getDrain(app.id, request.params['*']), dependencies);
    },
  );
  // The official CLI names a drain by its whole URL, percent-encoded; the slashes in it may arrive decoded.
  api.delete<{ Params: { app: string; '*': string } }>(
    '/apps/:app/log-drains/*',
    routeSchema('Remove a drain', 'LogDrain'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      await rejectAddonDrainRemoval(addons, await appRegistry.getDrain(app.id, request.params['*']));
      const drain = await appRegistry.removeDrain(app.id, request.params['*']);
      await deliveries.reconcile();
      return drainView(drain, dependencies);
    },
  );
}
