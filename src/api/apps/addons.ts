import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { attachmentName, isCalled, serviceOf } from '../../apps/records/addon-names.ts';
import { changedConfig } from '../../apps/records/config-change.ts';
import type { AppRecord } from '../../apps/records/directory.ts';
import { OWNER } from '../../apps/records/owner.ts';
import type { AddonRecord } from '../../apps/records/release-history.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Context } from '../context.ts';
import { removeAddonDrains } from '../logs/addon-drains.ts';
import { onePage } from '../page-range.ts';
import { body, describe } from '../shapes.ts';
import { randomName } from './apps.ts';
import { announceRelease } from './config-vars.ts';

interface AppParams {
  Params: { app: string };
}
interface NewAddon {
  readonly plan: string | { readonly name: string };
  readonly name?: string | null;
}
interface Owned {
  readonly app: AppRecord;
  readonly addon: AddonRecord;
}

/** `/apps/:app/addons` and what hangs on them: programs on this machine that give an app a config var. */
export function addonRoutes(api: FastifyInstance, context: Context): void {
  const { directory, releases, services } = context;

  const all = async (): Promise<Owned[]> => {
    const apps = await directory.apps();
    const owned = await Promise.all(apps.map(ofApp));
    return owned.flat();
  };
  const ofApp = async (app: AppRecord): Promise<Owned[]> =>
    (await releases.current(app.id)).addons.map((addon) => ({ app, addon }));

  api.get('/addon-services', describe('List what can be added', 'AddonService', { many: true }), async () =>
    services.available().map(({ name, description }) => ({
      id: name,
      name,
      human_name: description,
      state: 'ga',
      cli_plugin_name: null,
      supports_multiple_installations: false,
      supports_sharing: false,
    })),
  );
  api.get('/addons', describe('List all add-ons', 'Addon', { many: true }), async (request, reply) =>
    onePage(request, reply, (await all()).map(addonView), ['name', 'id']),
  );
  api.get<AppParams>(
    '/apps/:app/addons',
    describe("List an app's add-ons", 'Addon', { many: true }),
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      return onePage(request, reply, (await ofApp(app)).map(addonView), ['name', 'id']);
    },
  );
  for (const path of ['/addons/:addon', '/apps/:app/addons/:addon'])
    api.get<{ Params: { addon: string } }>(path, describe('Look at an add-on', 'Addon'), async (request) => {
      return addonView(pick(await all(), request.params.addon));
    });

  const wanted = body(
    {
      plan: { type: ['string', 'object'], properties: { name: { type: 'string' } } },
      name: { type: ['string', 'null'] },
    },
    ['plan'],
  );
  api.post<AppParams & { Body: NewAddon }>(
    '/apps/:app/addons',
    describe('Add an add-on', 'Addon', { status: 201, body: wanted }),
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      const addon = await create(app, request.body);
      reply.code(201);
      return addonView({ app, addon });
    },
  );
  for (const path of ['/addons/:addon', '/apps/:app/addons/:addon'])
    api.delete<{ Params: { addon: string } }>(
      path,
      describe('Remove an add-on and what it holds', 'Addon'),
      async (request) => {
        const owned = pick(await all(), request.params.addon);
        await destroy(owned);
        return { ...addonView(owned), state: 'deprovisioned' };
      },
    );

  api.get('/addon-attachments', describe('List attachments', 'Attachment', { many: true }), async () =>
    (await all()).map(attachmentView),
  );
  api.get<AppParams>(
    '/apps/:app/addon-attachments',
    describe("List an app's attachments", 'Attachment', { many: true }),
    async (request) => (await ofApp(await directory.app(request.params.app))).map(attachmentView),
  );
  api.get<{ Params: { addon: string } }>(
    '/addons/:addon/addon-attachments',
    describe("List an add-on's attachments", 'Attachment', { many: true }),
    async (request) => [attachmentView(pick(await all(), request.params.addon))],
  );
  interface Question {
    readonly addon?: string;
    readonly addon_attachment?: string;
    readonly app?: string | null;
  }
  const question = body({ addon: { type: 'string' }, addon_attachment: { type: 'string' } });
  const resolve = async ({ app, addon, addon_attachment: attachment }: Question): Promise<Owned> =>
    pick(app ? await ofApp(await directory.app(app)) : await all(), addon ?? attachment ?? '');
  api.post<{ Body: Question }>(
    '/actions/addons/resolve',
    describe('Find add-ons by what was typed', 'Addon', { many: true, body: question }),
    async (request) => [addonView(await resolve(request.body))],
  );
  api.post<{ Body: Question }>(
    '/actions/addon-attachments/resolve',
    describe('Find attachments by what was typed', 'Attachment', { many: true, body: question }),
    async (request) => [attachmentView(await resolve(request.body))],
  );

  async function create(app: AppRecord, { plan, name }: NewAddon): Promise<AddonRecord> {
    const typed = typeof plan === 'string' ? plan : plan.name;
    const service = services.find(typed);
    const id = randomUUID();
    const before = await releases.current(app.id);
    if (before.addons.some((addon) => addon.plan.startsWith(`${service}:`)))
      throw new TailraceError('conflict', `${app.name} has a ${service} add-on already.`);
    const config = await services.create(app.id, service, id);
    const addon: AddonRecord = {
      id,
      name: name || `${service}-${randomName()}`,
      plan: `${service}:local`,
      configVars: Object.keys(config),
      createdAt: new Date().toISOString(),
    };
    const release = await releases.add(app.id, (current) => ({
      description: `Attach ${addon.configVars.join(', ')} (${addon.name})`,
      addons: [...current.addons, addon],
      config: changedConfig(current.config, config),
    }));
    await announceRelease(context, app, release);
    return addon;
  }

  async function destroy({ app, addon }: Owned): Promise<void> {
    const gone = Object.fromEntries(addon.configVars.map((name) => [name, null]));
    const release = await releases.add(app.id, (current) => ({
      description: `Detach ${addon.configVars.join(', ')} (${addon.name})`,
      addons: current.addons.filter(({ id }) => id !== addon.id),
      config: changedConfig(current.config, gone),
    }));
    await announceRelease(context, app, release);
    await removeAddonDrains(context, app.id, addon.id);
    await services.destroy(app.id, addon.id);
  }
}

/** By id, name, service, or the name of the attachment. */
function pick(all: readonly Owned[], which: string): Owned {
  const found = all.find(({ addon }) => isCalled(addon, which));
  if (!found) throw new TailraceError('not_found', "Couldn't find that add-on.");
  return found;
}

const FREE = { cents: 0, contract: false, unit: 'month' } as const;

function addonView({ app, addon }: Owned) {
  const name = serviceOf(addon);
  const owner = { id: app.id, name: app.name };
  return {
    id: addon.id,
    name: addon.name,
    actions: [],
    app: owner,
    addon_service: { id: name, name },
    plan: { id: addon.plan, name: addon.plan, price: FREE },
    billed_price: FREE,
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

function attachmentView({ app, addon }: Owned) {
  const owner = { id: app.id, name: app.name };
  return {
    id: addon.id,
    name: attachmentName(addon),
    addon: { id: addon.id, name: addon.name, app: owner, plan: { id: addon.plan, name: addon.plan } },
    addon_service: { id: serviceOf(addon), name: serviceOf(addon) },
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
