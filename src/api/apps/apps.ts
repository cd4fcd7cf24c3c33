import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AUDIT_APP, refuseAuditApp } from '../../apps/access/audit-log.ts';
import type { Builds, DynoRunner } from '../../apps/host/contract.ts';
import { UNSUPPORTED } from '../../apps/host/unsupported-features.ts';
import type { AppRecord, AppRegistry } from '../../apps/records/app-registry.ts';
import { OWNER } from '../../apps/records/owner.ts';
import type { Releases } from '../../apps/records/release-history.ts';
import { type SlugRecord, slugRecordKey } from '../../apps/records/slug-record.ts';
import { TailraceError } from '../../common/errors.ts';
import type { Addresses } from '../../common/http/addresses.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import { PlatformLinePriority, type PlatformLog } from '../../logs/router/platform-log.ts';
import type { Store } from '../../logs/store/contract.ts';
import { actorOf, FILTERED_ROUTE, isVisible, needsScope } from '../access/authorize.ts';
import { paginate } from '../pagination.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}
interface NewAppRequest {
  readonly name?: string | null;
  /** A stack's name or id. */
  readonly stack?: string | null;
  /** Address of the app that it is made after. */
  readonly imported_from?: string | null;
}
interface AppUpdateRequest {
  readonly name?: string;
  readonly maintenance?: boolean;
  /** A stack's name; there is one. */
  readonly build_stack?: string;
}

/** What every app runs on. */
const REGION = { id: OWNER.id, name: 'localhost' } as const;
export const STACK = { id: '00000000-0000-4000-8000-000000000002', name: 'local' } as const;

/** Heroku's first runtime. */
export const GENERATION = { id: STACK.id, name: 'cedar' } as const;

/** What these routes work with. */
export interface AppRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly releases: Releases;
  readonly store: Store;
  readonly dynoRunner: DynoRunner;
  readonly builds: Builds;
  readonly deliveries: DrainSupervisor;
  readonly platformLog: PlatformLog;
  readonly addresses: Addresses;
}

/** `/apps`: create, list, show, rename, put under maintenance, destroy. */
export function appRoutes(api: FastifyInstance, dependencies: AppRouteDependencies): void {
  const { appRegistry, dynoRunner, platformLog } = dependencies;
  const view = (app: AppRecord, request: FastifyRequest) => appView(app, request, dependencies);

  for (const path of ['/apps', '/users/:user/apps'])
    api.get(
      path,
      { ...routeSchema('List the apps', 'App', { many: true }), ...FILTERED_ROUTE },
      async (request, reply) => {
        const { keyGrant: grant } = request;
        const apps = (await appRegistry.listApps()).filter(
          (app) => app.name !== AUDIT_APP && (!grant || isVisible(grant, app)),
        );
        return paginate(request, reply, await Promise.all(apps.map((app) => view(app, request))), [
          'name',
          'id',
          'updated_at',
        ]);
      },
    );

  const newApp = bodySchema({
    name: { type: ['string', 'null'] },
    stack: {},
    imported_from: { type: ['string', 'null'], maxLength: 500 },
  });
  api.post<{ Body: NewAppRequest | null }>(
    '/apps',
    routeSchema('Create an app', 'App', { status: 201, body: newApp }),
    async (request, reply) => {
      const { name, stack, imported_from: importedFrom } = request.body ?? {};
      refuseImages(stack);
      const app = await createNewApp(dependencies, name, importedFrom ?? undefined);
      reply.code(201);
      return view(app, request);
    },
  );

  api.get<AppParams>(
    '/apps/:app',
    { ...routeSchema('Look at an app', 'App'), ...needsScope('apps') },
    async (request) => view(await appRegistry.getApp(request.params.app), request),
  );

  const change = bodySchema({
    name: { type: 'string' },
    maintenance: { type: 'boolean' },
    build_stack: { type: 'string' },
  });
  api.patch<AppParams & { Body: AppUpdateRequest | null }>(
    '/apps/:app',
    routeSchema('Rename an app, or put it under maintenance', 'App', { body: change }),
    async (request) => {
      const before = await appRegistry.getApp(request.params.app);
      refuseAuditApp(before);
      const { build_stack: stack = STACK.name } = request.body ?? {};
      refuseImages(stack);
      if (stack !== STACK.name)
        throw new TailraceError('invalid_params', `There is one stack, this machine: ${STACK.name}.`);
      const app = await appRegistry.updateApp(before, request.body ?? {});
      await dynoRunner.updateRoute(app.id);
      if ((before.maintenance ?? false) !== (app.maintenance ?? false)) {
        const word = app.maintenance ? 'on' : 'off';
        platformLog.write(
          app.id,
          'app',
          'api',
          PlatformLinePriority.api,
          `Maintenance mode turned ${word} by user ${actorOf(request)}`,
        );
      }
      return view(app, request);
    },
  );

  api.delete<AppParams>('/apps/:app', routeSchema('Destroy an app', 'App'), async (request) => {
    const app = await appRegistry.getApp(request.params.app);
    refuseAuditApp(app);
    if (dynoRunner.isLocalApp(app.id))
      throw new TailraceError(
        'conflict',
        `${app.name} is running here: stop it first (Ctrl-C in its \`tailrace start\`).`,
      );
    const shown = await view(app, request);
    await destroyApp(dependencies, app);
    return shown;
  });

  machineRoutes(api);
}

