import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { AddonServices } from '../../apps/host/contract.ts';
import { addonAttachmentName, addonServiceName, isAddonNamed } from '../../apps/records/addon-names.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { applyConfigChange } from '../../apps/records/config-change.ts';
import { OWNER } from '../../apps/records/owner.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import type { AddonRecord } from '../../apps/records/release-record.ts';
import { TailraceError } from '../../common/errors.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import { removeAddonDrains } from '../logs/addon-drains.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { randomAppName } from './apps.ts';
import { type RolloutDependencies, rollOutRelease } from './config-vars.ts';

interface AppParams {
  Params: { app: string };
}
interface NewAddonRequest {
  readonly plan: string | { readonly name: string };
  readonly name?: string | null;
}
interface AppAddon {
  readonly app: AppRecord;
  readonly addon: AddonRecord;
}

/** What these routes work with. */
export interface AddonRouteDependencies extends RolloutDependencies {
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly addonServices: AddonServices;
  readonly deliveries: DrainSupervisor;
}

/** `/apps/:app/addons` and what hangs on them: programs on this machine that give an app a config var. */
export function addonRoutes(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  const { appRegistry, releases, addonServices } = dependencies;

  const allAddons = async (): Promise<AppAddon[]> => {
    const apps = await appRegistry.listApps();
    const owned = await Promise.all(apps.map(addonsOfApp));
    return owned.flat();
  };
  const addonsOfApp = async (app: AppRecord): Promise<AppAddon[]> =>
    (await releases.current(app.id)).addons.map((addon) => ({ app, addon }));

  api.get(
    '/addon-services',
    routeSchema('List what can be added', 'AddonService', { many: true }),
    async () =>
      addonServices.available().map(({ name, description }) => ({
        id: name,
        name,
        human_name: description,
        state: 'ga',
        cli_plugin_name: null,
        supports_multiple_installations: false,
        supports_sharing: false,
      })),
  );
  api.get('/addons', routeSchema('List all add-ons', 'Addon', { many: true }), async (request, reply) =>
    paginate(request, reply, (await allAddons()).map(addonView), ['name', 'id']),
  );
  api.get<AppParams>(
    '/apps/:app/addons',
    routeSchema("List an app's add-ons", 'Addon', { many: true }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      return paginate(request, reply, (await addonsOfApp(app)).map(addonView), ['name', 'id']);
    },
  );
  for (const path of ['/addons/:addon', '/apps/:app/addons/:addon'])
    api.get<{ Params: { addon: string } }>(
      path,
      routeSchema('Look at an add-on', 'Addon'),
      async (request) => {
        return addonView(requireAddon(await allAddons(), request.params.addon));
      },
    );

  const requestBody = bodySchema(
    {
      plan: { type: ['string', 'object'], properties: { name: { type: 'string' } } },
      name: { type: ['string', 'null'] },
    },
    ['plan'],
  );
  api.post<AppParams & { Body: NewAddonRequest }>(
    '/apps/:app/addons',
    routeSchema('Add an add-on', 'Addon', { status: 201, body: requestBody }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const addon = await createAddon(app, request.body);
      reply.code(201);
      return addonView({ app, addon });
    },
  );
  for (const path of ['/addons/:addon', '/apps/:app/addons/:addon'])
    api.delete<{ Params: { addon: string } }>(
      path,
      routeSchema('Remove an add-on and what it holds', 'Addon'),
      async (request) => {
        const owned = requireAddon(await allAddons(), request.params.addon);
        await destroyAddon(owned);
        return { ...addonView(owned), state: 'deprovisioned' };
      },
    );

  api.get('/addon-attachments', routeSchema('List attachments', 'Attachment', { many: true }), async () =>
    (await allAddons()).map(attachmentView),
  );
  api.get<AppParams>(
    '/apps/:app/addon-attachments',
    routeSchema("List an app's attachments", 'Attachment', { many: true }),
    async (request) => (await addonsOfApp(await appRegistry.getApp(request.params.app))).map(attachmentView),
  );
  api.get<{ Params: { addon: string } }>(
    '/addons/:addon/addon-attachments',
    routeSchema("List an add-on's attachments", 'Attachment', { many: true }),
    async (request) => [attachmentView(requireAddon(await allAddons(), request.params.addon))],
  );
  interface ResolveRequest {
    readonly addon?: string;
    readonly addon_attachment?: string;
    readonly app?: string | null;
  }
  const resolveBody = bodySchema({ addon: { type: 'string' }, addon_attachment: { type: 'string' } });
  const resolve = async ({ app, addon, addon_attachment: attachment }: ResolveRequest): Promise<AppAddon> =>
    requireAddon(
      app ? await addonsOfApp(await appRegistry.getApp(app)) : await allAddons(),
      addon ?? attachment ?? '',
    );
  api.post<{ Body: ResolveRequest }>(
    '/actions/addons/resolve',
    routeSchema('Find add-ons by what was typed', 'Addon', { many: true, body: resolveBody }),
    async (request) => [addonView(await resolve(request.body))],
  );
  api.post<{ Body: ResolveRequest }>(
    '/actions/addon-attachments/resolve',
    routeSchema('Find attachments by what was typed', 'Attachment', { many: true, body: resolveBody }),
    async (request) => [attachmentView(await resolve(request.body))],
  );

  async function createAddon(app: AppRecord, { plan, name }: NewAddonRequest): Promise<AddonRecord> {
    const typed = typeof plan === 'string' ? plan : plan.name;
    const service = addonServices.resolveService(typed);
    const id = randomUUID();
    const before = await releases.current(app.id);
    if (before.addons.some((addon) => addon.plan.startsWith(`${service}:`)))
      throw new TailraceError('conflict', `${app.name} has a ${service} add-on already.`);
    const config = await addonServices.create(app.id, service, id);
    const addon: AddonRecord = {
      id,
      name: name || `${service}-${randomAppName()}`,
      plan: `${service}:local`,
      configVars: Object.keys(config),
      createdAt: new Date().toISOString(),
    };
    const release = await releases.add(app.id, (current) => ({
      description: `Attach ${addon.configVars.join(', ')} (${addon.name})`,
      addons: [...current.addons, addon],
      config: applyConfigChange(current.config, config),
    }));
    await rollOutRelease(dependencies, app, release);
    return addon;
  }

  async function destroyAddon({ app, addon }: AppAddon): Promise<void> {
    const removedVars = Object.fromEntries(addon.configVars.map((name) => [name, null]));
    const release = await releases.add(app.id, (current) => ({
      description: `Detach ${addon.configVars.join(', ')} (${addon.name})`,
      addons: current.addons.filter(({ id }) => id !== addon.id),
      config: applyConfigChange(current.config, removedVars),
    }));
    await rollOutRelease(dependencies, app, release);
    await removeAddonDrains(dependencies, app.id, addon.id);
    await addonServices.destroy(app.id, addon.id);
  }
}

