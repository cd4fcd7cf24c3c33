import type { FastifyInstance } from 'fastify';
import type { AppRecord, DomainRecord } from '../../apps/records/directory.ts';
import type { Context } from '../context.ts';
import { onePage } from '../page-range.ts';
import { body, describe } from '../shapes.ts';

interface AppParams {
  Params: { app: string };
}

/** `/apps/:app/domains`: the host names of an app, beside `<app>.localhost`. */
export function domainRoutes(api: FastifyInstance, context: Context): void {
  const { directory, runner } = context;

  api.get<AppParams>(
    '/apps/:app/domains',
    describe("List an app's host names", 'Domain', { many: true }),
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      const own = (await directory.domains(app.id)).map((domain) => domainView(domain, app));
      return onePage(request, reply, [usualDomain(app), ...own], ['hostname', 'id']);
    },
  );
  api.get<AppParams & { Params: { domain: string } }>(
    '/apps/:app/domains/:domain',
    describe('Look at a host name', 'Domain'),
    async (request) => {
      const app = await directory.app(request.params.app);
      return domainView(await directory.domain(app.id, request.params.domain), app);
    },
  );
  const wanted = body({ hostname: { type: 'string' }, sni_endpoint: {} }, ['hostname']);
  api.post<AppParams & { Body: { hostname: string } }>(
    '/apps/:app/domains',
    describe('Add a host name', 'Domain', { status: 201, body: wanted }),
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      const domain = await directory.addDomain(app.id, request.body.hostname);
      await runner.shown(app);
      reply.code(201);
      return domainView(domain, app);
    },
  );
  api.delete<AppParams & { Params: { domain: string } }>(
    '/apps/:app/domains/:domain',
    describe('Remove a host name', 'Domain'),
    async (request) => {
      const app = await directory.app(request.params.app);
      const domain = await directory.removeDomain(app.id, request.params.domain);
      await runner.shown(app);
      return domainView(domain, app);
    },
  );
}

/** Lists that are empty here, and that clients look at all the same: certificates, buildpacks. */
export function emptyLists(api: FastifyInstance, { directory }: Context): void {
  for (const path of ['sni-endpoints', 'buildpack-installations'])
    api.get<AppParams>(
      `/apps/:app/${path}`,
      describe('An empty list', 'Nothing', { many: true }),
      async (request) => {
        await directory.app(request.params.app);
        return [];
      },
    );
}

function usualDomain(app: AppRecord) {
  const { id, createdAt } = app;
  const domain = { id, app: id, hostname: `${app.name}.localhost`, createdAt };
  return { ...domainView(domain, app), kind: 'heroku', cname: null };
}

function domainView(domain: DomainRecord, app: AppRecord) {
  return {
    id: domain.id,
    app: { id: app.id, name: app.name },
    hostname: domain.hostname,
    kind: 'custom',
    cname: `${app.name}.localhost`,
    status: 'none',
    acm_status: null,
    acm_status_reason: null,
    sni_endpoint: null,
    created_at: domain.createdAt,
    updated_at: domain.createdAt,
  };
}
