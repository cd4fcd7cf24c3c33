import type { FastifyInstance } from 'fastify';
import type { DynoRunner } from '../../apps/host/contract.ts';
import type { AppRecord, AppRegistry, DomainRecord } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}

/** What these routes work with. */
export interface DomainRouteDependencies {
  readonly addresses: Addresses;
  readonly appRegistry: AppRegistry;
  readonly dynoRunner: DynoRunner;
}

/** `/apps/:app/domains`: the host names of an app, beside its own below `TAILRACE_APPS_DOMAIN`. */
export function domainRoutes(api: FastifyInstance, dependencies: DomainRouteDependencies): void {
  const { addresses, appRegistry, dynoRunner } = dependencies;
  /** The name that an app has by itself is led to that app alone, as soon as it runs. @throws TailraceError `conflict` */
  const requireNoAppsOwn = async (hostname: string): Promise<void> => {
    const lower = hostname.toLowerCase();
    const name = addresses.appNameOf(lower);
    if (name !== undefined && (await appRegistry.findApp(name)))
      throw new TailraceError('conflict', `${lower} is already the domain of an app.`);
  };
  const domainView = (domain: DomainRecord, app: AppRecord) => customDomain(domain, app, addresses);

  api.get<AppParams>(
    '/apps/:app/domains',
    routeSchema("List an app's host names", 'Domain', { many: true }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const customDomains = (await appRegistry.listDomains(app.id)).map((domain) => domainView(domain, app));
      return paginate(request, reply, [defaultDomain(app, addresses), ...customDomains], ['hostname', 'id']);
    },
  );
  api.get<AppParams & { Params: { domain: string } }>(
    '/apps/:app/domains/:domain',
    routeSchema('Look at a host name', 'Domain'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return domainView(await appRegistry.getDomain(app.id, request.params.domain), app);
    },
  );
  const requestBody = bodySchema({ hostname: { type: 'string' }, sni_endpoint: {} }, ['hostname']);
  api.post<AppParams & { Body: { hostname: string } }>(
    '/apps/:app/domains',
    routeSchema('Add a host name', 'Domain', { status: 201, body: requestBody }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const { hostname } = request.body;
      await requireNoAppsOwn(hostname);
      const domain = await appRegistry.addDomain(app.id, hostname);
      await dynoRunner.updateRoute(app.id);
      reply.code(201);
      return domainView(domain, app);
    },
  );
  api.delete<AppParams & { Params: { domain: string } }>(
    '/apps/:app/domains/:domain',
    routeSchema('Remove a host name', 'Domain'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const domain = await appRegistry.removeDomain(app.id, request.params.domain);
      await dynoRunner.updateRoute(app.id);
      return domainView(domain, app);
    },
  );
}

function defaultDomain(app: AppRecord, addresses: Addresses) {
  const { id, createdAt } = app;
  const domain = { id, app: id, hostname: addresses.appHost(app.name), createdAt };
  return { ...customDomain(domain, app, addresses), kind: 'heroku', cname: null };
}

function customDomain(domain: DomainRecord, app: AppRecord, addresses: Addresses) {
  return {
    id: domain.id,
    app: { id: app.id, name: app.name },
    hostname: domain.hostname,
    kind: 'custom',
    cname: addresses.appHost(app.name),
    status: 'none',
    acm_status: null,
    acm_status_reason: null,
    sni_endpoint: null,
    created_at: domain.createdAt,
    updated_at: domain.createdAt,
  };
}