/** By id, name, service, or the name of the attachment. */
function requireAddon(all: readonly AppAddon[], which: string): AppAddon {
  const found = all.find(({ addon }) => isAddonNamed(addon, which));
  if (!found) throw new TailraceError('not_found', "Couldn't find that add-on.");
  return found;
}

const FREE_PRICE = { cents: 0, contract: false, unit: 'month' } as const;

function addonView({ app, addon }: AppAddon) {
  const name = addonServiceName(addon);
  const owner = { id: app.id, name: app.name };
  return {
    id: addon.id,
    name: addon.name,
    actions: [],
    app: owner,
    addon_service: { id: name, name },
    plan: { id: addon.plan, name: addon.plan, price: FREE_PRICE },
    billed_price: FREE_PRICE,
    billing_entity: { ...owner, type: 'app' },
    config_vars: addon.configVars,
    provider_id: addon.id,
    provision_message: `${addon.configVars.join(', ')} is set; it runs on this machine.`,
    state: 'provisioned',
    web_url: null,
    created_at: addon.createdAt,
    updated_at: addon.createdAt,
  };
}

function attachmentView({ app, addon }: AppAddon) {
  const owner = { id: app.id, name: app.name };
  return {
    id: addon.id,
    name: addonAttachmentName(addon),
    addon: { id: addon.id, name: addon.name, app: owner, plan: { id: addon.plan, name: addon.plan } },
    addon_service: { id: addonServiceName(addon), name: addonServiceName(addon) },
    app: owner,
    config_vars: addon.configVars,
    namespace: null,
    log_input_url: null,
    web_url: null,
    billing_entity: { ...owner, type: 'app' },
    owner: OWNER,
    created_at: addon.createdAt,
    updated_at: addon.createdAt,
  };
}
