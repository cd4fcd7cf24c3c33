import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Addons } from '../../apps/host/addons/addons.ts';
import { partnerService } from '../../apps/host/addons/partner/manifest.ts';
import { readPartnerConfig } from '../../apps/host/addons/partner/partner-answer.ts';
import type { PartnerRecord } from '../../apps/host/addons/partner/partner-manifests.ts';
import { TailraceError } from '../../common/errors.ts';
import { PROTECTED_ROUTE } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { type AddonRouteDependencies, addonScene } from './addon-scene.ts';
import { addonNotFound } from './find-addon.ts';
import { PARTNER_ROUTE } from './partner-access.ts';
import { addonConfigView, addonView } from './views.ts';

interface AddonParams {
  Params: { addon: string };
}
interface ServiceParams {
  Params: { service: string };
}

/** `/addon-manifests`: partners, as an operator registers them. Then what partners do with their add-ons. */
export function partnerRoutes(api: FastifyInstance, dependencies: AddonRouteDependencies): void {
  const { addons } = dependencies;
  const { registration } = addons.partners;

  api.get(
    '/addon-manifests',
    routeSchema('List the registered partners', 'AddonManifest', { many: true }),
    async () => (await registration.list()).map(manifestView),
  );
  api.get<ServiceParams>(
    '/addon-manifests/:service',
    { ...routeSchema('Look at a registered partner, with its secrets', 'AddonManifest'), ...PROTECTED_ROUTE },
    async ({ params }) => manifestWithSecrets(await registration.get(params.service)),
  );
  api.post<{ Body: { manifest?: unknown; environment?: 'production' | 'test' } | null }>(
    '/addon-manifests',
    routeSchema('Register a partner with its addon-manifest.json', 'AddonManifest', {
      status: 201,
      body: bodySchema({ manifest: {}, environment: { enum: ['production', 'test'] } }, ['manifest']),
    }),
    async ({ body }, reply) => {
      const { partner, replaced } = await registration.register(
        body?.manifest,
        body?.environment ?? 'production',
      );
      reply.code(201);
      return { ...manifestWithSecrets(partner), replaces: replaced?.name ?? null };
    },
  );
  api.delete<ServiceParams & { Body: { force?: boolean } | null }>(
    '/addon-manifests/:service',
    routeSchema('Forget a partner', 'AddonManifest', { body: bodySchema({ force: { type: 'boolean' } }) }),
    async ({ params, body }) => manifestView(await registration.unregister(params.service, body?.force)),
  );

  const partnersAddon = async (request: FastifyRequest<AddonParams>) => {
    if (request.partnerAddon === undefined)
      throw new TailraceError(
        'forbidden',
        "Only the partner of an add-on does that, with the add-on's token (POST /oauth/token).",
      );
    const addon = (await addons.snapshot()).addons.find(({ id }) => id === request.partnerAddon);
    if (!addon) throw addonNotFound();
    return addon;
  };
  const viewOf = async (request: FastifyRequest<AddonParams>) => {
    const scene = await addonScene(dependencies, request);
    const addon = scene.addons.find(({ id }) => id === request.partnerAddon);
    return addon && addonView(scene, addon);
  };

  api.patch<AddonParams & { Body: { config?: unknown } | null }>(
    '/addons/:addon/config',
    {
      ...routeSchema('Change the config vars of an add-on, as its partner', 'AddonConfig', {
        many: true,
        body: bodySchema({ config: {} }, ['config']),
      }),
      ...PARTNER_ROUTE,
    },
    async (request) => {
      const { id, service } = await partnersAddon(request);
      const manifest = await registration.get(service);
      const change = readPartnerConfig(manifest, request.body?.config);
      if (typeof change === 'string')
        throw new TailraceError('invalid_params', `There is ${change}. Nothing was changed.`);
      return addonConfigView(
        await addons.reports.updateConfig(id, change, partnerService(manifest).configVars),
      );
    },
  );
  api.post<AddonParams>(
    '/addons/:addon/actions/provision',
    { ...routeSchema('Say that an add-on is there, as its partner', 'Addon', EMPTY_BODY), ...PARTNER_ROUTE },
    async (request) => {
      const { id } = await partnersAddon(request);
      await addons.reports.markProvisioned(id);
      return viewOf(request);
    },
  );
  api.post<AddonParams>(
    '/addons/:addon/actions/deprovision',
    {
      ...routeSchema("Say that an add-on won't be there, or is gone, as its partner", 'Addon', EMPTY_BODY),
      ...PARTNER_ROUTE,
    },
    async (request) => {
      const addon = await partnersAddon(request);
      const before = await viewOf(request);
      await addons.reports.markDeprovisioned(addon);
      return { ...before, state: 'deprovisioned' };
    },
  );
}

const EMPTY_BODY = { body: bodySchema({}) };

/** `POST /oauth/token`, as at Heroku's identity service: a partner exchanges what it was given for tokens. */
export async function partnerTokenRoutes(
  server: FastifyInstance,
  { addons }: { readonly addons: Addons },
): Promise<void> {
  interface TokenRequest {
    readonly grant_type?: unknown;
    readonly code?: unknown;
    readonly refresh_token?: unknown;
    readonly client_secret?: unknown;
  }
  await server.register(async (scope) => {
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: FORM_BYTES_MAX },
      (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
    );
    scope.post<{ Body: TokenRequest | null; Querystring: TokenRequest }>(
      '/oauth/token',
      async (request, reply) => {
        reply.header('Cache-Control', 'no-store');
        const {
          grant_type: type,
          code,
          refresh_token: refresh,
          client_secret: secret,
        } = {
          ...request.query,
          ...request.body,
        };
        const grant = type === 'refresh_token' ? refresh : code;
        if (typeof type !== 'string' || typeof grant !== 'string' || typeof secret !== 'string')
          throw new TailraceError(
            'bad_request',
            'Name grant_type, client_secret, and code (authorization_code) or refresh_token (refresh_token).',
          );
        return addons.partners.exchange(type, grant, secret);
      },
    );
  });
}

const FORM_BYTES_MAX = 16 * 1_024;

function manifestView(partner: PartnerRecord) {
  const { id, name, environment, baseUrl, ssoUrl, configVars, regions, requires, plans } = partner;
  return {
    id,
    name,
    environment,
    base_url: baseUrl,
    sso_url: ssoUrl,
    config_vars: configVars,
    regions,
    requires,
    plans: plans.map((plan) => plan.name),
    created_at: partner.createdAt,
    updated_at: partner.updatedAt,
  };
}

function manifestWithSecrets(partner: PartnerRecord) {
  return { ...manifestView(partner), client_secret: partner.clientSecret };
}
