import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PROTECTED_ROUTE } from '../access/authorize.ts';
import { routeSchema } from '../schemas-heroku.ts';
import { type AddonRouteDependencies, addonScene } from './addon-scene.ts';
import { requireAddonOf } from './find-addon.ts';

interface AddonParams {
  Params: { addon: string };
}

/**
 * What Heroku's CLI asks the data service of Heroku's databases, and with `HEROKU_DATA_HOST=localhost` this server: `pg:info`, `pg:wait`,
 * `pg:promote`, `redis:info`, `redis:cli`.
 */
export function dataServiceRoutes(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  const { addons } = dependencies;
  const addonOf = async (request: FastifyRequest<AddonParams>, service: string) =>
    requireAddonOf(service, await addonScene(dependencies, request), request.params.addon);

  api.get<AddonParams>(
    '/client/v11/databases/:addon',
    { ...routeSchema('What a PostgreSQL database is like now', 'DataService'), ...PROTECTED_ROUTE },
    async (request) => {
      const addon = await addonOf(request, 'heroku-postgresql');
      return {
        addon_id: addon.id,
        name: addon.name,
        plan: addon.plan,
        resource_url: addon.config.URL ?? '',
        info: await addons.info(addon),
        following: null,
        leader: null,
      };
    },
  );
  api.get<AddonParams>(
    '/client/v11/databases/:addon/wait_status',
    routeSchema('Is a database there yet?', 'DataServiceStatus'),
    async (request) => {
      const { state } = await addonOf(request, 'heroku-postgresql');
      const isWaiting = state !== 'provisioned';
      return { message: isWaiting ? state : 'available', 'waiting?': isWaiting, 'error?': false };
    },
  );
  api.get<AddonParams>(
    '/redis/v0/databases/:addon',
    { ...routeSchema('What a Redis is like now', 'DataService'), ...PROTECTED_ROUTE },
    async (request) => {
      const addon = await addonOf(request, 'heroku-redis');
      return {
        addon_id: addon.id,
        name: addon.name,
        // The CLI speaks without TLS to these alone.
        plan: 'hobby-dev',
        prefer_native_tls: false,
        resource_url: addon.config.URL ?? '',
        info: await addons.info(addon),
      };
    },
  );
}
