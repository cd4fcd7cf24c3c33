import type { FastifyInstance, FastifyRequest } from 'fastify';
import { permits } from '../../apps/access/grants.ts';
import { TailraceError } from '../../common/errors.ts';
import { getNamedApp, PROTECTED_ROUTE } from '../access/authorize.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { type AddonRouteDependencies, addonScene } from './addon-scene.ts';
import { matchAddons, requireAddon } from './find-addon.ts';
import { PARTNER_ROUTE } from './partner-access.ts';
import { addonConfigView, addonView } from './views.ts';

interface AppParams {
  Params: { app: string };
}
interface AddonParams {
  Params: { app?: string; addon: string };
}
type PlanRequest = string | { readonly name: string };
interface NewAddonRequest {
  readonly plan: PlanRequest;
  readonly name?: string | null;
  readonly attachment?: { readonly name?: string | null } | null;
  readonly config?: Readonly<Record<string, string | number | boolean | null>> | null;
  readonly confirm?: string | null;
}
interface AddonChange {
  readonly plan?: PlanRequest;
  readonly name?: string;
}

interface ResolveRequest {
  readonly addon: string;
  readonly app?: string | null;
  readonly addon_service?: string | null;
}

const planOrName = {
  type: ['string', 'object'],
  properties: { name: { type: 'string' } },
  required: ['name'],
};
const NEW_ADDON_BODY = bodySchema(
  {
    plan: planOrName,
    name: { type: ['string', 'null'] },
    attachment: {
      type: ['object', 'null'],
      properties: { name: { type: ['string', 'null'] } },
    },
    config: {
      type: ['object', 'null'],
      additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
    },
    confirm: { type: ['string', 'null'] },
  },
  ['plan'],
);
const ADDON_CHANGE_BODY = bodySchema({ plan: planOrName, name: { type: 'string' } });
const RESOLVE_BODY = bodySchema(
  {
    addon: { type: 'string' },
    app: { type: ['string', 'null'] },
    addon_service: { type: ['string', 'null'] },
  },
  ['addon'],
);

/** `/addons`, `/apps/:app/addons`: what there is, create, change, destroy. */
export function addonRoutes(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  listRoutes(api, dependencies);
  createRoute(api, dependencies);
  singleAddonRoutes(api, dependencies);
  resolveRoute(api, dependencies);
}

function listRoutes(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  api.get('/addons', routeSchema('List all add-ons', 'Addon', { many: true }), async (request, reply) => {
    const scene = await addonScene(dependencies, request);
    return paginate(
      request,
      reply,
      scene.addons.map((addon) => addonView(scene, addon)),
      ['name', 'id'],
    );
  });
  api.get<AppParams>(
    '/apps/:app/addons',
    routeSchema("List an app's add-ons, with those of other apps that it uses", 'Addon', { many: true }),
    async (request, reply) => {
      const app = await dependencies.appRegistry.getApp(request.params.app);
      const scene = await addonScene(dependencies, request);
      const used = new Set(scene.attachments.filter((one) => one.app === app.id).map(({ addon }) => addon));
      const own = scene.addons.filter((addon) => addon.app === app.id || used.has(addon.id));
      return paginate(
        request,
        reply,
        own.map((addon) => addonView(scene, addon)),
        ['name', 'id'],
      );
    },
  );
}

function createRoute(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  const { appRegistry, addons } = dependencies;
  api.post<AppParams & { Body: NewAddonRequest }>(
    '/apps/:app/addons',
    routeSchema('Add an add-on', 'Addon', { status: 201, body: NEW_ADDON_BODY }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const { plan, name, attachment, config, confirm } = request.body;
      const options = Object.entries(config ?? {}).flatMap(([key, value]) =>
        value === null ? [] : [[key, String(value)]],
      );
      const addon = await addons.create(app, {
        plan: planName(plan),
        name: name || undefined,
        as: attachment?.name || undefined,
        confirm: confirm ?? undefined,
        options: Object.fromEntries(options),
      });
      reply.code(201);
      return addonView(await addonScene(dependencies, request), addon);
    },
  );
}

