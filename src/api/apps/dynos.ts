import type { FastifyInstance, FastifyReply } from 'fastify';
import type { DynoRunner, DynoSummary } from '../../apps/host/contract.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { DEFAULT_DYNO_SIZE, DYNO_SIZES, findDynoSize, loadDynoSizes } from '../../apps/records/dyno-sizes.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import type { Store } from '../../logs/store/contract.ts';
import { FILTERED_ROUTE, needsScope } from '../access/authorize.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { GENERATION } from './apps.ts';

interface AppParams {
  Params: { app: string };
}
interface DynoParams {
  Params: { app: string; dyno: string };
}

/** What a view of a dyno is made with. */
export interface DynoViewDependencies {
  readonly releases: Releases;
  readonly store: Store;
}

/** What these routes work with. */
export interface DynoRouteDependencies extends DynoViewDependencies {
  readonly appRegistry: AppRegistry;
  readonly dynoRunner: DynoRunner;
  readonly log: Log;
}

/** `/apps/:app/dynos`: list, restart, stop; `/dyno-sizes`: what they may be like. */
export function dynoRoutes(api: FastifyInstance, dependencies: DynoRouteDependencies): void {
  const { appRegistry, dynoRunner, log } = dependencies;
  dynoSizeRoutes(api, appRegistry);

  api.get<AppParams>(
    '/apps/:app/dynos',
    { ...routeSchema("List an app's dynos", 'Dyno', { many: true }), ...needsScope('apps') },
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const views = await dynoViews(dynoRunner.dynos(app.id), app, dependencies);
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
    return dynoView(found, app, dependencies);
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

/** `/dyno-sizes`, and which of them an app may have: all. */
function dynoSizeRoutes(api: FastifyInstance, appRegistry: AppRegistry): void {
  const views = DYNO_SIZES.map(dynoSizeView);
  api.get(
    '/dyno-sizes',
    { ...routeSchema('List the sizes of dynos', 'DynoSize', { many: true }), ...FILTERED_ROUTE },
    async () => views,
  );
  api.get<AppParams>(
    '/apps/:app/available-dyno-sizes',
    routeSchema("List the sizes that an app's dynos may have: all", 'DynoSize', { many: true }),
    async ({ params: { app } }) => {
      await appRegistry.getApp(app);
      return views;
    },
  );
  api.get<{ Params: { size: string } }>(
    '/dyno-sizes/:size',
    { ...routeSchema('Look at a size of dynos', 'DynoSize'), ...FILTERED_ROUTE },
    async ({ params: { size } }) => {
      const found = findDynoSize(size);
      if (!found) throw new TailraceError('not_found', "Couldn't find that dyno size: /dyno-sizes has all.");
      return dynoSizeView(found);
    },
  );
}

/** @param memoryMb Heroku has it in GB */
function dynoSizeView({ name, memoryMb }: (typeof DYNO_SIZES)[number]) {
  return {
    id: name,
    name,
    memory: memoryMb / 1_024,
    cost: { cents: 0, unit: 'month' },
    compute: 1,
    dedicated: false,
    dyno_units: 1,
    precise_dyno_units: 1,
    generation: GENERATION,
    private_space_only: false,
  };
}

/** Dynos of an app in the Platform API's shape. */
async function dynoViews(
  dynos: readonly DynoSummary[],
  app: AppRecord,
  { releases, store }: DynoViewDependencies,
  attachUrl: string | null = null,
) {
  const sizes = await loadDynoSizes(store, app.id);
  const versions = [...new Set(dynos.map(({ version }) => version))];
  const ids = new Map(
    await Promise.all(
      versions.map(async (version) => [version, await releases.idOf(app.id, version)] as const),
    ),
  );
  return dynos.map((dyno) => ({
    id: dyno.id,
    name: dyno.name,
    type: dyno.type,
    command: dyno.command,
    size: dyno.size ?? sizes[dyno.type] ?? DEFAULT_DYNO_SIZE,
    state: dyno.state,
    attach_url: attachUrl,
    exit_status: dyno.exitStatus ?? null,
    release: { id: ids.get(dyno.version) ?? app.id, version: dyno.version },
    app: { id: app.id, name: app.name },
    created_at: dyno.createdAt,
    updated_at: dyno.updatedAt,
  }));
}

/** A dyno in the Platform API's shape. @param attachUrl where its client attaches */
export async function dynoView(
  dyno: DynoSummary,
  app: AppRecord,
  dependencies: DynoViewDependencies,
  attachUrl?: string | null,
) {
  const [view] = await dynoViews([dyno], app, dependencies, attachUrl);
  return view;
}
