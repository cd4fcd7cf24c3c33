import type { FastifyInstance } from 'fastify';
import { parseBuildpackReference } from '../../apps/build/buildpacks/buildpack-reference.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { loadBuildpacks, saveBuildpacks } from '../../apps/records/buildpack-installations.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Store } from '../../logs/store/contract.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}
interface BuildpackUpdates {
  readonly updates: readonly { readonly buildpack: string }[];
}

const BUILDPACKS_MAX = 20;
const REGISTRY_NAME = /^[\w-]+\/[\w-]+$/;

/** What these routes work with. */
export interface BuildpackRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly store: Store;
}

/** `/apps/:app/buildpack-installations`: which buildpacks the next build uses. */
export function buildpackRoutes(
  api: FastifyInstance,
  { appRegistry, store }: BuildpackRouteDependencies,
): void {
  api.get<AppParams>(
    '/apps/:app/buildpack-installations',
    routeSchema("List an app's buildpacks", 'BuildpackInstallation', { many: true }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return installationViews(await loadBuildpacks(store, app.id));
    },
  );
  const update = {
    type: 'object',
    required: ['buildpack'],
    properties: { buildpack: { type: 'string', minLength: 1, maxLength: 2_048 } },
  };
  api.put<AppParams & { Body: BuildpackUpdates }>(
    '/apps/:app/buildpack-installations',
    routeSchema("Set all of an app's buildpacks", 'BuildpackInstallation', {
      many: true,
      body: bodySchema({ updates: { type: 'array', maxItems: BUILDPACKS_MAX, items: update } }, ['updates']),
    }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const buildpacks = request.body.updates.map(({ buildpack }) => parseBuildpackReference(buildpack).id);
      const twice = buildpacks.find((id, i) => buildpacks.indexOf(id) !== i);
      if (twice !== undefined)
        throw new TailraceError('invalid_params', `The buildpack ${twice} is already set on your app.`);
      await saveBuildpacks(store, app.id, buildpacks);
      return installationViews(buildpacks);
    },
  );
}

/** `/buildpacks/:name`: what the official command asks Heroku's registry of buildpacks about a name, without a key. */
export function buildpackRegistryRoutes(server: FastifyInstance): void {
  server.get<{ Params: { name: string } }>('/buildpacks/:name', async (request) => {
    const { name } = request.params;
    const reference = parseBuildpackReference(name);
    if (!REGISTRY_NAME.test(name))
      throw new TailraceError('not_found', 'Buildpacks have names such as heroku/nodejs.');
    return { name, blob_url: reference.kind === 'archive' ? reference.url : urlOf(reference.id) };
  });
}

function installationViews(buildpacks: readonly string[]) {
  return buildpacks.map((id, ordinal) => ({ ordinal, buildpack: { url: urlOf(id), name: id } }));
}

/** Names of a registry are written so; the official command shows them as names again. */
function urlOf(id: string): string {
  return REGISTRY_NAME.test(id) ? `urn:buildpack:${id}` : id;
}