/** `/stacks`, `/regions`: this machine. */
function machineRoutes(api: FastifyInstance): void {
  for (const [url, kind, one] of [
    ['/stacks', 'stack', { ...STACK, default: true, state: 'public' }],
    ['/regions', 'region', { ...REGION, description: 'This machine', private_capable: false }],
  ] as const) {
    api.get(
      url,
      { ...routeSchema(`List the ${kind}s: this machine`, 'Reference', { many: true }), ...FILTERED_ROUTE },
      async () => [one],
    );
    api.get<{ Params: { which: string } }>(
      `${url}/:which`,
      { ...routeSchema(`Look at a ${kind}`, 'Reference'), ...FILTERED_ROUTE },
      async ({ params: { which } }) => {
        if (which !== one.name && which !== one.id) throw new TailraceError('not_found', UNSUPPORTED.machine);
        return one;
      },
    );
  }
}

/** Makes an app with its first release. @param name left out: one is made up */
export async function createNewApp(
  {
    appRegistry,
    dynoRunner,
    releases,
  }: Pick<AppRouteDependencies, 'appRegistry' | 'dynoRunner' | 'releases'>,
  name: string | null | undefined,
  importedFrom?: string,
): Promise<AppRecord> {
  if (name === AUDIT_APP)
    throw new TailraceError(
      'invalid_params',
      `${AUDIT_APP} is the app of the audit stream: choose another name.`,
    );
  const app = await appRegistry.createApp(name || randomAppName(), importedFrom);
  await releases.createInitial(app.id, app.createdAt);
  await dynoRunner.updateRoute(app.id);
  return app;
}

/** Destroys an app with everything that it has. */
export async function destroyApp(
  { appRegistry, builds, deliveries, dynoRunner }: AppRouteDependencies,
  app: AppRecord,
): Promise<void> {
  await dynoRunner.deleteApp(app);
  await builds.deleteApp(app.id);
  await appRegistry.destroyApp(app);
  await deliveries.reconcile();
}

/** An app in the Platform API's shape. */
async function appView(
  app: AppRecord,
  request: FastifyRequest,
  { addresses, releases, store }: Pick<AppRouteDependencies, 'addresses' | 'releases' | 'store'>,
) {
  const release = await releases.current(app.id);
  const slug =
    release.slug === null
      ? undefined
      : (await store.get<SlugRecord>(app.id, slugRecordKey(release.slug)))?.value;
  return {
    id: app.id,
    name: app.name,
    generation: GENERATION,
    owner: OWNER,
    region: REGION,
    stack: STACK,
    build_stack: STACK,
    acm: false,
    create_status: 'complete',
    git_url: addresses.git(app.name, request),
    web_url: addresses.app(app.name),
    created_at: app.createdAt,
    updated_at: app.updatedAt,
    released_at: release.version > 1 ? release.createdAt : null,
    archived_at: null,
    buildpack_provided_description: slug?.buildpack ?? null,
    maintenance: app.maintenance ?? false,
    slug_size: slug?.byteCount ?? null,
    repo_size: null,
    space: null,
    team: null,
    internal_routing: null,
    imported_from: app.importedFrom ?? null,
    process_tier: 'basic',
  };
}

const NAME_ADJECTIVES = ['clear', 'quiet', 'swift', 'deep', 'still', 'bright', 'cool', 'broad'];
const NAME_NOUNS = ['brook', 'weir', 'river', 'spring', 'lake', 'sluice', 'mill', 'ford'];

/** A name such as `quiet-weir-48213`. */
export function randomAppName(): string {
  const pick = (list: readonly string[]) => list[Math.floor(Math.random() * list.length)];
  return `${pick(NAME_ADJECTIVES)}-${pick(NAME_NOUNS)}-${10_000 + Math.floor(Math.random() * 90_000)}`;
}

/** @throws TailraceError `invalid_params` for the stack of apps that are images */
function refuseImages(stack: unknown): void {
  if (stack === 'container') throw new TailraceError('invalid_params', UNSUPPORTED.images);
}
