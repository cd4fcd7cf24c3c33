import type { FastifyInstance, FastifyReply } from 'fastify';
import type { DynoRunner, DynoSummary } from '../../apps/host/contract.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { DEFAULT_DYNO_SIZE, type DynoSizesRecord, loadDynoSizes } from '../../apps/records/dyno-sizes.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import type { Store } from '../../logs/store/contract.ts';
import { needsScope } from '../access/authorize.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}
interface DynoParams {
  Params: { app: string; dyno: string };
}

/** What these routes work with. */
export interface DynoRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly dynoRunner: DynoRunner;
  readonly store: Store;
  readonly log: Log;
}

/** `/apps/:app/dynos`: list, restart, stop. */
export function dynoRoutes(api: FastifyInstance, dependencies: DynoRouteDependencies): void {
  const { appRegistry, dynoRunner, store, log } = dependencies;

  api.get<AppParams>(
    '/apps/:app/dynos',
    { ...routeSchema("List an app's dynos", 'Dyno', { many: true }), ...needsScope('apps') },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const sizes = await loadDynoSizes(store, app.id);
      const views = dynoRunner.dynos(app.id).map((dyno) => dynoView(dyno, app, sizes));
      return paginate(request, reply, views, ['name', 'id']);
    },
  );
  const one = { ...routeSchema('Look at a dyno', 'Dyno'), ...needsScope('dynos:read') };
  api.get<DynoParams>('/apps/:app/dynos/:dyno', one, async (request) => {
    const app = await appRegistry.getApp(request.params.app);
    const { dyno } = request.params;
    const running = dynoRunner.dynos(app.id).find(({ name, id }) => name === dyno || id === dyno);
    const found = running ?? dynoRunner.oneOff(app.id, dyno);
    if (!found) throw new TailraceError('not_found', "Couldn't find that dyno.");
    return dynoView(found, app, await loadDynoSizes(store, app.id));
  });

  api.delete<AppParams>(
    '/apps/:app/dynos',
    acceptedRouteSchema('Restart all dynos'),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      return runInBackground(app, reply, dynoRunner.restart(app.id, undefined));
    },
  );
  api.delete<DynoParams>(
    '/apps/:app/dynos/:dyno',
    acceptedRouteSchema('Restart a dyno'),
    async (request, reply) => {
      const app = await requireAppWithDyno(request.params);
      return runInBackground(app, reply, dynoRunner.restart(app.id, request.params.dyno));
    },
  );
  api.delete<DynoParams>(
    '/apps/:app/formations/:dyno',
    acceptedRouteSchema('Restart the dynos of a process type'),
    async (request, reply) => {
      const app = await requireAppWithDyno(request.params);
      return runInBackground(app, reply, dynoRunner.restart(app.id, request.params.dyno));
    },
  );
  for (const path of ['/apps/:app/dynos/:dyno/actions/stop', '/apps/:app/formations/:dyno/actions/stop'])
    api.post<DynoParams>(
      path,
      acceptedRouteSchema('Stop a dyno, or those of a process type', bodySchema({})),
      async (request, reply) => {
        const app = await requireAppWithDyno(request.params);
        return runInBackground(app, reply, dynoRunner.stop(app.id, request.params.dyno));
      },
    );

  async function requireAppWithDyno({ app: which, dyno }: DynoParams['Params']): Promise<AppRecord> {
    const app = await appRegistry.getApp(which);
    const exists = dynoRunner.dynos(app.id).some(({ name, type }) => name === dyno || type === dyno);
    if (!exists) throw new TailraceError('not_found', "Couldn't find that dyno.");
    return app;
  }

  /** Responds at once: a dyno may take half a minute to end. The result is in the stream. */
  function runInBackground({ name }: AppRecord, reply: FastifyReply, work: Promise<void>): object {
    work.catch((error: unknown) =>
      log.warn({ app: name, err: error }, 'a dyno could not be restarted or stopped'),
    );
    reply.code(202);
    return {};
  }
}

function acceptedRouteSchema(summary: string, wanted?: ReturnType<typeof bodySchema>) {
  return { ...routeSchema(summary, 'Empty', { status: 202, body: wanted }), ...needsScope('dynos:write') };
}

/** A dyno in the Platform API's shape. */
export function dynoView(
  dyno: DynoSummary,
  app: AppRecord,
  sizes: DynoSizesRecord,
  attachUrl: string | null = null,
) {
  return {
    id: dyno.id,
    name: dyno.name,
    type: dyno.type,
    command: dyno.command,
    size: dyno.size ?? sizes[dyno.type] ?? DEFAULT_DYNO_SIZE,
    state: dyno.state,
    attach_url: attachUrl,
    exit_status: dyno.exitStatus ?? null,
    release: { id: app.id, version: dyno.version },
    app: { id: app.id, name: app.name },
    created_at: dyno.createdAt,
    updated_at: dyno.updatedAt,
  };
}