/** What is done with one add-on, by its name or id, or as an app has attached it. */
function singleAddonRoutes(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  const { appRegistry, addons } = dependencies;
  const found = async (request: FastifyRequest<AddonParams>) => {
    const scene = await addonScene(dependencies, request);
    const { app, addon } = request.params;
    const appId = app === undefined ? undefined : (await appRegistry.getApp(app)).id;
    return { scene, addon: requireAddon(scene, addon, appId) };
  };
  // What an app has attached it uses, but it is the owner's to change.
  const foundToChange = async (request: FastifyRequest<AddonParams>) => {
    const result = await found(request);
    const { keyGrant } = request;
    if (keyGrant && !permits(keyGrant, 'write', result.addon.app))
      throw new TailraceError(
        'forbidden',
        `${result.addon.name} is attached here, but belongs to another app, where you may not change it: detach it with addons:detach.`,
      );
    return result;
  };
  for (const path of ['/addons/:addon', '/apps/:app/addons/:addon']) {
    api.get<AddonParams>(
      path,
      { ...routeSchema('Look at an add-on', 'Addon'), ...PARTNER_ROUTE },
      async (request) => {
        const { scene, addon } = await found(request);
        return addonView(scene, addon);
      },
    );
    api.patch<AddonParams & { Body: AddonChange | null }>(
      path,
      routeSchema('Change the plan or the name of an add-on', 'Addon', { body: ADDON_CHANGE_BODY }),
      async (request) => {
        let { addon } = await foundToChange(request);
        const { plan, name } = request.body ?? {};
        if (plan === undefined && name === undefined)
          throw new TailraceError('invalid_params', 'Name what is to be changed: the plan or the name.');
        if (name !== undefined) addon = await addons.rename(addon, name);
        if (plan !== undefined) addon = await addons.changePlan(addon, planName(plan));
        return addonView(await addonScene(dependencies, request), addon);
      },
    );
    api.delete<AddonParams & { Body: { force?: boolean } | null }>(
      path,
      routeSchema('Remove an add-on and what it holds', 'Addon', {
        body: bodySchema({ force: { type: 'boolean' } }),
      }),
      async (request) => {
        const { scene, addon } = await foundToChange(request);
        const isGone = await addons.destroy(addon, request.body?.force ?? false);
        const state = isGone ? 'deprovisioned' : 'deprovisioning';
        return { ...addonView(scene, addon), state, web_url: null };
      },
    );
  }
  api.get<AddonParams>(
    '/addons/:addon/config',
    {
      ...routeSchema("An add-on's config", 'AddonConfig', { many: true }),
      config: { ...PROTECTED_ROUTE.config, ...PARTNER_ROUTE.config },
    },
    async (request) => addonConfigView((await found(request)).addon),
  );
  api.get<AddonParams>(
    '/addons/:addon/details',
    routeSchema('What an add-on is like now, as its service says it', 'AddonDetail', { many: true }),
    async (request) => addons.info((await found(request)).addon),
  );
}

function resolveRoute(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  api.post<{ Body: ResolveRequest }>(
    '/actions/addons/resolve',
    routeSchema('Find add-ons by what was typed', 'Addon', { many: true, body: RESOLVE_BODY }),
    async (request) => {
      const { addon: which, app, addon_service: service } = request.body;
      const scene = await addonScene(dependencies, request);
      const appId = app ? (await getNamedApp(request, dependencies.appRegistry, app)).id : undefined;
      // Refuses when there is none; several are for the client to choose from.
      const matches = matchAddons(scene, which, appId).filter((one) => !service || one.service === service);
      if (matches.length === 0) requireAddon(scene, which, appId);
      return matches.map((addon) => addonView(scene, addon));
    },
  );
}

function planName(plan: PlanRequest): string {
  return typeof plan === 'string' ? plan : plan.name;
}
